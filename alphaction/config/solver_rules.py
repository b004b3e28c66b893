"""Rules of the SOLVER keys: what steps, rates and schedule are made of."""

import math
from collections.abc import Iterator
from typing import Any

# Keys by what their values must be.
_ABOVE_0 = ("EPSILON", "GAMMA", "POLYNOMIAL_POWER")
_FROM_0 = (
    "BIAS_LR_FACTOR",
    "IA_LR_FACTOR",
    "WEIGHT_DECAY",
    "WEIGHT_DECAY_BIAS",
    "WEIGHT_DECAY_BN",
    "WARMUP_FACTOR",
    "DECAY_ITERS",
    "PLATEAU_PATIENCE",
    "PLATEAU_MIN_DELTA",
    "EARLY_STOP_PATIENCE",
    "EARLY_STOP_MIN_DELTA",
)
_FROM_1 = ("ONE_CYCLE_START_DIVISOR", "ONE_CYCLE_END_DIVISOR")
_FROM_0_TO_1 = ("MIN_LR_FACTOR",)
_FROM_0_BELOW_1 = ("MOMENTUM", "EMA_DECAY")
_BETWEEN_0_AND_1 = ("ONE_CYCLE_RISE", "PLATEAU_FACTOR")
_RULES = (
    (_ABOVE_0, lambda value: 0 < value < math.inf, "be above 0, and a number"),
    (_FROM_0, lambda value: 0 <= value < math.inf, "not be negative, and a number"),
    (_FROM_1, lambda value: 1 <= value < math.inf, "be at least 1, and a number"),
    (_FROM_0_TO_1, lambda value: 0 <= value <= 1, "lie between 0 and 1"),
    (_FROM_0_BELOW_1, lambda value: 0 <= value < 1, "lie from 0 to below 1"),
    (_BETWEEN_0_AND_1, lambda value: 0 < value < 1, "lie above 0 and below 1"),
)


def solver_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yields a line for each SOLVER value out of its range."""
    for names, is_allowed, rule in _RULES:
        for name in names:
            value = values[f"SOLVER.{name}"]
            if not is_allowed(value):
                yield f"SOLVER.{name} is {value}; it must {rule}."
    betas = values["SOLVER.BETAS"]
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        yield f"SOLVER.BETAS is {tuple(betas)}; it takes two numbers from 0 to below 1, such as (0.9, 0.999)."


def schedule_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yields a line for each rule that STEPS and STEP_EPOCHS break, for the schedule that reads them."""
    steps, length = list(values["SOLVER.STEPS"]), values["SOLVER.MAX_ITER"]
    if values["SOLVER.SCHEDULER"] != "warmup_multi_step":
        return
    for key in ("SOLVER.STEPS", "SOLVER.STEP_EPOCHS"):
        given = list(values[key])
        if not all(type(step) is int for step in given):
            yield f"{key} {tuple(given)} must be whole numbers."
        elif given != sorted(set(given)) or (given and given[0] < 1):
            yield f"{key} {tuple(given)} must rise and begin above 0."
    if values["SOLVER.STEP_EPOCHS"]:
        return
    # Where the data or a strategy say how long the run is, the steps are looked at when that is known.
    is_length_known = not values["SOLVER.MAX_EPOCHS"] and values["FINETUNE.STRATEGY"] == "none"
    if steps and steps[-1] >= length and is_length_known:
        yield (
            f"SOLVER.STEPS {tuple(steps)} must lie below SOLVER.MAX_ITER {length}: "
            "a later step would never happen. Lower STEPS or raise MAX_ITER; STEPS () takes none."
        )
