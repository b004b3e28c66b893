"""Between the boxes of a batch, as many as there happen to be, and a fixed number of slots for each clip."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


class Slots:
    """Where each of the R boxes of a batch stands when every clip has ``most`` slots.

    A clip with more boxes keeps those of the highest score, the first ones among equals or without scores.

    Args:
        counts: boxes of each clip.
        most: slots of each clip.
        scores: [R] of the boxes; only looked at when a clip has more than ``most``.
        device: of the boxes.
    """

    def __init__(self, counts: Sequence[int], most: int, scores: Tensor | None, device: torch.device) -> None:
        self.num_clips, self.most = len(counts), most
        self.counts = tuple(min(count, most) for count in counts)
        rows = _kept_rows(counts, most, scores)
        clips = np.repeat(np.arange(len(counts)), self.counts)
        firsts = np.cumsum([0, *self.counts])[clips]
        self._place = torch.from_numpy(clips * most + np.arange(len(rows)) - firsts).to(device)  # [M]
        self._rows = None if len(rows) == sum(counts) else torch.from_numpy(rows).to(device)

    def fill(self, values: Tensor) -> Tensor:
        """Returns [N, most, C] of [R, C]; slots without a box are 0."""
        kept = values if self._rows is None else values[self._rows]
        empty = values.new_zeros(self.num_clips * self.most, values.shape[1])
        return empty.index_copy(0, self._place, kept).view(self.num_clips, self.most, -1)

    def take(self, filled: Tensor) -> Tensor:
        """Returns what ``fill`` was given, [R, C] of [N, most, C]; every box must have a slot."""
        assert self._rows is None, "boxes were left out of the slots"
        return filled.flatten(0, 1)[self._place]


def _kept_rows(counts: Sequence[int], most: int, scores: Tensor | None) -> np.ndarray:
    """Returns [M] the numbers of the boxes that have a slot, in their order."""
    ends = np.cumsum([0, *counts])
    if max(counts, default=0) <= most:
        return np.arange(ends[-1])
    ranked = np.zeros(ends[-1]) if scores is None else -scores.detach().float().cpu().numpy()
    return np.concatenate(
        [
            first + np.sort(np.argsort(ranked[first:last], kind="stable")[:most])
            for first, last in pairwise(ends.tolist())
        ]
    )
