"""What a strategy is asked and what it answers: data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alphaction.structures.unit_rate import RateShape


@dataclass(frozen=True, slots=True)
class Clock:
    """The start of an epoch, as a strategy sees it.

    Attributes:
        epoch: counted from 0, in epochs of fine-tuning (FINETUNE.EPOCH_ITERS).
        metric: the monitored metric at the end of the epoch before; NaN if that evaluation gave no number, None if
            there was none.
        head_rate: the head's learning rate at this moment, over SOLVER.BASE_LR.
    """

    epoch: int
    metric: float | None = None
    head_rate: float = 1.0


@dataclass(frozen=True, slots=True)
class FreezePlan:
    """What trains from now on, and how fast.

    Attributes:
        trained: names of the units that train; all others are frozen.
        factors: on the rates that FINETUNE's keys give the units; a unit that is not named has 1.
        shapes: units whose rate does not follow the schedule; see :class:`UnitRate`.
        restarts: the schedule begins anew now for everything that trains.
        notes: sentences for the log.
    """

    trained: tuple[str, ...]
    factors: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[str, RateShape] = field(default_factory=dict)
    restarts: bool = False
    notes: tuple[str, ...] = ()
