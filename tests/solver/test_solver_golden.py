"""The optimizer of the released configurations, on the real models."""

import json
from pathlib import Path

import pytest
import torch
from solver_rates import rates_of

from alphaction.config import load_cfg
from alphaction.modeling import build_detector
from alphaction.solver import build_optimizer, build_scheduler

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests/fixtures/golden/optimizer_groups.json").read_text())["optimizer"]


def build(config, *options):
    cfg = load_cfg(ROOT / f"config_files/{config}.yaml", options)
    with torch.device("meta"):
        model = build_detector(cfg)
    optimizer = build_optimizer(cfg, model)
    return model, optimizer, build_scheduler(cfg, optimizer)


def settings(optimizer):
    return sorted((round(g["initial_lr"], 12), g["weight_decay"], len(g["params"])) for g in optimizer.param_groups)


def golden_settings(entry):
    return sorted((round(g["base_lr"], 12), g["weight_decay"], g["n_params"]) for g in entry["groups_by_setting"])


@pytest.mark.parametrize("config", ["resnet50_4x16f_baseline", "resnet101_8x8f_baseline"])
def test_released_baselines_have_the_golden_rates_at_their_first_iteration(config):
    model, optimizer, scheduler = build(config)
    expected = GOLDEN[config]
    assert settings(optimizer) == golden_settings(expected)
    assert {g["momentum"] for g in optimizer.param_groups} == {expected["solver"]["MOMENTUM"]}
    assert rates_of(scheduler) == pytest.approx(expected["lr_iter0"], rel=1e-12)
    found = {name: (g["initial_lr"], g["weight_decay"]) for g in optimizer.param_groups for name in g["names"]}
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, (rate, decay) in expected["examples"].items():
        assert found[name] == (pytest.approx(rate, rel=1e-12), decay)


def test_live_batch_norm_of_the_real_model_has_the_golden_rates():
    _, optimizer, _ = build("resnet50_4x16f_baseline", "MODEL.BACKBONE.FROZEN_BN", "False")
    assert settings(optimizer) == golden_settings(GOLDEN["unfrozen_bn_r50_baseline"])
