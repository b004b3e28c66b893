"""The registered schedules (SOLVER.SCHEDULER), built from the config."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from alphaction.solver.curves import (
    Curve,
    WarmUp,
    exponential,
    half_period_cosine,
    multi_step,
    one_cycle,
    one_cycle_rise,
    plateau,
    polynomial,
)
from alphaction.utils.errors import ConfigError
from alphaction.utils.registry import Registry


@dataclass(frozen=True, slots=True)
class Span:
    """What a schedule stretches over.

    Attributes:
        start: iteration of the run at which it begins, warm-up included.
        max_iter: iteration at which the run ends.
        epoch_length: iterations of an epoch; 0 where nobody knows.
        drops: iterations, rising, at which an evaluation asked for a lower rate.
        planned_end: what ``max_iter`` was when the schedule began; a run may have grown since then.
    """

    start: int
    max_iter: int
    epoch_length: int = 0
    drops: tuple[int, ...] = ()
    planned_end: int = 0

    @property
    def length(self) -> int:
        return max(self.max_iter - self.start, 1)


LrFactor = Callable[[int], float]
MakeFactor = Callable[[Span], LrFactor]

# Each builder takes (SOLVER node, span) and returns the factor on the rate at an iteration of the run: a pure function
# of it, so that the run may begin, resume or jump anywhere.
SCHEDULERS: Registry[Callable[[Any, Span], LrFactor]] = Registry("schedule (SOLVER.SCHEDULER)")
# Schedules that follow the metrics of evaluations.
METRIC_SCHEDULES = frozenset({"plateau"})


def build_warm_up(solver: Any, span: Span) -> LrFactor:
    """Returns the warm-up of the schedule alone, and 1 after it."""
    if solver.SCHEDULER == "one_cycle":
        rise, divisor = solver.ONE_CYCLE_RISE, solver.ONE_CYCLE_START_DIVISOR
        return _since(span, partial(one_cycle_rise, length=span.length, rise=rise, start_divisor=divisor))
    return _since(span, _warm_up(solver, span))


@SCHEDULERS.register("warmup_multi_step")
def _build_warmup_multi_step(solver: Any, span: Span) -> LrFactor:
    steps = solver.STEPS
    if solver.STEP_EPOCHS:
        length = _epoch_length(span, "SOLVER.STEP_EPOCHS are epochs, which have", "SOLVER.STEPS")
        steps = [epoch * length for epoch in solver.STEP_EPOCHS]
    milestones = tuple(step - span.start for step in steps if step > span.start)
    return _since(span, _warm_up(solver, span).times(partial(multi_step, milestones=milestones, gamma=solver.GAMMA)))


@SCHEDULERS.register("half_period_cosine")
def _build_half_period_cosine(solver: Any, span: Span) -> LrFactor:
    curve = partial(half_period_cosine, length=span.length, floor=solver.MIN_LR_FACTOR)
    return _since(span, _warm_up(solver, span).into(curve))


@SCHEDULERS.register("polynomial")
def _build_polynomial(solver: Any, span: Span) -> LrFactor:
    curve = partial(polynomial, length=span.length, power=solver.POLYNOMIAL_POWER, floor=solver.MIN_LR_FACTOR)
    return _since(span, _warm_up(solver, span).into(curve))


@SCHEDULERS.register("exponential")
def _build_exponential(solver: Any, span: Span) -> LrFactor:
    decay_iters = solver.DECAY_ITERS or _epoch_length(span, "SOLVER.DECAY_ITERS 0 is one epoch, which has", "it")
    return _since(span, _warm_up(solver, span).into(partial(exponential, gamma=solver.GAMMA, decay_iters=decay_iters)))


@SCHEDULERS.register("plateau")
def _build_plateau(solver: Any, span: Span) -> LrFactor:
    drops = tuple(drop - span.start for drop in span.drops if drop > span.start)
    curve = partial(plateau, drops=drops, factor=solver.PLATEAU_FACTOR, floor=solver.MIN_LR_FACTOR)
    return _since(span, _warm_up(solver, span).times(curve))


@SCHEDULERS.register("one_cycle")
def _build_one_cycle(solver: Any, span: Span) -> LrFactor:
    curve = partial(
        one_cycle,
        length=span.length,
        rise=solver.ONE_CYCLE_RISE,
        start_divisor=solver.ONE_CYCLE_START_DIVISOR,
        end_divisor=solver.ONE_CYCLE_END_DIVISOR,
    )
    return _since(span, curve)


def _epoch_length(span: Span, what: str, instead: str) -> int:
    if span.epoch_length < 1:
        raise ConfigError(f"{what} no length here: give {instead} in iterations.")
    return span.epoch_length


def _since(span: Span, curve: Curve) -> LrFactor:
    """Returns the curve over the run's iterations; before its start it has the value it starts with."""
    return lambda iteration: curve(max(iteration - span.start, 0))


def _warm_up(solver: Any, span: Span) -> WarmUp:
    """Returns the warm-up, in a schedule that begins anew not longer than half of what is left then."""
    iters = solver.WARMUP_ITERS if solver.WARMUP_ON else 0
    if span.start > 0:
        iters = min(iters, max((span.planned_end or span.max_iter) - span.start, 1) // 2)
    return WarmUp(iters, solver.WARMUP_FACTOR, solver.WARMUP_METHOD)
