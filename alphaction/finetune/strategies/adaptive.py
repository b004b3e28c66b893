"""The strategy that waits until learning stands still."""

from typing import Any

from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.strategies.base import STRATEGIES, Strategy
from alphaction.finetune.strategies.gradual import GradualRelease
from alphaction.utils.plateau import Plateau
from alphaction.utils.words import counted


@STRATEGIES.register("adaptive")
class Adaptive(Strategy):
    """The head, and one layer more whenever the monitored metric has stood still, from the last layer on.

    Args:
        release: the order.
        plateau: what counts as standing still.
        first_epoch: whose metric is the first to be looked at.
    """

    def __init__(self, release: GradualRelease, plateau: Plateau, *, first_epoch: int) -> None:
        self._release, self._plateau, self._first_epoch = release, plateau, first_epoch
        self._num_released = 0

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "Adaptive":
        keys = cfg.FINETUNE.ADAPTIVE
        is_min = cfg.SOLVER.MONITOR_MODE == "min"
        plateau = Plateau(
            patience=keys.PATIENCE,
            min_improvement=keys.MIN_IMPROVEMENT,
            smaller_is_better=is_min,
            first_best=None if is_min else 0.0,
            metric=cfg.SOLVER.MONITOR,
        )
        release = GradualRelease(layout, cfg.FINETUNE, by_block=False, max_units=keys.MAX_UNITS)
        return cls(release, plateau, first_epoch=keys.FIRST_EPOCH)

    @classmethod
    def needs_metric(cls, cfg: Any) -> bool:
        return True

    def due_by(self) -> int:
        return self._first_epoch + self._plateau.patience

    def plan(self, clock: Clock) -> FreezePlan:
        if clock.epoch <= self._first_epoch or clock.metric is None:
            return FreezePlan(self._release.trained(self._num_released))
        is_reached = self._plateau.is_reached(clock.metric)
        if is_reached and self._num_released < len(self._release.parts):
            self._num_released += 1
        count = self._plateau.patience if is_reached else self._plateau.count
        note = f"Metric {clock.metric:.4f}, best {self._plateau.best:.4f}, {counted(count, 'epoch')} without a gain"
        return FreezePlan(self._release.trained(self._num_released), notes=(note,))

    def state_dict(self) -> dict[str, Any]:
        return {"num_released": self._num_released, **self._plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._num_released = int(state["num_released"])
        self._plateau.load_state_dict(state)
