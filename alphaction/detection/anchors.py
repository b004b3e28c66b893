"""Anchor boxes of a single-shot detector, the coding of boxes against them, and suppression of repeats."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms

# The coder divides centres by 10 and logarithms of sizes by 5 (Liu et al., SSD, 2016; TensorFlow's box coder).
_CENTRE_SCALE, _SIZE_SCALE = 10.0, 5.0


@dataclass(frozen=True, slots=True)
class AnchorLevel:
    """The anchors of one feature map, the same at each of its cells.

    Attributes:
        grid: cells along each axis.
        scales: of each anchor, a fraction of the image.
        ratios: of each anchor, width / height.
    """

    grid: int
    scales: tuple[float, ...]
    ratios: tuple[float, ...]


def make_anchors(levels: Sequence[AnchorLevel]) -> Tensor:
    """Returns [A, 4] centre x, centre y, width, height as fractions: by level, row, column, anchor."""
    return torch.cat([_anchors_of(level) for level in levels])


def decode_boxes(encoded: Tensor, anchors: Tensor) -> Tensor:
    """Returns boxes [..., A, 4] left, top, right, bottom.

    Args:
        encoded: [..., A, 4] in the order of TensorFlow's coder: y, x, height, width.
        anchors: [A, 4] centre x, centre y, width, height.
    """
    y, x, height, width = encoded.unbind(-1)
    centre_x, centre_y, anchor_width, anchor_height = anchors.unbind(-1)
    x, y = x / _CENTRE_SCALE * anchor_width + centre_x, y / _CENTRE_SCALE * anchor_height + centre_y
    half_width = (width / _SIZE_SCALE).exp() * anchor_width / 2
    half_height = (height / _SIZE_SCALE).exp() * anchor_height / 2
    return torch.stack([x - half_width, y - half_height, x + half_width, y + half_height], dim=-1)


def suppress_repeats(xyxy: Tensor, scores: Tensor, categories: Tensor, *, iou: float, most: int) -> Tensor:
    """Returns the positions of the boxes to keep, best first: none overlaps a better one of its category.

    Args:
        xyxy: [n, 4].
        scores: [n].
        categories: [n] whole numbers.
        iou: a box that overlaps a kept one by more is dropped.
        most: boxes kept at most.
    """
    return batched_nms(xyxy, scores, categories, iou)[:most]


def _anchors_of(level: AnchorLevel) -> Tensor:
    centres = (torch.arange(level.grid, dtype=torch.float32) + 0.5) / level.grid
    scales, roots = torch.tensor(level.scales), torch.tensor(level.ratios).sqrt()
    shape = (level.grid, level.grid, len(scales))
    columns = [centres.view(1, -1, 1), centres.view(-1, 1, 1), scales * roots, scales / roots]
    return torch.stack([column.expand(shape) for column in columns], dim=-1).reshape(-1, 4)
