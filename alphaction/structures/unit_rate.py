"""How fast a unit learns."""

from dataclasses import dataclass
from typing import Literal

RateShape = Literal["schedule", "warmup", "constant"]


@dataclass(frozen=True, slots=True)
class UnitRate:
    """The learning rate of a unit over SOLVER.BASE_LR, as a factor and its course in time.

    Attributes:
        factor: on everything below.
        shape: ``schedule`` follows SOLVER.SCHEDULER; ``warmup`` its warm-up alone, then 1; ``constant`` is 1.
        start: iteration at which the schedule, warm-up included, begins for this unit.
    """

    factor: float = 1.0
    shape: RateShape = "schedule"
    start: int = 0
