"""Strategies that release the backbone from its end, by the clock."""

import logging
from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain
from math import ceil
from typing import Any, Literal

from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.strategies.base import STRATEGIES, Strategy, keep_order

logger = logging.getLogger(__name__)

TargetMode = Literal["reach", "not_exceed", "closest"]


class GradualRelease:
    """The order in which the backbone is released, and what trains when so many parts of it are.

    Args:
        layout: the model.
        by_block: one block at a time, in place of a whole layer.
        finetune: the FINETUNE node.
        max_units: parts released at most, 0 for all.
    """

    def __init__(self, layout: ModelLayout, finetune: Any, *, by_block: bool, max_units: int = 0) -> None:
        self._layout = layout
        parts = layout.releasable(by_block=by_block, with_stem=finetune.RELEASE_STEM)
        self.parts = parts[:max_units] if max_units else parts
        self._norms = layout.norms if finetune.RELEASE_NORM else ()

    def trained(self, num_released: int) -> tuple[str, ...]:
        """Returns the units that train once the first ``num_released`` parts are released."""
        released = tuple(chain.from_iterable(self.parts[:num_released]))
        return keep_order(self._layout, *released, *(self._norms if released else ()), *self._layout.heads)


@STRATEGIES.register("progressive")
class Progressive(Strategy):
    """The head, and one layer more every n epochs, or in certain epochs, from the last layer on.

    Args:
        release: the order.
        every: epochs between two releases.
        epochs: epochs with a release, in place of ``every``.
    """

    def __init__(self, release: GradualRelease, *, every: int, epochs: Sequence[int] = ()) -> None:
        self._release, self._every, self._epochs = release, every, sorted(epochs)

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "Progressive":
        keys = cfg.FINETUNE.PROGRESSIVE
        max_units = 0 if keys.EPOCHS else keys.MAX_UNITS
        release = GradualRelease(layout, cfg.FINETUNE, by_block=False, max_units=max_units)
        if len(keys.EPOCHS) > len(release.parts):
            logger.warning(
                "FINETUNE.PROGRESSIVE.EPOCHS has %d epochs, and there are %d layers to release: the last ones bring "
                "nothing.",
                *(len(keys.EPOCHS), len(release.parts)),
            )
        return cls(release, every=keys.EVERY_N_EPOCHS, epochs=keys.EPOCHS)

    def due_by(self) -> int:
        num_parts = len(self._release.parts)
        return self._epochs[:num_parts][-1] if self._epochs else self._every * num_parts

    def plan(self, clock: Clock) -> FreezePlan:
        due = bisect_right(self._epochs, clock.epoch) if self._epochs else clock.epoch // self._every
        return FreezePlan(self._release.trained(due))


@STRATEGIES.register("early_gradual")
class EarlyGradual(Strategy):
    """The head for some epochs, then some blocks more each epoch, until a share of the backbone trains.

    Args:
        layout: the model.
        release: the order.
        freeze_epochs: with a frozen backbone.
        blocks_per_epoch: released at the start of each epoch after that.
        target_ratio: share of the backbone's parameters.
        target_mode: when to stop; see FINETUNE.EARLY_GRADUAL.TARGET_MODE.
    """

    def __init__(
        self,
        layout: ModelLayout,
        release: GradualRelease,
        *,
        freeze_epochs: int = 1,
        blocks_per_epoch: int = 1,
        target_ratio: float = 0.5,
        target_mode: TargetMode = "reach",
    ) -> None:
        self._layout, self._release = layout, release
        self._freeze_epochs, self._blocks_per_epoch = freeze_epochs, blocks_per_epoch
        self.target = int(target_ratio * layout.num_parameters(layout.backbone))
        self._sizes = [layout.num_parameters(names) for names in release.parts]
        self._num_units = _units_for(self._sizes, self.target, target_mode)

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "EarlyGradual":
        keys = cfg.FINETUNE.EARLY_GRADUAL
        return cls(
            layout,
            GradualRelease(layout, cfg.FINETUNE, by_block=True),
            freeze_epochs=keys.FREEZE_EPOCHS,
            blocks_per_epoch=keys.BLOCKS_PER_EPOCH,
            target_ratio=keys.TARGET_RATIO,
            target_mode=keys.TARGET_MODE,
        )

    def due_by(self) -> int:
        return self._freeze_epochs + max(ceil(self._num_units / self._blocks_per_epoch) - 1, 0)

    def plan(self, clock: Clock) -> FreezePlan:
        num_epochs = max(0, clock.epoch - self._freeze_epochs + 1)
        count = min(self._num_units, num_epochs * self._blocks_per_epoch)
        released = sum(self._sizes[:count])
        share = f"{released / self.target:.1%} of target" if self.target else "the target is 0"
        end = ", the last of them" if count == self._num_units else ""
        blocks = "1 block" if count == 1 else f"{count} blocks"
        note = f"Progress: {released:,}/{self.target:,} parameters ({share}), {blocks}{end}"
        return FreezePlan(self._release.trained(count), notes=(note,))


def _units_for(sizes: Sequence[int], target: int, mode: TargetMode) -> int:
    """Returns how many of the first parts make up the target."""
    total, count = 0, 0
    while count < len(sizes) and total < target:
        above = total + sizes[count]
        if above > target and (mode == "not_exceed" or (mode == "closest" and above - target >= target - total)):
            break
        total, count = above, count + 1
    return count
