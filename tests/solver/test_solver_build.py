"""Optimizer and schedule from the config."""

import pytest
import torch
from solver_rates import rates_of
from torch import nn

from alphaction.config import get_cfg
from alphaction.solver import SCHEDULERS, Span, build_optimizer, build_scheduler
from alphaction.structures.unit import Unit
from alphaction.utils.errors import ConfigError, UserError

SOLVER = {
    "BASE_LR": 0.1,
    "WEIGHT_DECAY": 0.01,
    "STEPS": (40, 60),
    "MAX_ITER": 80,
    "WARMUP_FACTOR": 0.25,
    "WARMUP_ITERS": 20,
}


def make_cfg(**changed):
    cfg = get_cfg()
    for key, value in {**SOLVER, **changed}.items():
        cfg.SOLVER[key] = value
    return cfg


def rates_at(cfg, iterations, **options):
    scheduler = build_scheduler(cfg, build_optimizer(cfg, nn.Linear(2, 2, bias=False)), **options)
    rates = []
    for iteration in iterations:
        scheduler.jump_to(iteration)
        rates += rates_of(scheduler)
    return rates


def test_the_optimizer_is_sgd_with_the_momentum_of_the_config():
    optimizer = build_optimizer(make_cfg(), nn.Linear(2, 2))
    assert [(g["lr"], g["weight_decay"], g["momentum"]) for g in optimizer.param_groups] == [
        (0.1, 0.01, 0.9),
        (0.2, 0.0, 0.9),
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_the_optimizer_is_the_one_of_the_config_with_its_numbers(name, kind):
    optimizer = build_optimizer(make_cfg(OPTIMIZER=name, BETAS=(0.8, 0.95), EPSILON=1e-5), nn.Linear(2, 2))
    assert type(optimizer) is kind
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.1, 0.01), (0.2, 0.0)]
    if name != "sgd":
        assert {(group["betas"], group["eps"]) for group in optimizer.param_groups} == {((0.8, 0.95), 1e-5)}


def test_adam_takes_decay_into_the_gradient_and_adamw_does_not():
    moved = {}
    for name in ("adam", "adamw"):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(layer.weight, 1.0)
        optimizer = build_optimizer(make_cfg(OPTIMIZER=name, WEIGHT_DECAY=0.5), layer)
        layer.weight.grad = torch.ones(1, 1)
        optimizer.step()
        moved[name] = 1 - layer.weight.item()
    # A first step of Adam is as long as the rate, whatever the gradient; AdamW takes 0.1 x 0.5 x 1 more.
    assert moved == pytest.approx({"adam": 0.1, "adamw": 0.15}, rel=1e-5)


def test_an_unknown_optimizer_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r'Unknown optimizer \(SOLVER.OPTIMIZER\) "adamv"; did you mean'):
        build_optimizer(make_cfg(OPTIMIZER="adamv"), nn.Linear(2, 2))


def test_units_have_groups_of_their_own():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    units = [Unit("stem", {"0": model[0]}), Unit("head", {"1": model[1]})]
    optimizer = build_optimizer(make_cfg(), model, units)
    assert [(group["unit"], group["lr_factor"]) for group in optimizer.param_groups] == [
        ("stem", 1.0),
        ("stem", 2.0),
        ("head", 1.0),
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


def test_polynomial_reads_its_keys():
    cfg = make_cfg(SCHEDULER="polynomial", POLYNOMIAL_POWER=2.0, MIN_LR_FACTOR=0.2, WARMUP_ON=False)
    assert rates_at(cfg, [0, 40, 80]) == pytest.approx([0.1, 0.04, 0.02])


def test_cosine_ends_at_its_least_rate():
    cfg = make_cfg(SCHEDULER="half_period_cosine", MIN_LR_FACTOR=0.2, WARMUP_ON=False)
    assert rates_at(cfg, [0, 40, 80]) == pytest.approx([0.1, 0.06, 0.02])


def test_exponential_decays_in_its_iterations_or_in_an_epoch():
    settings = {"SCHEDULER": "exponential", "WARMUP_ON": False}
    assert rates_at(make_cfg(**settings, DECAY_ITERS=20), [0, 10, 40]) == pytest.approx([0.1, 0.1**1.5, 0.001])
    assert rates_at(make_cfg(**settings), [5, 10], epoch_length=5) == pytest.approx([0.01, 0.001])
    with pytest.raises(ConfigError, match=r"SOLVER.DECAY_ITERS 0 is one epoch"):
        rates_at(make_cfg(**settings), [0])


def test_one_cycle_reads_its_keys_and_has_no_other_warm_up():
    cfg = make_cfg(SCHEDULER="one_cycle", ONE_CYCLE_RISE=0.5, ONE_CYCLE_START_DIVISOR=10.0, ONE_CYCLE_END_DIVISOR=5.0)
    assert rates_at(cfg, [0, 39, 79]) == pytest.approx([0.01, 0.1, 0.002])


def test_plateau_reads_its_keys():
    cfg = make_cfg(SCHEDULER="plateau", PLATEAU_FACTOR=0.5, PLATEAU_PATIENCE=1, MIN_LR_FACTOR=0.3, MONITOR_MODE="min")
    scheduler = build_scheduler(cfg, build_optimizer(cfg, nn.Linear(2, 2, bias=False)))
    scheduler.jump_to(30)
    rates = []
    for value in (1.0, 0.9, 0.9, 0.9, 0.95, 0.95):
        scheduler.report(value)
        rates += rates_of(scheduler)
    assert scheduler.needs_metric and rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.03])


def test_steps_of_a_schedule_that_starts_anew_stay_iterations_of_the_run():
    cfg = make_cfg(WARMUP_ON=False)
    factor = SCHEDULERS.get("warmup_multi_step")(cfg.SOLVER, Span(50, 80))
    assert [factor(iteration) for iteration in (50, 59, 60)] == [1.0, 1.0, 0.1]


def test_steps_in_epochs_are_steps_at_their_starts() -> None:
    settings = {"SCHEDULER": "warmup_multi_step", "WARMUP_ON": False, "BASE_LR": 1.0, "GAMMA": 0.5, "STEPS": (1,)}
    cfg = make_cfg(**settings, STEP_EPOCHS=(2, 3))
    assert rates_at(cfg, [0, 9, 10, 14, 15], epoch_length=5) == pytest.approx([1.0, 1.0, 0.5, 0.5, 0.25])
    with pytest.raises(ConfigError, match=r"STEP_EPOCHS are epochs.*give SOLVER.STEPS in iterations"):
        rates_at(cfg, [0])
