"""The factor at every iteration, against golden numbers, numbers worked by hand and torch's own schedulers."""

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler

from alphaction.solver.curves import (
    WarmUp,
    exponential,
    half_period_cosine,
    multi_step,
    one_cycle,
    one_cycle_rise,
    plateau,
    polynomial,
)

TABLES = json.loads((Path(__file__).parents[1] / "fixtures/golden/ops.json").read_text())["lr"]
BASE_RATES = (4e-4, 8e-3)


def golden(name):
    """Returns the arguments of a golden table, its warm-up, and pairs of iteration and expected rates."""
    args = TABLES[name]["args"]
    warm_up = WarmUp(args["warmup_iters"], args.get("warmup_factor", 1.0), args.get("warmup_method", "linear"))
    return args, warm_up, [(int(iteration), rates) for iteration, rates in TABLES[name]["values"].items()]


@pytest.mark.parametrize("name", ["warmup_multistep", "warmup_multistep_constant"])
def test_multi_step_equals_every_golden_rate(name):
    args, warm_up, expected = golden(name)
    curve = warm_up.times(partial(multi_step, milestones=args["milestones"], gamma=args["gamma"]))
    for iteration, rates in expected:
        assert [rate * curve(iteration) for rate in BASE_RATES] == pytest.approx(rates, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", ["half_period_cosine", "half_period_cosine_nowarmup"])
def test_cosine_equals_every_golden_rate_outside_the_warm_up(name):
    args, warm_up, expected = golden(name)
    curve = warm_up.into(partial(half_period_cosine, length=args["max_iters"]))
    for iteration, rates in expected:
        if iteration >= warm_up.iters:
            assert [rate * curve(iteration) for rate in BASE_RATES] == pytest.approx(rates, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("iteration", "factor"), [(0, 0.25), (1, 0.250375), (1000, 0.625), (2000, 1.0), (3000, 0.1), (5000, 0.01)]
)
def test_multi_step_gives_the_factors_worked_by_hand(iteration, factor):
    curve = WarmUp(2000, 0.25).times(partial(multi_step, milestones=(3000, 5000), gamma=0.1))
    assert curve(iteration) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    # The cosine is 0.75 at a third of the run, so the warm-up goes from 0.25 to 0.75.
    ("iteration", "factor"),
    [(0, 0.25), (1000, 0.5), (1999, 0.74975), (2000, 0.75), (3000, 0.5), (6000, 0.0), (7000, 0.0)],
)
def test_cosine_gives_the_factors_worked_by_hand(iteration, factor):
    curve = WarmUp(2000, 0.25).into(partial(half_period_cosine, length=6000))
    assert curve(iteration) == pytest.approx(factor, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    # Squares of what is left, above a floor of 0.1; the warm-up rises to 0.1 + 0.9 * 0.8 ** 2 = 0.676.
    ("iteration", "factor"),
    [(0, 0.5), (1, 0.588), (2, 0.676), (5, 0.325), (9, 0.109), (10, 0.1), (12, 0.1)],
)
def test_polynomial_gives_the_factors_worked_by_hand(iteration, factor):
    curve = WarmUp(2, 0.5).into(partial(polynomial, length=10, power=2.0, floor=0.1))
    assert curve(iteration) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("iteration", "factor"), [(0, 1 / 3), (5, 0.5 / 3 + 0.5 * math.sqrt(0.1)), (10, math.sqrt(0.1)), (20, 0.1)]
)
def test_exponential_gives_the_factors_worked_by_hand(iteration, factor):
    curve = WarmUp(10, 1 / 3).into(partial(exponential, gamma=0.1, decay_iters=20))
    assert curve(iteration) == pytest.approx(factor, rel=1e-12)


def test_plateau_falls_at_each_drop_and_not_below_its_floor():
    found = [plateau(iteration, drops=(3, 5, 8), factor=0.2, floor=0.01) for iteration in (2, 3, 5, 8)]
    assert found == pytest.approx([1.0, 0.2, 0.04, 0.01])


def test_a_warm_up_into_a_curve_does_not_jump_at_its_end():
    curve = WarmUp(2000, 0.25).into(partial(half_period_cosine, length=6000))
    assert max(abs(curve(i + 1) - curve(i)) for i in range(1900, 2100)) < 3e-4


def test_a_constant_warm_up_holds_its_factor_and_then_gives_way():
    curve = WarmUp(10, 0.2, "constant").into(partial(half_period_cosine, length=100))
    assert [curve(0), curve(9)] == [0.2, 0.2]
    assert curve(10) == 0.5 * (1 + math.cos(math.pi / 10))


def test_a_step_inside_the_warm_up_counts_too():
    assert WarmUp(10, 0.0).times(partial(multi_step, milestones=(4,), gamma=0.1))(5) == pytest.approx(0.05)


def rates_of_torch(make_scheduler, length, base=0.3):
    """Returns the rates in force at the iterations 0 .. length - 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(length):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("make_scheduler", "curve"),
    [
        (
            lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.3 * 0.01),
            partial(half_period_cosine, length=40, floor=0.01),
        ),
        (
            lambda optimizer: lr_scheduler.PolynomialLR(optimizer, total_iters=40, power=0.9),
            partial(polynomial, length=40, power=0.9),
        ),
        (
            lambda optimizer: lr_scheduler.ExponentialLR(optimizer, gamma=0.1 ** (1 / 15)),
            partial(exponential, gamma=0.1, decay_iters=15),
        ),
        (
            lambda optimizer: lr_scheduler.MultiStepLR(optimizer, milestones=[10, 25], gamma=0.2),
            partial(multi_step, milestones=(10, 25), gamma=0.2),
        ),
    ],
    ids=["cosine", "polynomial", "exponential", "multi_step"],
)
def test_a_curve_without_warm_up_is_that_of_torch(make_scheduler, curve):
    expected = rates_of_torch(make_scheduler, 40)
    assert [0.3 * curve(iteration) for iteration in range(40)] == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize(("length", "rise"), [(100, 0.3), (101, 0.05), (40, 0.5), (7, 0.9), (10, 0.05), (3, 0.25)])
def test_one_cycle_is_that_of_torch(length, rise):
    divisors = {"start_divisor": 25.0, "end_divisor": 1e4}
    expected = rates_of_torch(
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.3, total_steps=length, pct_start=rise, div_factor=25.0, final_div_factor=1e4
        ),
        length,
    )
    found = [0.3 * one_cycle(iteration, length=length, rise=rise, **divisors) for iteration in range(length)]
    assert found == pytest.approx(expected, rel=1e-9, abs=0)


def test_one_cycle_ends_at_its_last_value_and_is_defined_for_a_run_of_one_step():
    settings = {"rise": 0.25, "start_divisor": 10.0, "end_divisor": 10.0}
    assert one_cycle(9, length=8, **settings) == one_cycle(7, length=8, **settings) == pytest.approx(0.01)
    # With a rise of 2 x 0.5 - 1 = 0 iterations it begins at the top.
    assert one_cycle(0, length=2, rise=0.5, start_divisor=10.0, end_divisor=10.0) == 1.0
    assert one_cycle(0, length=1, **settings) == pytest.approx(0.01)


def test_the_rise_of_one_cycle_is_its_warm_up_and_then_one():
    settings = {"length": 40, "rise": 0.3, "start_divisor": 25.0}
    found = [one_cycle_rise(iteration, **settings) for iteration in range(20)]
    assert found[:12] == [one_cycle(iteration, end_divisor=7.0, **settings) for iteration in range(12)]
    assert found[0] == pytest.approx(1 / 25) and set(found[11:]) == {1.0}
