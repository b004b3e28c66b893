"""Fine-tuning of one model: the strategy's plans, carried out and remembered."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from alphaction.finetune.apply import NormPolicy, num_stored_norms, set_modes, set_trainable
from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.rates import base_factors
from alphaction.finetune.strategies.base import STRATEGIES, Strategy
from alphaction.structures.unit import Unit
from alphaction.structures.unit_rate import UnitRate

logger = logging.getLogger(__name__)

T = TypeVar("T")
Restart = Literal["none", "released", "all"]


@dataclass(frozen=True, slots=True)
class Event:
    """What the start of an epoch brought.

    Attributes:
        trained: units that train from now on.
        released: those of them that were frozen before.
        frozen: units that trained before.
        notes: of the strategy.
    """

    trained: tuple[str, ...]
    released: tuple[str, ...]
    frozen: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_change(self) -> bool:
        return bool(self.released or self.frozen)


class FineTuning:
    """Asks the strategy at the start of each epoch and carries its plan out on the model.

    Args:
        name: of the strategy.
        strategy: what to do when.
        layout: the model.
        factors: of the units' rates over SOLVER.BASE_LR, before the strategy changes them.
        norms: how batch norms behave.
        restart: whose schedule begins anew when units are released; see FINETUNE.RESTART_SCHEDULE.
        unloaded: units with weights that are random, for a warning if they begin frozen.

    Attributes:
        goes_on: the plan in force is that of a checkpoint with the same settings.
    """

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        layout: ModelLayout,
        *,
        factors: dict[str, float],
        norms: NormPolicy,
        restart: Restart,
        unloaded: Collection[str] = (),
    ) -> None:
        self.name, self.strategy, self.layout = name, strategy, layout
        self._factors, self._norms, self._restart = factors, norms, restart
        self._unloaded = tuple(unloaded)
        self._starts: dict[str, int] = {}
        self._unused = [p for unit in layout.units for p in unit.parameters() if not p.requires_grad]
        self._plan = FreezePlan(())
        self.goes_on = False

    @property
    def trained(self) -> tuple[str, ...]:
        """Units that train; none before the first epoch has begun."""
        return self._plan.trained

    def rates(self) -> dict[str, UnitRate]:
        """Returns the rate of every unit; of a frozen one it is that of the batch norms that may train in it."""
        return {name: self._rate(name) for name in self.layout.names}

    def begin_epoch(self, clock: Clock, iteration: int) -> Event:
        """Returns what changes at the start of an epoch; gradients change with it, modes when ``set_modes`` is called.

        Args:
            clock: of the epoch.
            iteration: of the run, at which it begins.
        """
        plan = self.strategy.plan(clock)
        before, self._plan = self.trained, plan
        released = tuple(name for name in plan.trained if name not in before) if before else ()
        frozen = tuple(name for name in before if name not in plan.trained)
        if not before:
            self._warn_of_frozen_noise()
        self._note_starts(plan, released, iteration)
        self.apply()
        return Event(plan.trained, released, frozen, plan.notes)

    def apply(self) -> None:
        """Gives gradients to what trains by the plan in force, and to nothing else."""
        set_trainable(self.layout.units, self.trained, self._norms, never=self._unused)

    def set_modes(self) -> None:
        """Takes what is frozen out of train mode; to be called each time the model has entered it."""
        if self.trained:
            set_modes(self.layout.units, self.trained, self._norms)

    def num_stored_norms(self) -> int:
        """Returns how many norms of trained units cannot train, because FROZEN_BN made buffers of their weights."""
        return num_stored_norms(unit for unit in self.layout.units if unit.name in self.trained)

    def state_dict(self) -> dict[str, Any]:
        return {
            "strategy": self.name,
            "state": self.strategy.state_dict(),
            "trained": list(self.trained),
            "factors": dict(self._plan.factors),
            "shapes": dict(self._plan.shapes),
            "starts": dict(self._starts),
        }

    def load_state_dict(self, state: dict[str, Any], changed: Collection[str] = ()) -> None:
        """Puts back what ``state_dict`` returned.

        Of another strategy only what trained is taken over, so that the new one's first plan shows what it changes.
        Schedules that began anew for some units go on so if the rule for it is the same.

        Args:
            state: of the run that goes on.
            changed: keys of FINETUNE that have another value now.

        Raises:
            ConfigError: it is about parts that this model does not have.
        """
        trained = self.layout.resolve(state["trained"], "The fine-tuning of the checkpoint")
        is_same = state["strategy"] == self.name
        self.goes_on = is_same and not changed
        if is_same and "FINETUNE.RESTART_SCHEDULE" not in changed:
            self._starts = self._by_unit(state["starts"])
        self._plan = FreezePlan(trained)
        if is_same:
            self._plan = FreezePlan(trained, self._by_unit(state["factors"]), self._by_unit(state["shapes"]))
            self.strategy.load_state_dict(state["state"])

    def _by_unit(self, saved: Mapping[str, T]) -> dict[str, T]:
        """Returns the values by unit; a name of a whole layer, as checkpoints from before it had units, is for all."""
        where = "The fine-tuning of the checkpoint"
        return {unit: value for name, value in saved.items() for unit in self.layout.resolve([name], where)}

    def _warn_of_frozen_noise(self) -> None:
        noise = [name for name in self._unloaded if name not in self.trained]
        if noise:
            logger.warning(
                "%s: frozen from the start with random weights, in whole or in part, because they were not loaded. "
                "Give MODEL.WEIGHT a file that has them, or let them train (FINETUNE.STRATEGY none trains all).",
                ", ".join(self.layout.shortest(noise)),
            )

    def _note_starts(self, plan: FreezePlan, released: Iterable[str], iteration: int) -> None:
        anew: Iterable[str] = ()
        if plan.restarts or (released and self._restart == "all"):
            anew = plan.trained
        elif self._restart == "released":
            anew = released
        self._starts |= dict.fromkeys(anew, iteration)

    def _rate(self, name: str) -> UnitRate:
        return UnitRate(
            factor=self._factors[name] * self._plan.factors.get(name, 1.0),
            shape=self._plan.shapes.get(name, "schedule"),
            start=self._starts.get(name, 0),
        )


def build_fine_tuning(cfg: Any, units: Sequence[Unit], unloaded: Collection[str] = ()) -> FineTuning:
    """Returns the fine-tuning of the config for the units of a model.

    Args:
        cfg: the config.
        units: of the model.
        unloaded: names of those with random weights.

    Raises:
        UserError: unknown FINETUNE.STRATEGY; the message offers the nearest name.
        ConfigError: a key does not fit the model.
    """
    finetune = cfg.FINETUNE
    layout = ModelLayout(tuple(units))
    return FineTuning(
        finetune.STRATEGY,
        STRATEGIES.get(finetune.STRATEGY).from_cfg(cfg, layout),
        layout,
        factors=base_factors(finetune, layout),
        norms=NormPolicy(finetune.BN_OF_FROZEN, finetune.BN_OF_TRAINED),
        restart=finetune.RESTART_SCHEDULE,
        unloaded=unloaded,
    )


def planned_epochs(cfg: Any) -> int:
    """Returns the length that the strategy gives the run, in epochs of fine-tuning; 0 leaves it to SOLVER."""
    return STRATEGIES.get(cfg.FINETUNE.STRATEGY).num_epochs(cfg)


def needs_epoch_metric(cfg: Any) -> bool:
    """Returns whether the strategy looks at the monitored metric of every epoch."""
    return STRATEGIES.get(cfg.FINETUNE.STRATEGY).needs_metric(cfg)
