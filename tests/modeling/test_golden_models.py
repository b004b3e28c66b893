"""Whole detectors without interaction against the golden numbers: forward, losses, gradients, one step of SGD."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest
import torch
from golden_model import (
    Clips,
    Evaluated,
    Golden,
    Trained,
    assert_gradients,
    assert_logits_and_scores,
    assert_losses_and_metrics,
    assert_maps,
    assert_steps,
    evaluate_once,
    golden_cfg,
    load_golden,
    make_clips,
    make_golden_detector,
    train_once,
)
from torch import nn

SLOWFAST_MAPS = (
    *(f"{pathway}.res_nl{stage}" for pathway in ("slow", "fast") for stage in (1, 2, 3, 4)),
    *(f"fast.Tconv{stage}" for stage in (1, 2, 3, 4)),
)
I3D_MAPS = ("conv1", "res_nl1", "res_nl2", "res_nl3", "res_nl4")


class Case(NamedTuple):
    """What to compare: the name of a module -> the name its output was recorded by; parameters without a gradient."""

    name: str
    maps: Mapping[str, str]
    zero_gradients: tuple[str, ...] = ()


CASES = (
    Case("r50_baseline", {f"backbone.{name}": name for name in SLOWFAST_MAPS}),
    # The softmax of a non-local block does not change when all keys move by the same.
    Case("i3d_r50_nl", {f"backbone.{name}": f"i3d.{name}" for name in I3D_MAPS}, (".phi.bias",)),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def golden(case: Case) -> Golden:
    return load_golden(case.name)


@pytest.fixture(scope="module")
def detector(golden: Golden) -> nn.Module:
    return make_golden_detector(golden_cfg(golden))


@pytest.fixture(scope="module")
def clips(golden: Golden) -> Clips:
    return make_clips(golden)


@pytest.fixture(scope="module")
def evaluated(detector: nn.Module, clips: Clips, case: Case) -> Evaluated:
    return evaluate_once(detector, clips, list(case.maps))


@pytest.fixture(scope="module")
def trained(detector: nn.Module, clips: Clips, evaluated: Evaluated, golden: Golden) -> Trained:
    """Returns what one step gives; it comes after the evaluation, which needs the first weights."""
    return train_once(detector, clips, golden, golden_cfg(golden))


def test_logits_and_scores_equal_the_golden_numbers(evaluated: Evaluated, golden: Golden) -> None:
    assert_logits_and_scores(evaluated, golden)


def test_feature_maps_equal_the_golden_numbers(evaluated: Evaluated, golden: Golden, case: Case) -> None:
    assert_maps(evaluated, golden, case.maps)


def test_eval_mode_pools_the_enlarged_boxes(detector: nn.Module, clips: Clips, golden: Golden) -> None:
    scale = detector.roi_heads.action.extend_scale
    enlarged = torch.cat([boxes.extend(scale).xyxy for boxes in clips.boxes])
    torch.testing.assert_close(enlarged, torch.from_numpy(golden.arrays["eval_proposals_extended"]))


def test_losses_and_metrics_equal_the_golden_numbers(trained: Trained, golden: Golden) -> None:
    assert_losses_and_metrics(trained, golden)


def test_every_gradient_equals_the_golden_one(trained: Trained, golden: Golden, case: Case) -> None:
    assert_gradients(trained, golden, case.zero_gradients)


def test_one_step_moves_every_parameter_as_far_as_the_golden_one(trained: Trained, golden: Golden, case: Case) -> None:
    assert_steps(trained, golden, case.zero_gradients)
