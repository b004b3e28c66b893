"""The long-term memory of a run: pooled persons of every key frame, read around each clip."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from yacs.config import CfgNode

from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.memory_feature import memory_penalty
from alphaction.modeling.roi_heads.action_head.slots import Slots
from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool
from alphaction.utils.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """How the memory is read.

    Attributes:
        max_per_second: persons kept of a key frame; the best scores stay where there are more.
        before, after: entries before and after a clip's own second.
        rate: seconds between entries.
        has_penalty: weigh entries by how far the loss has moved since they were written.
    """

    max_per_second: int
    before: int
    after: int
    rate: int
    has_penalty: bool

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "MemorySettings | None":
        """Returns the settings of MODEL.IA_STRUCTURE, None where its blocks do not look at a memory."""
        if not interacts_with(cfg, "M"):
            return None
        keys = cfg.MODEL.IA_STRUCTURE
        before, after = keys.LENGTH
        return cls(keys.MAX_PER_SEC, before, after, keys.MEMORY_RATE, keys.PENALTY)


def interacts_with(cfg: CfgNode, kind: str) -> bool:
    """Returns whether the interaction of the config has blocks of a kind: "P", "O" or "M"."""
    keys = cfg.MODEL.IA_STRUCTURE
    return keys.ACTIVE and any(kind in layer for layer in keys.I_BLOCK_LIST)


class FeatureMemory:
    """A pool of features and the settings it is read with.

    Attributes:
        pool: where the features are.
        loss: of the last step that was written, the same on every process; 0 before the first.
    """

    def __init__(self, pool: MemoryPool, settings: MemorySettings) -> None:
        self.pool, self._settings = pool, settings
        self.loss = 0.0

    def around(self, keys: Sequence[ClipKey], device: torch.device) -> Tensor:
        """Returns [N, seconds * max_per_second, C] on the device: the persons around each clip, 0 in empty slots."""
        settings = self._settings
        window = self.pool.fetch(keys, before=settings.before, after=settings.after, rate=settings.rate)
        factor = memory_penalty(window.loss, self.loss) if settings.has_penalty else None
        return window.padded(device, factor=factor)

    def write(self, keys: Sequence[ClipKey], persons: PooledBoxes) -> None:
        """Writes the persons of a test batch; other processes see them after ``pool.publish()``."""
        features, counts = self._best(persons)
        self.pool.write(keys, features, counts, math.nan)

    def write_step(self, keys: Sequence[ClipKey], persons: PooledBoxes, loss: float) -> None:
        """Writes the persons of a training step; every process calls it and sees all of them afterwards.

        Args:
            keys: the clips of this process.
            persons: of these clips.
            loss: of the step, the same on every process.
        """
        features, counts = self._best(persons)
        self.pool.write_together(keys, features, counts, loss)
        self.loss = loss

    def save(self, path: Path) -> dict[str, Any]:
        """Writes the memory, on the main process, and returns what a checkpoint must hold to find it again."""
        return {**self.pool.save(path), "loss": self.loss}

    def restore(self, saved: dict[str, Any] | None, folder: Path) -> None:
        """Puts back what was saved in ``folder``; every process calls it.

        Raises:
            CheckpointError: the checkpoint has no memory, or its file is missing or damaged.
        """
        if not saved:
            raise CheckpointError(
                f"The checkpoint in {folder} was written without a memory, which this model needs to go on. To start a "
                "new run from its weights, give them as MODEL.WEIGHT with --transfer and choose another OUTPUT_DIR."
            )
        self.pool.load(folder / str(saved["file"]), saved)
        self.loss = float(saved["loss"])

    def _best(self, persons: PooledBoxes) -> tuple[Tensor, tuple[int, ...]]:
        features = persons.features.detach()
        slots = Slots(persons.counts, self._settings.max_per_second, persons.scores, features.device)
        return slots.fill(features), slots.counts
