"""The courses of the learning rate: factors on the base rate, as functions of the iterations since their start."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Curve = Callable[[int], float]
WarmUpMethod = Literal["linear", "constant"]


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How a curve begins.

    Attributes:
        iters: its length; 0 is none.
        factor: where it begins.
        method: ``linear`` rises from ``factor`` to its end, ``constant`` stays at ``factor`` until then.
    """

    iters: int = 0
    factor: float = 1.0
    method: WarmUpMethod = "linear"

    def __call__(self, iteration: int, target: float = 1.0) -> float:
        """Returns the warm-up that leads to ``target``, and ``target`` after it."""
        if iteration >= self.iters:
            return target
        if self.method == "constant":
            return self.factor
        progress = iteration / self.iters
        return self.factor * (1.0 - progress) + target * progress

    def times(self, curve: Curve) -> Curve:
        """Returns the product of warm-up and curve."""
        return lambda iteration: self(iteration) * curve(iteration)

    def into(self, curve: Curve) -> Curve:
        """Returns the warm-up to the value that the curve has at its end, then the curve: the rate does not jump."""
        target = curve(self.iters)
        return lambda iteration: self(iteration, target) if iteration < self.iters else curve(iteration)


def multi_step(iteration: int, *, milestones: Sequence[int], gamma: float) -> float:
    """Returns ``gamma`` to the number of ``milestones`` reached; they rise."""
    return gamma ** bisect_right(milestones, iteration)


def half_period_cosine(iteration: int, *, length: int, floor: float = 0.0) -> float:
    """Returns half a period of a cosine, 1 at iteration 0 and ``floor`` from ``length`` on."""
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * min(iteration, length) / length))


def polynomial(iteration: int, *, length: int, power: float, floor: float = 0.0) -> float:
    """Returns the power of the share that is left, 1 at iteration 0 and ``floor`` from ``length`` on."""
    return floor + (1.0 - floor) * (1.0 - min(iteration, length) / length) ** power


def exponential(iteration: int, *, gamma: float, decay_iters: int) -> float:
    """Returns ``gamma`` once for every ``decay_iters`` iterations, evenly."""
    return float(gamma ** (iteration / decay_iters))


def plateau(iteration: int, *, drops: Sequence[int], factor: float, floor: float = 0.0) -> float:
    """Returns ``factor`` to the number of ``drops`` reached, not below ``floor``; the drops rise."""
    return max(floor, factor ** bisect_right(drops, iteration))


def one_cycle(iteration: int, *, length: int, rise: float, start_divisor: float, end_divisor: float) -> float:
    """Returns the cycle of Smith and Topin (2018) with halves of cosines, as torch's OneCycleLR has it.

    It rises from 1 / ``start_divisor`` to 1 at iteration ``rise`` x ``length`` - 1, and falls to the first value over
    ``end_divisor`` at ``length`` - 1.
    """
    peak, last = rise * length - 1.0, length - 1.0
    start = 1.0 / start_divisor
    if peak > 0 and iteration <= peak:
        return _cosine(start, 1.0, iteration / peak)
    return _cosine(1.0, start / end_divisor, (min(iteration, last) - peak) / (last - peak))


def one_cycle_rise(iteration: int, *, length: int, rise: float, start_divisor: float) -> float:
    """Returns the rise of :func:`one_cycle`, then 1."""
    peak = rise * length - 1.0
    return _cosine(1.0 / start_divisor, 1.0, iteration / peak) if 0 < peak and iteration < peak else 1.0


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * share))
