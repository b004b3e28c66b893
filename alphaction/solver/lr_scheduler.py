"""The learning rate of every group at every iteration."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch.optim import Optimizer

from alphaction.solver.schedules import LrFactor, MakeFactor, Span
from alphaction.structures.unit_rate import RateShape, UnitRate
from alphaction.utils.plateau import Plateau

_PLAIN = UnitRate()


class FactorScheduler:
    """Sets the rate of every group to its ``initial_lr`` x the factor of its unit x the schedule.

    Rates are computed in closed form, never from the rate before, so a run may continue at any iteration under
    another schedule, and a unit may follow the schedule from an iteration of its own. The rates of iteration 0 are set
    at once; :meth:`step` is called after each optimizer step. A group may be added, or its ``initial_lr`` changed, at
    any time; it takes effect at the next step.

    Args:
        optimizer: its groups' ``lr`` at this moment become their ``initial_lr``, unless they have one. A group belongs
            to the unit that its ``unit`` names.
        make_factor: gives, for the span a schedule stretches over, its factor at every iteration of the run.
        span: of the whole run.
        make_warm_up: gives the warm-up alone; without it there is none.
        plateau: for a schedule that follows a metric, what says when to lower the rate.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        make_factor: MakeFactor,
        span: Span,
        *,
        make_warm_up: MakeFactor | None = None,
        plateau: Plateau | None = None,
    ) -> None:
        self.optimizer = optimizer
        self._makers: dict[RateShape, MakeFactor] = {
            "schedule": make_factor,
            "warmup": make_warm_up or _always_one,
            "constant": _always_one,
        }
        self._span = span
        self._plateau = plateau
        self._units: dict[str, UnitRate] = {}
        self._planned_ends: dict[int, int] = {}
        self._made: dict[tuple[RateShape, int], LrFactor] = {}
        self.jump_to(0)

    @property
    def needs_metric(self) -> bool:
        """Whether :meth:`report` must be told the metric of each evaluation."""
        return self._plateau is not None

    def step(self) -> None:
        """Sets the rates of the next iteration."""
        self.jump_to(self.iteration + 1)

    def jump_to(self, iteration: int) -> None:
        """Sets the rates of ``iteration``, wherever the schedule was before."""
        self.iteration = iteration
        factors: dict[str, float] = {}
        for group in self.optimizer.param_groups:
            unit = group.get("unit", "")
            if unit not in factors:
                factors[unit] = self.unit_rate(unit)
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factors[unit]

    def set_units(self, rates: Mapping[str, UnitRate]) -> None:
        """Replaces the rates of all units, at once; units that are not named follow the schedule."""
        self._units = dict(rates)
        self._made.clear()
        self.jump_to(self.iteration)

    def report(self, value: float) -> None:
        """Takes the metric of an evaluation after ``iteration`` steps; when it stands still, rates fall at once."""
        if self._plateau is None or not self._plateau.is_reached(value):
            return
        self._set_drops((*self._span.drops, self.iteration))
        self.jump_to(self.iteration)

    def unit_rate(self, unit: str) -> float:
        """Returns the rate over BASE_LR now in force for parameters of the unit that have no factor of their own."""
        rate = self._units.get(unit, _PLAIN)
        key = (rate.shape, rate.start)
        if key not in self._made:
            planned_end = self._planned_ends.setdefault(rate.start, self._span.max_iter)
            span = replace(self._span, start=rate.start, planned_end=planned_end)
            self._made[key] = self._makers[rate.shape](span)
        return rate.factor * self._made[key](self.iteration)

    def plain_rate(self) -> float:
        """Returns the rate of the last group that trains, mostly the head's, without a factor of its own.

        Where all groups have one it is the smallest rate.
        """
        every = self.optimizer.param_groups
        groups = [group for group in every if any(p.requires_grad for p in group["params"])] or every
        plain = [group["lr"] for group in groups if group.get("lr_factor", 1.0) == 1.0]
        return float(plain[-1] if plain else min(group["lr"] for group in groups))

    def state_dict(self) -> dict[str, Any]:
        """Returns the iteration and what was seen of the metric; schedule and rates belong to whoever set them."""
        return {
            "iteration": self.iteration,
            "drops": list(self._span.drops),
            "planned_ends": dict(self._planned_ends),
            "plateau": self._plateau.state_dict() if self._plateau else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Jumps this schedule to the saved iteration; a state of an older run may hold that alone."""
        self._planned_ends = dict(state.get("planned_ends", {}))
        self._set_drops(tuple(state.get("drops", ())))
        if self._plateau and state.get("plateau"):
            self._plateau.load_state_dict(state["plateau"])
        self.jump_to(int(state["iteration"]))

    def _set_drops(self, drops: tuple[int, ...]) -> None:
        self._span = replace(self._span, drops=drops)
        self._made.clear()


def _always_one(_: Span) -> LrFactor:
    return lambda iteration: 1.0
