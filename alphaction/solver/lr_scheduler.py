"""The learning rate of every iteration, as a factor on each group's initial rate."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch.optim import Optimizer

WarmupMethod = Literal["linear", "constant"]


def warmup_multi_step(
    iteration: int,
    *,
    milestones: Sequence[int],
    gamma: float,
    warmup_iters: int = 0,
    warmup_factor: float = 1.0,
    warmup_method: WarmupMethod = "linear",
) -> float:
    """Returns ``gamma`` to the number of ``milestones`` reached, times the warm-up.

    The warm-up rises from ``warmup_factor`` at iteration 0 to 1 at ``warmup_iters`` (linear), or stays at
    ``warmup_factor`` until ``warmup_iters`` (constant). Iterations count from 0: this is the factor in force for
    the forward and backward pass of ``iteration``.
    """
    warm = _warm_up(iteration, 1.0, warmup_iters, warmup_factor, warmup_method)
    return warm * gamma ** bisect_right(list(milestones), iteration)


def half_period_cosine(
    iteration: int,
    *,
    max_iters: int,
    warmup_iters: int = 0,
    warmup_factor: float = 1.0,
    warmup_method: WarmupMethod = "linear",
) -> float:
    """Returns half a period of a cosine, 1 at iteration 0 and 0 from ``max_iters`` on.

    A linear warm-up rises from ``warmup_factor`` to the value the cosine has at ``warmup_iters``, so that the rate
    does not jump there; a constant one stays at ``warmup_factor`` until ``warmup_iters``.
    """
    if iteration < warmup_iters:
        target = half_period_cosine(warmup_iters, max_iters=max_iters)
        return _warm_up(iteration, target, warmup_iters, warmup_factor, warmup_method)
    return 0.5 * (1.0 + math.cos(math.pi * min(iteration, max_iters) / max_iters))


class FactorScheduler:
    """Sets the rate of every group to its ``initial_lr`` times ``lr_factor(iteration)``.

    Rates are computed in closed form, never from the rate before, so a run may continue at any iteration under
    another schedule. The rates of iteration 0 are set at once; :meth:`step` is called after each optimizer step.
    A group may be added, or its ``initial_lr`` changed, at any time; it takes effect at the next step.

    Args:
        optimizer: its groups' ``lr`` at this moment become their ``initial_lr``, unless they have one.
        lr_factor: factor in force at an iteration, counted from 0.
    """

    def __init__(self, optimizer: Optimizer, lr_factor: Callable[[int], float]) -> None:
        self.optimizer = optimizer
        self.lr_factor = lr_factor
        self.jump_to(0)

    def step(self) -> None:
        """Sets the rates of the next iteration."""
        self.jump_to(self.iteration + 1)

    def jump_to(self, iteration: int) -> None:
        """Sets the rates of ``iteration``, wherever the schedule was before."""
        self.iteration = iteration
        factor = self.lr_factor(iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def rates(self) -> list[float]:
        """Returns the rate now in force for each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def plain_rate(self) -> float:
        """Returns the rate now in force for a parameter without a factor, else the smallest there is."""
        groups = self.optimizer.param_groups
        plain = [group["lr"] for group in groups if group.get("lr_factor", 1.0) == 1.0]
        return float(plain[0] if plain else min(group["lr"] for group in groups))

    def state_dict(self) -> dict[str, Any]:
        """Returns the iteration alone: rates and schedule belong to the config."""
        return {"iteration": self.iteration}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Jumps this schedule to the saved iteration."""
        self.jump_to(int(state["iteration"]))


def _warm_up(iteration: int, target: float, iters: int, factor: float, method: WarmupMethod) -> float:
    if iteration >= iters:
        return target
    if method == "constant":
        return factor
    progress = iteration / iters
    return factor * (1.0 - progress) + target * progress
