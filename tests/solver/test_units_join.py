"""Parts of a model that begin to train later, under every schedule and every optimizer."""

import copy

import pytest
import torch
from solver_rates import rates_of
from torch import nn

from alphaction.config import load_cfg
from alphaction.solver import OPTIMIZERS, SCHEDULERS, Span, build_optimizer, build_scheduler, load_optimizer_state
from alphaction.structures.unit import Unit
from alphaction.structures.unit_rate import UnitRate

LENGTH, EPOCH, JOINS = 60, 6, 17
OPTIONS = ["SOLVER.WARMUP_ITERS", "5", "SOLVER.STEPS", "(12, 30, 45)", "SOLVER.MAX_ITER", str(LENGTH)]
OPTIONS += ["SOLVER.PLATEAU_PATIENCE", "0", "SOLVER.MIN_LR_FACTOR", "0.001"]


def make_cfg(*options):
    return load_cfg(None, [*OPTIONS, *options])


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def units_of(model):
    return [Unit("stem", {"0": model[0], "1": model[1]}, kind="stem"), Unit("head", {"2": model[2]}, kind="head")]


def build(cfg):
    model = make_model()
    optimizer = build_optimizer(cfg, model, units_of(model))
    return model, optimizer, build_scheduler(cfg, optimizer, epoch_length=EPOCH)


def unit_rates_of(optimizer, unit):
    return [group["lr"] for group in optimizer.param_groups if group["unit"] == unit]


def advance(scheduler, last):
    """Steps to ``last`` with an evaluation an epoch, whose metric never gets better."""
    while scheduler.iteration < last:
        scheduler.step()
        if scheduler.iteration % EPOCH == 0:
            scheduler.report(0.5)


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_a_unit_that_joins_the_schedule_has_the_rate_of_the_others_times_its_factor(name):
    _, optimizer, scheduler = build(make_cfg("SOLVER.SCHEDULER", name))
    advance(scheduler, JOINS)
    scheduler.set_units({"stem": UnitRate(factor=0.1)})
    while scheduler.iteration < LENGTH:
        for stem, head in zip(
            sorted(set(unit_rates_of(optimizer, "stem"))), unit_rates_of(optimizer, "head"), strict=True
        ):
            assert stem == pytest.approx(0.1 * head, rel=1e-12)
        assert scheduler.unit_rate("stem") == pytest.approx(0.1 * scheduler.unit_rate("head"), rel=1e-12)
        advance(scheduler, scheduler.iteration + 1)


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_a_unit_that_starts_anew_has_the_rates_of_a_fresh_schedule_over_the_rest(name):
    cfg = make_cfg("SOLVER.SCHEDULER", name)
    _, optimizer, scheduler = build(cfg)
    advance(scheduler, JOINS)
    before = unit_rates_of(optimizer, "head")
    scheduler.set_units({"stem": UnitRate(start=JOINS)})
    assert unit_rates_of(optimizer, "head") == before
    fresh_cfg = make_cfg("SOLVER.SCHEDULER", name, "SOLVER.STEPS", str((30 - JOINS, 45 - JOINS)))
    drops = tuple(drop - JOINS for drop in range(2 * EPOCH, LENGTH, EPOCH) if drop > JOINS)
    fresh = SCHEDULERS.get(name)(fresh_cfg.SOLVER, Span(0, LENGTH - JOINS, EPOCH, drops))
    while scheduler.iteration < LENGTH:
        assert scheduler.unit_rate("stem") == pytest.approx(fresh(scheduler.iteration - JOINS), rel=1e-12)
        advance(scheduler, scheduler.iteration + 1)


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_the_warm_up_alone_begins_as_the_schedule_does_and_stays_at_the_top(name):
    _, _, scheduler = build(make_cfg("SOLVER.SCHEDULER", name))
    scheduler.set_units({"stem": UnitRate(shape="warmup", start=JOINS), "head": UnitRate(start=JOINS)})
    scheduler.jump_to(JOINS)
    assert scheduler.unit_rate("stem") == pytest.approx(scheduler.unit_rate("head"), rel=1e-12)
    scheduler.jump_to(LENGTH - 1)
    assert scheduler.unit_rate("stem") == 1.0


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_a_resumed_run_has_the_same_rates_to_its_end(name):
    cfg = make_cfg("SOLVER.SCHEDULER", name)
    whole, resumed = build(cfg), build(cfg)
    for _, _, scheduler in (whole, resumed):
        scheduler.set_units({"stem": UnitRate(0.2, "schedule", 9)})
    advance(whole[2], JOINS)
    resumed[2].load_state_dict(whole[2].state_dict())
    while whole[2].iteration < LENGTH:
        assert rates_of(resumed[2]) == rates_of(whole[2])
        for _, _, scheduler in (whole, resumed):
            advance(scheduler, scheduler.iteration + 1)


def train(run, steps):
    model, optimizer, scheduler = run
    for _ in range(steps):
        clips = torch.randn(5, 3, generator=torch.Generator().manual_seed(scheduler.iteration))
        optimizer.zero_grad(set_to_none=True)
        (model(clips) - 1).square().mean().backward()
        optimizer.step()
        scheduler.step()


def same(one, two):
    return all(torch.equal(one[key], two[key]) for key in one) and one.keys() == two.keys()


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_frozen_unit_is_not_moved_though_its_weights_would_decay(name):
    run = build(make_cfg("SOLVER.OPTIMIZER", name, "SOLVER.WEIGHT_DECAY", "0.5", "SOLVER.WEIGHT_DECAY_BIAS", "0.5"))
    run[0][0].requires_grad_(False)
    before = copy.deepcopy(run[0].state_dict())
    train(run, 3)
    after = run[0].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in ("0.weight", "0.bias"))
    assert not torch.equal(before["2.weight"], after["2.weight"])
    assert not any(parameter in run[1].state for parameter in run[0][0].parameters())


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_release_leaves_the_state_of_what_trains_already_and_begins_its_own(name):
    run = build(make_cfg("SOLVER.OPTIMIZER", name))
    model, optimizer, scheduler = run
    model[0].requires_grad_(False)
    train(run, 4)
    states = [copy.deepcopy(optimizer.state[parameter]) for parameter in model[2].parameters()]
    assert all(states)
    model[0].requires_grad_(True)
    scheduler.set_units({"stem": UnitRate(0.1, "schedule", 4)})
    assert all(
        same(optimizer.state[parameter], state) for parameter, state in zip(model[2].parameters(), states, strict=True)
    )
    before = model[0].weight.detach().clone()
    train(run, 1)
    assert not torch.equal(model[0].weight, before)
    if name != "sgd":
        assert optimizer.state[model[0].weight]["step"] == 1 and optimizer.state[model[2].weight]["step"] == 5


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_resumed_run_ends_bit_for_bit_where_the_uninterrupted_one_ends(name):
    cfg = make_cfg("SOLVER.OPTIMIZER", name, "SOLVER.SCHEDULER", "polynomial")
    whole, resumed = build(cfg), build(cfg)
    whole[0][0].requires_grad_(False)
    train(whole, 3)
    resumed[0].load_state_dict(whole[0].state_dict())
    load_optimizer_state(resumed[1], copy.deepcopy(whole[1].state_dict()))
    resumed[2].load_state_dict(whole[2].state_dict())
    for run in (whole, resumed):
        run[0][0].requires_grad_(True)
        train(run, 3)
    assert same(whole[0].state_dict(), resumed[0].state_dict())
