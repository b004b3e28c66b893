"""What the tests against golden models share: weights, clips, one pass, one step, and the comparisons."""

import json
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.config import get_cfg, load_cfg
from alphaction.modeling import build_detector
from alphaction.modeling.roi_heads.action_head.loss import action_accuracies, action_losses
from alphaction.modeling.roi_heads.action_head.postprocess import scores_from_logits
from alphaction.solver.build import build_optimizer
from alphaction.structures.boxes import Boxes
from alphaction.structures.labels import ClassGroups

FOLDER = Path(__file__).parents[1] / "fixtures" / "golden"
CONFIGS = Path(__file__).parents[2] / "config_files"
WEIGHTS = runpy.run_path(str(FOLDER / "golden_weights.py"))
GROUPS = ClassGroups.from_counts(14, 49, 17)
_FIRST_LR_FACTOR = 0.25  # the recorded step is the first of a warm-up


class Golden(NamedTuple):
    json: dict[str, Any]
    arrays: Any


class Clips(NamedTuple):
    """The arguments of a detector."""

    slow: Tensor
    fast: Tensor
    boxes: list[Boxes]
    objects: list[Boxes] | None = None
    memory: Tensor | None = None


class Evaluated(NamedTuple):
    logits: Tensor
    maps: dict[str, Tensor]


class Trained(NamedTuple):
    """Weighted losses, metrics, and for each parameter the norm of its gradient and of the step it took."""

    losses: dict[str, Tensor]
    metrics: dict[str, Tensor]
    gradients: dict[str, float]
    steps: dict[str, float]


def load_golden(case: str) -> Golden:
    return Golden(json.loads((FOLDER / f"model_{case}.json").read_text()), np.load(FOLDER / f"model_{case}.npz"))


def golden_cfg(golden: Golden, *opts: object) -> CfgNode:
    """Returns the config the numbers were recorded with, without dropout."""
    yaml = golden.json["yaml"]
    cfg = load_cfg(CONFIGS / f"{yaml}.yaml") if yaml else get_cfg()
    no_dropout = ("MODEL.ROI_ACTION_HEAD.DROPOUT_RATE", 0.0, "MODEL.IA_STRUCTURE.DROPOUT", 0.0)
    cfg.merge_from_list([*golden.json["opts"], *no_dropout, *opts])
    return cfg


def make_golden_detector(cfg: CfgNode) -> nn.Module:
    """Returns the detector of the config with the golden weights."""
    with torch.device("meta"):
        model = build_detector(cfg)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = {key: torch.from_numpy(value) for key, value in WEIGHTS["state_dict"](shapes).items()}
    model.load_state_dict(state, assign=True)
    return model


def make_clips(golden: Golden, *, with_objects: bool = False, memory: Tensor | None = None) -> Clips:
    """Returns the two clips of a case; a pathway that it lacks is one empty frame."""
    size = tuple(golden.json["image_size_wh"])
    persons, objects = (
        [Boxes(torch.tensor(boxes), size) for boxes in kind] for kind in WEIGHTS["boxes"](size[0], size[1])
    )
    slow, fast = (
        torch.from_numpy(WEIGHTS["randn"](name, shape)) if shape else torch.zeros(len(persons), 3, 1, size[1], size[0])
        for name, shape in (("slow", golden.json["slow_shape"]), ("fast", golden.json["fast_shape"]))
    )
    return Clips(slow, fast, persons, objects if with_objects else None, memory)


def evaluate_once(detector: nn.Module, clips: Clips, modules: Sequence[str] = ()) -> Evaluated:
    """Returns the logits of a pass in eval mode, and what the named modules gave on the way."""
    maps: dict[str, Tensor] = {}
    hooks = [
        detector.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: maps.__setitem__(name, out.clone())
        )
        for name in modules
    ]
    with torch.no_grad():
        logits = detector.eval()(*clips)
    for hook in hooks:
        hook.remove()
    return Evaluated(logits, maps)


def train_once(detector: nn.Module, clips: Clips, golden: Golden, cfg: CfgNode) -> Trained:
    """Returns what one training step gives. It changes the weights: evaluate first."""
    labels = torch.from_numpy(golden.arrays["train_labels"])
    weights = {"pose": 1.2, "object": 49.0, "person": 17.0}
    logits = detector.train()(*clips)
    losses = action_losses(logits, labels, groups=GROUPS, weights=weights, gamma=2.0, alpha=-1.0, normalizer=5.0)
    sum(losses.values()).backward()
    named = dict(detector.named_parameters())
    before = {name: p.detach().clone() for name, p in named.items()}
    gradients = {name: p.grad.double().norm().item() for name, p in named.items()}
    optimizer = build_optimizer(cfg, detector)
    for group in optimizer.param_groups:
        group["lr"] *= _FIRST_LR_FACTOR
    optimizer.step()
    steps = {name: (p.detach() - before[name]).double().norm().item() for name, p in named.items()}
    return Trained(losses, action_accuracies(logits, labels, groups=GROUPS), gradients, steps)


def assert_logits_and_scores(evaluated: Evaluated, golden: Golden) -> None:
    expected = torch.from_numpy(golden.arrays["eval_logits"])
    torch.testing.assert_close(evaluated.logits, expected, rtol=0, atol=1e-4)
    scores = scores_from_logits(evaluated.logits, GROUPS)
    torch.testing.assert_close(scores, torch.from_numpy(golden.arrays["eval_scores"]), rtol=0, atol=1e-4)


def assert_maps(evaluated: Evaluated, golden: Golden, names: Mapping[str, str]) -> None:
    """Compares shape, sum and sum of squares.

    Args:
        evaluated: a pass.
        golden: the case.
        names: name of a module -> name that its output was recorded by.
    """
    assert evaluated.maps.keys() == names.keys()
    for name, output in evaluated.maps.items():
        expected = golden.json["eval"]["intermediates"][names[name]]
        assert list(output.shape) == expected["shape"], name
        assert output.double().sum().item() == pytest.approx(expected["sum"], abs=1e-6 * expected["abs_sum"]), name
        assert output.double().square().sum().item() == pytest.approx(expected["sq_sum"], rel=1e-5), name


def assert_losses_and_metrics(trained: Trained, golden: Golden) -> None:
    expected = golden.json["train"]
    assert trained.losses.keys() == expected["losses"].keys()
    for name, value in trained.losses.items():
        assert value.item() == pytest.approx(expected["losses"][name] * expected["weights"][name], rel=1e-5), name
    assert sum(trained.losses.values()).item() == pytest.approx(expected["total"], rel=1e-5)
    for name, value in trained.metrics.items():
        assert value.item() == pytest.approx(expected["metrics"][name], abs=1e-6), name


def assert_gradients(trained: Trained, golden: Golden, zero: tuple[str, ...] = ()) -> None:
    """Compares norms; parameters that end with one of ``zero`` have a true gradient of 0, up to rounding."""
    expected = golden.json["train"]["grad_norm_sum_first"]
    assert trained.gradients.keys() == expected.keys()
    total = golden.json["train"]["total_grad_norm"]
    for name, norm in trained.gradients.items():
        if name.endswith(zero):
            assert norm < 1e-7 * total, name
        else:
            assert norm == pytest.approx(expected[name][0], rel=1e-3), name
    assert sum(norm**2 for norm in trained.gradients.values()) ** 0.5 == pytest.approx(total, rel=1e-3)


def assert_steps(trained: Trained, golden: Golden, zero: tuple[str, ...] = ()) -> None:
    """Compares how far each parameter moved; see :func:`assert_gradients`."""
    for name, step in trained.steps.items():
        if not name.endswith(zero):
            expected = golden.json["train"]["param_after_1_sgd_step_delta_norm"][name]
            assert step == pytest.approx(expected, rel=1e-3), name
