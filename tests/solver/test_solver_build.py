"""Optimizer and schedule from the config."""

import pytest
import torch
from torch import nn
from yacs.config import CfgNode

from alphaction.solver import build_optimizer, build_scheduler
from alphaction.utils.errors import UserError


def make_cfg(**changed):
    solver = {
        "BASE_LR": 0.1,
        "WEIGHT_DECAY": 0.01,
        "BIAS_LR_FACTOR": 2,
        "WEIGHT_DECAY_BIAS": 0.0,
        "WEIGHT_DECAY_BN": 0.0,
        "IA_LR_FACTOR": 1.0,
        "MOMENTUM": 0.9,
        "SCHEDULER": "warmup_multi_step",
        "GAMMA": 0.1,
        "STEPS": (40, 60),
        "MAX_ITER": 80,
        "WARMUP_ON": True,
        "WARMUP_FACTOR": 0.25,
        "WARMUP_ITERS": 20,
        "WARMUP_METHOD": "linear",
    }
    return CfgNode({"SOLVER": CfgNode({**solver, **changed})})


def rates_at(cfg, iterations, **options):
    scheduler = build_scheduler(cfg, build_optimizer(cfg, nn.Linear(2, 2, bias=False)), **options)
    rates = []
    for iteration in iterations:
        scheduler.jump_to(iteration)
        rates += scheduler.rates()
    return rates


def test_the_optimizer_is_sgd_with_the_momentum_of_the_config():
    optimizer = build_optimizer(make_cfg(), nn.Linear(2, 2))
    assert [(g["lr"], g["weight_decay"], g["momentum"]) for g in optimizer.param_groups] == [
        (0.1, 0.01, 0.9),
        (0.2, 0.0, 0.9),
    ]


def test_a_step_moves_trained_parameters_and_leaves_frozen_ones():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = build_optimizer(make_cfg(), model)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert not torch.equal(model.weight, before["weight"])
    assert torch.equal(model.bias, before["bias"])


def test_multi_step_reads_its_keys():
    assert rates_at(make_cfg(), [0, 10, 20, 40, 60]) == pytest.approx([0.025, 0.0625, 0.1, 0.01, 0.001])


def test_cosine_reads_its_keys():
    found = rates_at(make_cfg(SCHEDULER="half_period_cosine", WARMUP_ON=False), [0, 40, 80])
    assert found == pytest.approx([0.1, 0.05, 0.0], abs=1e-15)


def test_a_length_the_data_decide_replaces_max_iter():
    cfg = make_cfg(SCHEDULER="half_period_cosine", WARMUP_ON=False)
    assert rates_at(cfg, [100], max_iter=200) == pytest.approx([0.05])


def test_warm_up_off_starts_at_the_full_rate():
    assert rates_at(make_cfg(WARMUP_ON=False), [0]) == [0.1]


def test_an_unknown_schedule_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r'Unknown schedule \(SOLVER.SCHEDULER\) "half_cosine"; did you mean'):
        rates_at(make_cfg(SCHEDULER="half_cosine"), [])
