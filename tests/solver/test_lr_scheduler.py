"""The rate of every iteration."""

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch

from alphaction.solver.lr_scheduler import FactorScheduler, half_period_cosine, warmup_multi_step

TABLES = json.loads((Path(__file__).parents[1] / "fixtures/golden/ops.json").read_text())["lr"]
BASE_RATES = (4e-4, 8e-3)


def make_optimizer(*rates):
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates], lr=1.0)


@pytest.mark.parametrize("name", ["warmup_multistep", "warmup_multistep_constant"])
def test_multi_step_equals_every_golden_rate(name):
    scheduler = FactorScheduler(make_optimizer(*BASE_RATES), partial(warmup_multi_step, **TABLES[name]["args"]))
    for iteration, expected in TABLES[name]["values"].items():
        scheduler.jump_to(int(iteration))
        assert scheduler.rates() == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", ["half_period_cosine", "half_period_cosine_nowarmup"])
def test_cosine_equals_every_golden_rate_outside_the_warm_up(name):
    arguments = TABLES[name]["args"]
    scheduler = FactorScheduler(make_optimizer(*BASE_RATES), partial(half_period_cosine, **arguments))
    for iteration, expected in TABLES[name]["values"].items():
        if int(iteration) >= arguments["warmup_iters"]:
            scheduler.jump_to(int(iteration))
            assert scheduler.rates() == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("iteration", "factor"), [(0, 0.25), (1, 0.250375), (1000, 0.625), (2000, 1.0), (3000, 0.1), (5000, 0.01)]
)
def test_multi_step_gives_the_factors_worked_by_hand(iteration, factor):
    found = warmup_multi_step(iteration, milestones=(3000, 5000), gamma=0.1, warmup_iters=2000, warmup_factor=0.25)
    assert found == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    # The cosine is 0.75 at a third of the run, so the warm-up goes from 0.25 to 0.75.
    ("iteration", "factor"),
    [(0, 0.25), (1000, 0.5), (1999, 0.74975), (2000, 0.75), (3000, 0.5), (6000, 0.0), (7000, 0.0)],
)
def test_cosine_gives_the_factors_worked_by_hand(iteration, factor):
    found = half_period_cosine(iteration, max_iters=6000, warmup_iters=2000, warmup_factor=0.25)
    assert found == pytest.approx(factor, rel=1e-12, abs=1e-15)


def test_cosine_does_not_jump_at_the_end_of_the_warm_up():
    curve = partial(half_period_cosine, max_iters=6000, warmup_iters=2000, warmup_factor=0.25)
    steps = [abs(curve(i + 1) - curve(i)) for i in range(1900, 2100)]
    assert max(steps) < 3e-4


def test_a_constant_warm_up_holds_its_factor_and_then_gives_way():
    curve = partial(half_period_cosine, max_iters=100, warmup_iters=10, warmup_factor=0.2, warmup_method="constant")
    assert [curve(0), curve(9)] == [0.2, 0.2]
    assert curve(10) == 0.5 * (1 + math.cos(math.pi / 10))


def test_a_step_inside_the_warm_up_counts_too():
    found = warmup_multi_step(5, milestones=(4,), gamma=0.1, warmup_iters=10, warmup_factor=0.0)
    assert found == pytest.approx(0.05)


def test_rates_are_set_at_once_and_follow_each_step():
    optimizer = make_optimizer(1.0, 10.0)
    scheduler = FactorScheduler(optimizer, lambda iteration: 1 / (iteration + 1))
    seen = [scheduler.rates()]
    for _ in range(2):
        optimizer.step()
        scheduler.step()
        seen.append(scheduler.rates())
    assert seen == [[1.0, 10.0], [0.5, 5.0], [pytest.approx(1 / 3), pytest.approx(10 / 3)]]


def test_the_rate_of_an_iteration_does_not_depend_on_how_it_was_reached():
    curve = partial(warmup_multi_step, milestones=(30, 60), gamma=0.1, warmup_iters=20, warmup_factor=0.25)
    stepped, jumped = (FactorScheduler(make_optimizer(4e-4), curve) for _ in range(2))
    for _ in range(61):
        stepped.step()
    jumped.jump_to(61)
    assert stepped.rates() == jumped.rates()


def test_the_state_is_the_iteration_alone():
    scheduler = FactorScheduler(make_optimizer(1.0), lambda iteration: 1.0)
    scheduler.jump_to(7)
    assert scheduler.state_dict() == {"iteration": 7}


def test_loading_a_state_jumps_the_new_schedule_to_the_saved_iteration():
    old = FactorScheduler(make_optimizer(1.0), partial(warmup_multi_step, milestones=(10,), gamma=0.1))
    old.jump_to(15)
    new = FactorScheduler(make_optimizer(0.2), partial(warmup_multi_step, milestones=(20,), gamma=0.1))
    new.load_state_dict(old.state_dict())
    assert new.rates() == [0.2]
    for _ in range(5):
        new.step()
    assert new.rates() == pytest.approx([0.02])


def test_a_group_added_later_follows_the_schedule():
    optimizer = make_optimizer(1.0)
    scheduler = FactorScheduler(optimizer, lambda iteration: 0.5)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 4.0})
    scheduler.step()
    assert scheduler.rates() == [0.5, 2.0]
