"""The strategy of Lightning's and zamba's backbone fine-tuning."""

from typing import Any

from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.strategies.base import STRATEGIES, Strategy, keep_order
from alphaction.utils.errors import ConfigError


class RateRule:
    """The backbone's rate, over SOLVER.BASE_LR, from one epoch to the next.

    It begins at ``ratio`` times the head's rate of that moment, or at ``initial``; every epoch multiplies it; where it
    is aligned, the head's rate of the moment is the most it can be.

    Args:
        ratio: over the head's rate.
        initial: first rate in place of ``ratio``, 0 for none.
        multiplier: of every epoch.
        should_align: keep it at or below the head's rate.
    """

    def __init__(self, *, ratio: float, initial: float, multiplier: float, should_align: bool) -> None:
        self.begins = [ratio, initial]
        self._multiplier, self._should_align = multiplier, should_align
        self.rate: float | None = None

    def next(self, head_rate: float) -> float:
        """Returns the rate of the epoch that begins."""
        if self.rate is None:
            ratio, initial = self.begins
            self.rate = initial or ratio * head_rate
        else:
            grown = self._multiplier * self.rate
            self.rate = min(grown, head_rate) if self._should_align else grown
        return self.rate


@STRATEGIES.register("backbone_at_epoch")
class BackboneAtEpoch(Strategy):
    """The head alone, and from one epoch on the backbone, or the end of it, at a rate of its own.

    Args:
        layout: the model.
        units: what is released.
        epoch: at whose start; a run that begins later releases at once.
        rule: of the backbone's rate, None to follow the schedule.
        ratio: of the backbone's rate where it follows the schedule.
    """

    def __init__(
        self,
        layout: ModelLayout,
        units: tuple[str, ...],
        *,
        epoch: int,
        rule: RateRule | None,
        ratio: float,
    ) -> None:
        self._heads, self._units = layout.heads, units
        self._all = keep_order(layout, *units, *layout.heads)
        self._epoch, self._rule, self._ratio = epoch, rule, ratio

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "BackboneAtEpoch":
        keys = cfg.FINETUNE.BACKBONE_AT_EPOCH
        named = layout.resolve(keys.UNITS, "FINETUNE.BACKBONE_AT_EPOCH.UNITS")
        if not set(named) - set(layout.heads):
            raise ConfigError(
                f"FINETUNE.BACKBONE_AT_EPOCH.UNITS is {tuple(keys.UNITS)}, so nothing would be released; name units or "
                f"layers of the backbone: {', '.join(layout.backbone)}."
            )
        rule = RateRule(
            ratio=keys.INITIAL_RATIO_LR,
            initial=keys.INITIAL_LR / cfg.SOLVER.BASE_LR if keys.INITIAL_LR else 0.0,
            multiplier=keys.MULTIPLIER,
            should_align=keys.SHOULD_ALIGN,
        )
        return cls(
            layout,
            tuple(name for name in named if name not in layout.heads),
            epoch=keys.EPOCH,
            rule=rule if keys.LR == "rule" else None,
            ratio=keys.INITIAL_RATIO_LR,
        )

    def due_by(self) -> int:
        return self._epoch

    def plan(self, clock: Clock) -> FreezePlan:
        if clock.epoch < self._epoch:
            if self._rule is not None:
                self._rule.rate = None  # of a run in which the release was put off
            return FreezePlan(self._heads)
        if self._rule is None:
            return FreezePlan(self._all, dict.fromkeys(self._units, self._ratio))
        rate = self._rule.next(clock.head_rate)
        return FreezePlan(self._all, dict.fromkeys(self._units, rate), shapes=dict.fromkeys(self._units, "constant"))

    def state_dict(self) -> dict[str, Any]:
        return {} if self._rule is None else {"rate": self._rule.rate, "begins": self._rule.begins}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._rule is not None and state.get("begins") == self._rule.begins:
            self._rule.rate = state["rate"]
