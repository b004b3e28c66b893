"""Names and shapes of weights are an interface: released files must load into the models built here."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from alphaction.modeling import build_detector

KEYS = Path(__file__).parents[1] / "fixtures" / "contract" / "state_dict_keys"
RELEASED = {
    "resnet50_4x16f_baseline": ("Slowfast-Resnet50", 64, 16, 8),
    "resnet101_8x8f_baseline": ("Slowfast-Resnet101", 64, 8, 4),
}


def build(make_cfg: Callable, name: str, frozen_bn: bool) -> nn.Module:
    body, frames, tau, alpha = RELEASED[name]
    cfg = make_cfg(
        *("MODEL.BACKBONE.CONV_BODY", body, "MODEL.BACKBONE.FROZEN_BN", frozen_bn),
        *("MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", 1024),
        *("INPUT.FRAME_NUM", frames, "INPUT.TAU", tau, "INPUT.ALPHA", alpha),
    )
    with torch.device("meta"):
        return build_detector(cfg)


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def released_shapes(name: str) -> dict[str, tuple[int, ...]]:
    rows = [line.split("\t") for line in (KEYS / f"{name}.txt").read_text().splitlines()]
    return {key: tuple(int(extent) for extent in shape.split("x")) for key, shape in rows}


def num_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("name", RELEASED)
def test_keys_and_shapes_are_those_of_the_released_model(make_cfg: Callable, name: str) -> None:
    assert shapes_of(build(make_cfg, name, frozen_bn=True)) == released_shapes(name)


def test_a_live_batch_norm_adds_its_counter_and_nothing_else(make_cfg: Callable) -> None:
    name = "resnet50_4x16f_baseline"
    expected = released_shapes(name)
    norms = [key.rsplit(".", 1)[0] for key in expected if key.endswith(".running_mean")]
    expected |= {f"{norm}.num_batches_tracked": () for norm in norms}
    model = build(make_cfg, name, frozen_bn=False)
    assert shapes_of(model) == expected
    assert len(expected) == 650
    assert num_parameters(model.backbone) == 33_557_752


@pytest.mark.parametrize(
    ("name", "slow", "fast", "head", "buffers", "trainable"),
    [
        ("resnet50_4x16f_baseline", 32_774_336, 723_656, 3_491_920, 119_520, 120),
        ("resnet101_8x8f_baseline", 60_627_136, 1_158_856, 3_491_920, 237_024, 222),
    ],
)
def test_parameter_counts_are_those_of_the_released_model(
    make_cfg: Callable, name: str, slow: int, fast: int, head: int, buffers: int, trainable: int
) -> None:
    model = build(make_cfg, name, frozen_bn=True)
    assert num_parameters(model.backbone.slow) == slow
    assert num_parameters(model.backbone.fast) == fast
    assert num_parameters(model.roi_heads) == head
    assert sum(buffer.numel() for buffer in model.buffers()) == buffers
    assert len(list(model.parameters())) == trainable
