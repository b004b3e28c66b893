"""Names and shapes of weights of models that were not released, key by key against the original's."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from alphaction.modeling import build_detector

BODY = "MODEL.BACKBONE.CONV_BODY"
FROZEN = ("MODEL.BACKBONE.FROZEN_BN", True, "MODEL.NONLOCAL.FROZEN_BN", True)
SLOW_NONLOCAL = (
    *("MODEL.BACKBONE.SLOWFAST.SLOW.CONV3_NONLOCAL", True),
    *("MODEL.BACKBONE.SLOWFAST.SLOW.CONV4_NONLOCAL", True),
)
VARIANTS = {
    "i3d_r50_all_nonlocal": (BODY, "I3D-Resnet50"),
    "i3d_r101_sparse": (BODY, "I3D-Resnet101-Sparse"),
    "r50_baseline_unfrozen_bn": (BODY, "Slowfast-Resnet50"),
    "r50_slow_nonlocal": (BODY, "Slowfast-Resnet50", *FROZEN, *SLOW_NONLOCAL),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_keys_and_shapes_are_those_of_the_original(make_cfg: Callable, golden_dir: Path, name: str) -> None:
    expected = json.loads((golden_dir / "state_dict_keys_variants.json").read_text())[name]
    cfg = make_cfg(
        *("MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", 1024, "INPUT.FRAME_NUM", 32, "INPUT.ALPHA", 8), *VARIANTS[name]
    )
    with torch.device("meta"):
        model = build_detector(cfg)
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == expected
