"""Configurations of small models, and the golden numbers of the released baseline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alphaction.config import get_cfg


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    return Path(__file__).parents[1] / "fixtures" / "golden"


@pytest.fixture(scope="session")
def make_cfg() -> Callable:
    """Returns a function: pairs of key and value -> the config of a baseline detector with them."""

    def make(*opts: object):
        cfg = get_cfg()
        cfg.merge_from_list(
            [
                *("MODEL.BACKBONE.CONV_BODY", "Slowfast-Tiny"),
                *("MODEL.BACKBONE.SLOWFAST.SLOW.CONV3_NONLOCAL", False),
                *("MODEL.BACKBONE.SLOWFAST.SLOW.CONV4_NONLOCAL", False),
                *("MODEL.ROI_ACTION_HEAD.MEAN_BEFORE_POOLER", True),
                *("MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", 32),
                *("INPUT.FRAME_NUM", 16),
                *("INPUT.TAU", 8),
                *("INPUT.ALPHA", 4),
                *opts,
            ]
        )
        return cfg

    return make
