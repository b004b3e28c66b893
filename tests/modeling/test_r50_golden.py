"""The R50 4x16 baseline against the golden numbers: forward, losses, gradients, one step of SGD."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from alphaction.modeling import build_detector
from alphaction.modeling.roi_heads.action_head.loss import action_accuracies, action_losses
from alphaction.modeling.roi_heads.action_head.postprocess import scores_from_logits
from alphaction.structures.boxes import Boxes
from alphaction.structures.labels import ClassGroups

GROUPS = ClassGroups.from_counts(14, 49, 17)
WEIGHTS = {"pose": 1.2, "object": 49.0, "person": 17.0}
LR, LR_BIAS, WEIGHT_DECAY = 1e-4, 2e-4, 1e-7


class Golden(NamedTuple):
    json: dict[str, Any]
    arrays: Any


class Clips(NamedTuple):
    slow: Tensor
    fast: Tensor
    boxes: list[Boxes]


class Trained(NamedTuple):
    losses: dict[str, Tensor]
    metrics: dict[str, Tensor]
    gradients: dict[str, tuple[float, float]]
    deltas: dict[str, float]


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> Golden:
    numbers = json.loads((golden_dir / "model_r50_baseline.json").read_text())
    return Golden(numbers, np.load(golden_dir / "model_r50_baseline.npz"))


@pytest.fixture(scope="module")
def weights(golden_dir: Path) -> dict[str, Any]:
    return runpy.run_path(str(golden_dir / "golden_weights.py"))


@pytest.fixture(scope="module")
def detector(make_cfg: Callable, weights: dict[str, Any]) -> nn.Module:
    cfg = make_cfg(
        *("MODEL.BACKBONE.CONV_BODY", "Slowfast-Resnet50"),
        *("MODEL.BACKBONE.FROZEN_BN", True),
        *("MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", 1024),
        *("INPUT.FRAME_NUM", 64, "INPUT.TAU", 16, "INPUT.ALPHA", 8),
    )
    with torch.device("meta"):
        model = build_detector(cfg)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = {key: torch.from_numpy(value) for key, value in weights["state_dict"](shapes).items()}
    model.load_state_dict(state, assign=True)
    return model


@pytest.fixture(scope="module")
def clips(golden: Golden, weights: dict[str, Any]) -> Clips:
    width, height = golden.json["image_size_wh"]
    persons, _ = weights["boxes"](width, height)
    return Clips(
        torch.from_numpy(weights["randn"]("slow", golden.json["slow_shape"])),
        torch.from_numpy(weights["randn"]("fast", golden.json["fast_shape"])),
        [Boxes(torch.tensor(clip), (width, height)) for clip in persons],
    )


@pytest.fixture(scope="module")
def evaluated(detector: nn.Module, clips: Clips) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the logits of a pass in eval mode, and the feature maps on the way."""
    maps: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: maps.__setitem__(name, out))
        for name, module in detector.backbone.named_modules()
        if name.count(".") == 1 and ("res_nl" in name or "Tconv" in name)
    ]
    with torch.no_grad():
        logits = detector.eval()(*clips)
    for hook in hooks:
        hook.remove()
    return logits, maps


@pytest.fixture(scope="module")
def trained(detector: nn.Module, clips: Clips, evaluated: Any, golden: Golden) -> Trained:
    """Returns what one training step gives; it comes after the evaluation, which needs the first weights."""
    labels = torch.from_numpy(golden.arrays["train_labels"])
    logits = detector.train()(*clips)
    losses = action_losses(logits, labels, groups=GROUPS, weights=WEIGHTS, gamma=2.0, alpha=-1.0, normalizer=5.0)
    sum(losses.values()).backward()
    named = dict(detector.named_parameters())
    biases = [p for name, p in named.items() if name.endswith(".bias")]
    others = [p for name, p in named.items() if not name.endswith(".bias")]
    optimizer = torch.optim.SGD(
        [{"params": others, "lr": LR, "weight_decay": WEIGHT_DECAY}, {"params": biases, "lr": LR_BIAS}],
        momentum=0.9,
    )
    gradients = {name: (p.grad.double().norm().item(), p.grad.double().sum().item()) for name, p in named.items()}
    before = {name: p.detach().clone() for name, p in named.items()}
    optimizer.step()
    deltas = {name: (p.detach() - before[name]).double().norm().item() for name, p in named.items()}
    return Trained(losses, action_accuracies(logits, labels, groups=GROUPS), gradients, deltas)


def test_logits_and_scores_equal_the_golden_numbers(evaluated: Any, golden: Golden) -> None:
    logits, _ = evaluated
    torch.testing.assert_close(logits, torch.from_numpy(golden.arrays["eval_logits"]), rtol=0, atol=1e-4)
    scores = scores_from_logits(logits, GROUPS)
    torch.testing.assert_close(scores, torch.from_numpy(golden.arrays["eval_scores"]), rtol=0, atol=1e-4)


def test_feature_maps_equal_the_golden_numbers(evaluated: Any, golden: Golden) -> None:
    _, maps = evaluated
    assert len(maps) == 12
    for name, output in maps.items():
        expected = golden.json["eval"]["intermediates"][name]
        assert list(output.shape) == expected["shape"], name
        assert output.double().sum().item() == pytest.approx(expected["sum"], abs=1e-6 * expected["abs_sum"]), name
        assert output.double().square().sum().item() == pytest.approx(expected["sq_sum"], rel=1e-5), name


def test_eval_mode_pools_the_enlarged_boxes(detector: nn.Module, clips: Clips, golden: Golden) -> None:
    scale = detector.roi_heads.action.extend_scale
    enlarged = torch.cat([boxes.extend(scale).xyxy for boxes in clips.boxes])
    torch.testing.assert_close(enlarged, torch.from_numpy(golden.arrays["eval_proposals_extended"]))


def test_losses_and_metrics_equal_the_golden_numbers(trained: Trained, golden: Golden) -> None:
    expected = golden.json["train"]
    for name, value in trained.losses.items():
        assert value.item() == pytest.approx(expected["losses"][name] * expected["weights"][name], rel=1e-5), name
    assert sum(trained.losses.values()).item() == pytest.approx(expected["total"], rel=1e-5)
    for name, value in trained.metrics.items():
        assert value.item() == pytest.approx(expected["metrics"][name], abs=1e-6), name


def test_every_gradient_equals_the_golden_one(trained: Trained, golden: Golden) -> None:
    expected = golden.json["train"]["grad_norm_sum_first"]
    assert trained.gradients.keys() == expected.keys()
    for name, (norm, _) in trained.gradients.items():
        assert norm == pytest.approx(expected[name][0], rel=1e-3), name
    total = sum(norm**2 for norm, _ in trained.gradients.values()) ** 0.5
    assert total == pytest.approx(golden.json["train"]["total_grad_norm"], rel=1e-3)


def test_one_step_moves_every_parameter_as_far_as_the_golden_one(trained: Trained, golden: Golden) -> None:
    expected = golden.json["train"]["param_after_1_sgd_step_delta_norm"]
    for name, delta in trained.deltas.items():
        assert delta == pytest.approx(expected[name], rel=1e-3), name
