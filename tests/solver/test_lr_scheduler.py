"""The rate of every group at every iteration."""

from functools import partial

import pytest
import torch
from solver_rates import rates_of

from alphaction.solver import FactorScheduler, Span
from alphaction.solver.curves import WarmUp, multi_step
from alphaction.structures.unit_rate import UnitRate
from alphaction.utils.plateau import Plateau

SPAN = Span(0, 100, 10)


def make_optimizer(*rates):
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates], lr=1.0)


def make_units(**rates):
    groups = [
        {"params": [torch.zeros(1, requires_grad=True)], "lr": rate, "unit": unit, "lr_factor": 1.0}
        for unit, rate in rates.items()
    ]
    return torch.optim.SGD(groups, lr=1.0)


def from_start(span):
    """A schedule that loses a hundredth an iteration since its start."""
    return lambda iteration: 1 - (iteration - span.start) / 100


def warm_up_from_start(span):
    return lambda iteration: min((iteration - span.start) / 10, 1.0)


def drops_by_half(span):
    return lambda iteration: 0.5 ** sum(span.start < drop <= iteration for drop in span.drops)


def plain(curve):
    return lambda span: curve


def test_rates_are_set_at_once_and_follow_each_step():
    optimizer = make_optimizer(1.0, 10.0)
    scheduler = FactorScheduler(optimizer, plain(lambda iteration: 1 / (iteration + 1)), SPAN)
    seen = [rates_of(scheduler)]
    for _ in range(2):
        optimizer.step()
        scheduler.step()
        seen.append(rates_of(scheduler))
    assert seen == [[1.0, 10.0], [0.5, 5.0], [pytest.approx(1 / 3), pytest.approx(10 / 3)]]


def test_the_rate_of_an_iteration_does_not_depend_on_how_it_was_reached():
    curve = WarmUp(20, 0.25).times(partial(multi_step, milestones=(30, 60), gamma=0.1))
    stepped, jumped = (FactorScheduler(make_optimizer(4e-4), plain(curve), SPAN) for _ in range(2))
    for _ in range(61):
        stepped.step()
    jumped.jump_to(61)
    assert rates_of(stepped) == rates_of(jumped)


def test_the_curves_are_made_once_and_not_at_every_step():
    made = []

    def make(span):
        made.append(span.start)
        return from_start(span)

    scheduler = FactorScheduler(make_units(stem=1.0, res2=1.0, head=1.0), make, SPAN)
    scheduler.set_units({"res2": UnitRate(start=5)})
    made.clear()
    for _ in range(10):
        scheduler.step()
    assert made == []


def test_a_group_added_later_follows_the_schedule():
    optimizer = make_optimizer(1.0)
    scheduler = FactorScheduler(optimizer, plain(lambda iteration: 0.5), SPAN)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 4.0})
    scheduler.step()
    assert rates_of(scheduler) == [0.5, 2.0]


def test_units_have_their_factor_shape_and_start_at_once():
    scheduler = FactorScheduler(
        make_units(stem=1.0, res2=1.0, res3=1.0, head=2.0), from_start, SPAN, make_warm_up=warm_up_from_start
    )
    scheduler.jump_to(50)
    scheduler.set_units(
        {
            "stem": UnitRate(factor=0.1),
            "res2": UnitRate(factor=0.5, start=40),
            "res3": UnitRate(factor=0.5, shape="warmup", start=45),
        }
    )
    assert rates_of(scheduler) == pytest.approx([0.05, 0.45, 0.25, 1.0])
    assert [scheduler.unit_rate(unit) for unit in ("stem", "res2", "res3", "head")] == pytest.approx(
        [0.05, 0.45, 0.25, 0.5]
    )
    scheduler.jump_to(60)
    assert rates_of(scheduler) == pytest.approx([0.04, 0.4, 0.5, 0.8])


def test_a_constant_unit_keeps_its_rate_and_one_not_named_again_follows_the_schedule():
    scheduler = FactorScheduler(make_units(stem=1.0, head=1.0), from_start, SPAN)
    scheduler.set_units({"stem": UnitRate(factor=0.3, shape="constant")})
    scheduler.jump_to(80)
    assert rates_of(scheduler) == pytest.approx([0.3, 0.2])
    scheduler.set_units({})
    assert rates_of(scheduler) == pytest.approx([0.2, 0.2])


def test_the_plain_rate_is_that_of_the_last_group_without_a_factor():
    optimizer = make_units(stem=1.0, head=1.0)
    optimizer.add_param_group(
        {"params": [torch.zeros(1, requires_grad=True)], "lr": 2.0, "unit": "head", "lr_factor": 2.0}
    )
    scheduler = FactorScheduler(optimizer, from_start, SPAN)
    scheduler.set_units({"stem": UnitRate(0.1), "head": UnitRate(0.5)})
    assert scheduler.plain_rate() == 0.5
    for group in optimizer.param_groups:
        group["lr_factor"] = 2.0
    assert scheduler.plain_rate() == 0.1


def test_a_metric_that_stands_still_lowers_the_rates_at_once_and_for_good():
    scheduler = FactorScheduler(make_units(head=1.0), drops_by_half, SPAN, plateau=Plateau(patience=2))
    assert scheduler.needs_metric
    scheduler.jump_to(20)
    for value in (0.5, 0.4):
        scheduler.report(value)
    assert rates_of(scheduler) == [1.0]
    scheduler.report(0.5)
    assert rates_of(scheduler) == [0.5]
    scheduler.jump_to(19)
    assert rates_of(scheduler) == [1.0]


def test_a_unit_that_starts_anew_forgets_the_drops_before():
    scheduler = FactorScheduler(make_units(stem=1.0, head=1.0), drops_by_half, SPAN, plateau=Plateau(patience=1))
    for iteration in (10, 20, 30):
        scheduler.jump_to(iteration)
        scheduler.report(0.5)
    scheduler.set_units({"stem": UnitRate(start=20)})
    assert rates_of(scheduler) == [0.5, 0.25]


def test_a_schedule_that_follows_no_metric_ignores_it():
    scheduler = FactorScheduler(make_units(head=1.0), drops_by_half, SPAN)
    for _ in range(5):
        scheduler.report(0.1)
    assert not scheduler.needs_metric and rates_of(scheduler) == [1.0]


def follows_metric(metric):
    optimizer = make_units(stem=1.0, head=1.0)
    return FactorScheduler(optimizer, drops_by_half, SPAN, plateau=Plateau(patience=2, metric=metric))


def with_a_history():
    scheduler = follows_metric("map max")
    for iteration, value in ((10, 0.5), (20, 0.4), (30, 0.3), (40, 0.2)):
        scheduler.jump_to(iteration)
        scheduler.report(value)
    scheduler.jump_to(45)
    return scheduler


def test_a_resumed_schedule_goes_on_exactly(tmp_path):
    whole = with_a_history()
    torch.save(whole.state_dict(), tmp_path / "state.pth")
    resumed = follows_metric("map max")
    for scheduler in (whole, resumed):
        scheduler.set_units({"stem": UnitRate(0.5, "schedule", 12)})
    resumed.load_state_dict(torch.load(tmp_path / "state.pth", weights_only=True))
    assert rates_of(resumed) == rates_of(whole) == [0.25, 0.5]
    for scheduler in (whole, resumed):
        scheduler.jump_to(50)
        scheduler.report(0.1)  # the second bad one since the drop
    assert rates_of(resumed) == rates_of(whole) == [0.125, 0.25]
    assert resumed.state_dict() == whole.state_dict()


def test_another_metric_keeps_the_rates_and_begins_to_count_anew():
    other = follows_metric("loss min")
    other.set_units({"stem": UnitRate(0.5, "schedule", 12)})
    other.load_state_dict(with_a_history().state_dict())
    assert rates_of(other) == [0.25, 0.5]
    for value in (0.1, 0.1):
        other.report(value)
    assert rates_of(other) == [0.25, 0.5]


def test_the_iteration_alone_is_a_state_of_an_older_run():
    new = FactorScheduler(make_optimizer(0.2), plain(partial(multi_step, milestones=(20,), gamma=0.1)), SPAN)
    new.load_state_dict({"iteration": 15})
    assert rates_of(new) == [0.2]
    for _ in range(5):
        new.step()
    assert rates_of(new) == pytest.approx([0.02])


def test_a_span_has_at_least_one_iteration():
    assert [Span(0, 30).length, Span(10, 30).length, Span(30, 30).length] == [30, 20, 1]
