"""What travels inside the action head, and what a feature extractor gives."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from alphaction.modeling.backbone.base import Features
from alphaction.structures.boxes import Boxes


class PooledBoxes(NamedTuple):
    """Pooled features of the boxes of a batch.

    Attributes:
        features: [R, C], all boxes of the first clip, then of the second, ...
        counts: boxes of each clip; they add up to R.
        scores: [R] of the boxes, or None: which of them go first where slots are few.
    """

    features: Tensor
    counts: tuple[int, ...]
    scores: Tensor | None = None

    def detach(self) -> "PooledBoxes":
        return self._replace(features=self.features.detach())


class FeatureExtractor(nn.Module):
    """Contract of a feature extractor; ``dim_out`` is the width of what ``forward`` returns."""

    dim_out: int

    def pool(self, features: Features, boxes: Sequence[Boxes]) -> PooledBoxes:
        """Returns one vector a box; ``boxes`` holds one entry a clip, in pixels of the clip."""
        raise NotImplementedError

    def forward(self, persons: PooledBoxes, objects: PooledBoxes | None = None, memory: Tensor | None = None) -> Tensor:
        """Returns [R, dim_out] for the persons; objects and memory are for an interaction that uses them."""
        raise NotImplementedError
