"""Strategies of a few phases, one after the other."""

import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.rates import unit_factors
from alphaction.finetune.strategies.base import STRATEGIES, Strategy, keep_order
from alphaction.finetune.strategies.gradual import GradualRelease
from alphaction.utils.errors import ConfigError
from alphaction.utils.plateau import Plateau

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Phase:
    """Epochs in which the same units train.

    Attributes:
        epochs: its length; 0 lasts to the end.
        trained: units.
        factors: on the rates of units.
        restarts: the schedule begins anew with it.
    """

    epochs: int
    trained: tuple[str, ...]
    factors: Mapping[str, float] = field(default_factory=dict)
    restarts: bool = False


@STRATEGIES.register("phases")
class Phases(Strategy):
    """What FINETUNE.PHASES lists."""

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = tuple(phases)
        self._starts = [0, *accumulate(phase.epochs for phase in phases[:-1])]
        self._current = -1

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "Phases":
        return cls([_read_phase(entry, index, layout) for index, entry in enumerate(cfg.FINETUNE.PHASES)])

    @classmethod
    def num_epochs(cls, cfg: Any) -> int:
        lengths = [entry["epochs"] for entry in cfg.FINETUNE.PHASES]
        return sum(lengths) if lengths and lengths[-1] else 0

    def due_by(self) -> int:
        return self._starts[-1]

    def plan(self, clock: Clock) -> FreezePlan:
        index = bisect_right(self._starts, clock.epoch) - 1
        phase, is_new = self._phases[index], index != self._current
        self._current = index
        note = (f"Phase {index + 1} of {len(self._phases)}",) if is_new else ()
        return FreezePlan(phase.trained, phase.factors, restarts=is_new and index > 0 and phase.restarts, notes=note)

    def state_dict(self) -> dict[str, Any]:
        return {"phase": self._current}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._current = int(state["phase"])


@STRATEGIES.register("fixed")
class Fixed(Strategy):
    """Phase 1 trains the head; phase 2 the last layers too, with another pair of rates and a schedule of its own.

    Args:
        heads: units.
        phase1_epochs: length of phase 1.
        phase2: units that train in phase 2.
        phase2_factors: on their rates.
        plateau: when the rate falls in phase 1, None for never.
        plateau_factor: by which it falls.
    """

    def __init__(
        self,
        heads: tuple[str, ...],
        *,
        phase1_epochs: int,
        phase2: tuple[str, ...],
        phase2_factors: Mapping[str, float],
        plateau: Plateau | None,
        plateau_factor: float,
    ) -> None:
        self._heads, self._phase1_epochs = heads, phase1_epochs
        self._phase2, self._phase2_factors = phase2, dict(phase2_factors)
        self._plateau, self._plateau_factor = plateau, plateau_factor
        self._drops = 0
        self._is_phase2 = False

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "Fixed":
        finetune, keys = cfg.FINETUNE, cfg.FINETUNE.FIXED
        release = GradualRelease(layout, finetune, by_block=False)
        trained = release.trained(keys.UNFREEZE_BLOCKS)
        head = keys.PHASE2_BACKBONE_LR_SCALE_FACTOR * keys.PHASE2_HEAD_LR_RATIO * finetune.BACKBONE_LR_FACTOR
        factors = {
            name: head / finetune.HEAD_LR_FACTOR if name in layout.heads else keys.PHASE2_BACKBONE_LR_SCALE_FACTOR
            for name in trained
        }
        _warn_of_phase2(cfg, len(release.parts), head / finetune.HEAD_LR_FACTOR)
        plateau = Plateau(
            patience=keys.PHASE1_PLATEAU_PATIENCE + 1,
            smaller_is_better=cfg.SOLVER.MONITOR_MODE == "min",
            metric=cfg.SOLVER.MONITOR,
        )
        return cls(
            layout.heads,
            phase1_epochs=keys.PHASE1_EPOCHS,
            phase2=trained,
            phase2_factors=factors,
            plateau=plateau if cls.needs_metric(cfg) else None,
            plateau_factor=keys.PHASE1_PLATEAU_FACTOR,
        )

    @classmethod
    def num_epochs(cls, cfg: Any) -> int:
        keys = cfg.FINETUNE.FIXED
        return keys.PHASE1_EPOCHS + keys.PHASE2_EPOCHS if keys.PHASE2_EPOCHS else 0

    @classmethod
    def needs_metric(cls, cfg: Any) -> bool:
        return bool(cfg.FINETUNE.FIXED.PHASE1_PLATEAU_PATIENCE >= 0)

    def due_by(self) -> int:
        return self._phase1_epochs

    def plan(self, clock: Clock) -> FreezePlan:
        if clock.epoch >= self._phase1_epochs:
            is_new, self._is_phase2 = not self._is_phase2, True
            return FreezePlan(
                self._phase2, self._phase2_factors, restarts=is_new, notes=("Phase 2 of 2",) if is_new else ()
            )
        self._is_phase2 = False
        if self._plateau and clock.metric is not None and self._plateau.is_reached(clock.metric):
            self._drops += 1
        factor = self._plateau_factor**self._drops
        return FreezePlan(self._heads, dict.fromkeys(self._heads, factor), shapes=dict.fromkeys(self._heads, "warmup"))

    def state_dict(self) -> dict[str, Any]:
        plateau = self._plateau.state_dict() if self._plateau else {}
        return {"is_phase2": self._is_phase2, "drops": self._drops, "plateau": plateau}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._is_phase2, self._drops = bool(state["is_phase2"]), int(state["drops"])
        if self._plateau and state["plateau"]:
            self._plateau.load_state_dict(state["plateau"])


def _warn_of_phase2(cfg: Any, num_parts: int, head_factor: float) -> None:
    """Warns of a head that learns faster in phase 2 than before, and of more layers than there are."""
    if head_factor > 1:
        logger.warning(
            "FINETUNE.STRATEGY fixed: the head's rate in phase 2 is %g times that of phase 1, because it is "
            "PHASE2_HEAD_LR_RATIO times the backbone's. The usual FINETUNE.BACKBONE_LR_FACTOR with it is 0.1.",
            head_factor,
        )
    if cfg.FINETUNE.FIXED.UNFREEZE_BLOCKS > num_parts:
        logger.warning(
            "FINETUNE.FIXED.UNFREEZE_BLOCKS is %d, and the backbone has %d layers: all of them train in phase 2.",
            *(cfg.FINETUNE.FIXED.UNFREEZE_BLOCKS, num_parts),
        )


def _read_phase(entry: Any, index: int, layout: ModelLayout) -> Phase:
    where = f"FINETUNE.PHASES[{index}]"
    trained = layout.resolve(entry["train"], f"{where}.train")
    if not trained:
        raise ConfigError(f'{where}.train is empty, so nothing would train; ["head"] trains the head.')
    pairs = entry.get("unit_lr_factors", [])
    for name, _ in pairs:
        if not set(layout.resolve([name], f"{where}.unit_lr_factors")) & set(trained):
            raise ConfigError(
                f'{where}.unit_lr_factors names "{name}", which this phase does not train; it trains: '
                f"{', '.join(layout.shortest(trained))}."
            )
    factors = unit_factors(layout, pairs, f"{where}.unit_lr_factors")
    common = entry.get("lr_factor", 1.0)
    return Phase(
        epochs=entry["epochs"],
        trained=keep_order(layout, *trained),
        factors={name: common * factors[name] for name in trained},
        restarts=entry.get("restart", False),
    )
