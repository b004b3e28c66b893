"""Optimizer and schedule in words."""

from collections.abc import Callable
from typing import Any

from alphaction.utils.words import counted


def describe_solver(solver: Any, max_iter: int) -> str:
    """Returns a sentence on the length of the run, its rates and the rule of its steps.

    Args:
        solver: the SOLVER node.
        max_iter: length of the run in iterations.
    """
    has_warm_up = solver.WARMUP_ON and solver.WARMUP_ITERS and solver.SCHEDULER != "one_cycle"
    warm_up = f", {solver.WARMUP_ITERS} of them {solver.WARMUP_METHOD} warm-up" if has_warm_up else ""
    describe = _DETAILS.get(solver.SCHEDULER)
    detail = f", {describe(solver)}" if describe else ""
    return (
        f"{max_iter} iterations of {solver.VIDEOS_PER_BATCH} clips{warm_up}; learning rate {solver.BASE_LR:g} "
        f"({solver.SCHEDULER}{detail}); {solver.OPTIMIZER}."
    )


def _multi_step(solver: Any) -> str:
    steps = f"epochs {tuple(solver.STEP_EPOCHS)}" if solver.STEP_EPOCHS else f"{tuple(solver.STEPS)}"
    return f"x {solver.GAMMA:g} at {steps}"


def _down_to(solver: Any) -> str:
    return f"down to {solver.MIN_LR_FACTOR:g} of it"


def _polynomial(solver: Any) -> str:
    return f"power {solver.POLYNOMIAL_POWER:g}, {_down_to(solver)}"


def _exponential(solver: Any) -> str:
    every = f"{solver.DECAY_ITERS} iterations" if solver.DECAY_ITERS else "epoch"
    return f"x {solver.GAMMA:g} in every {every}"


def _plateau(solver: Any) -> str:
    metric = solver.MONITOR or "the main metric"
    return (
        f"x {solver.PLATEAU_FACTOR:g} when {metric} has not become better in "
        f"{counted(solver.PLATEAU_PATIENCE + 1, 'evaluation')}, {_down_to(solver)}"
    )


def _one_cycle(solver: Any) -> str:
    first = 1 / solver.ONE_CYCLE_START_DIVISOR
    return (
        f"from {first:g} of it up in the first {solver.ONE_CYCLE_RISE:.0%} of the run, then down to "
        f"{first / solver.ONE_CYCLE_END_DIVISOR:g}"
    )


_DETAILS: dict[str, Callable[[Any], str]] = {
    "warmup_multi_step": _multi_step,
    "half_period_cosine": _down_to,
    "polynomial": _polynomial,
    "exponential": _exponential,
    "plateau": _plateau,
    "one_cycle": _one_cycle,
}
