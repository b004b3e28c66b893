"""Boxes of one image, and the columns that belong to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# The family counts both edge pixels of a box as inside: a box from x1 to x2 is x2 - x1 + 1 pixels wide.
PIXEL = 1.0


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one image with optional columns; every method returns a new object.

    Attributes:
        xyxy: [n, 4] float32, left, top, right, bottom in pixels, both edges inclusive (see ``PIXEL``).
        size: (width, height) of the image the coordinates belong to, in pixels.
        labels: [n, K] uint8, one column a class, or None.
        scores: [n] or [n, K] float32, or None.
        features: [n, C], or None.

    Raises:
        ValueError: ``xyxy`` is not [n, 4], or a column has another length than n.
    """

    xyxy: Tensor
    size: tuple[int, int]
    labels: Tensor | None = None
    scores: Tensor | None = None
    features: Tensor | None = None

    def __post_init__(self) -> None:
        if self.xyxy.dim() != 2 or self.xyxy.shape[1] != 4:
            raise ValueError(f"Boxes need coordinates of shape [n, 4], got {tuple(self.xyxy.shape)}.")
        for name, column in self._columns().items():
            if len(column) != len(self.xyxy):
                raise ValueError(f"{len(self.xyxy)} boxes were given {len(column)} rows of {name}.")

    @classmethod
    def empty(cls, size: tuple[int, int]) -> "Boxes":
        return cls(torch.zeros(0, 4), size)

    @classmethod
    def cat(cls, boxes: Sequence["Boxes"]) -> "Boxes":
        """Returns the boxes of one image joined; columns that are not in all of them are left out.

        Raises:
            ValueError: nothing was given, or the image sizes differ.
        """
        if not boxes or any(entry.size != boxes[0].size for entry in boxes):
            raise ValueError(f"Only boxes of one image can be joined, got sizes {[b.size for b in boxes]}.")
        shared = set.intersection(*(set(entry._columns()) for entry in boxes))
        columns = {name: torch.cat([getattr(entry, name) for entry in boxes]) for name in shared}
        return cls(torch.cat([entry.xyxy for entry in boxes]), boxes[0].size, **columns)

    def __len__(self) -> int:
        return len(self.xyxy)

    def to_xywh(self) -> Tensor:
        """Returns [n, 4] left, top, width, height with inclusive widths."""
        return torch.cat([self.xyxy[:, :2], self.xyxy[:, 2:] - self.xyxy[:, :2] + PIXEL], dim=1)

    def area(self) -> Tensor:
        """Returns [n] areas in pixels, both edges counted."""
        return self.to_xywh()[:, 2:].prod(dim=1)

    def clip(self) -> "Boxes":
        """Returns the boxes with coordinates held inside the image; none is removed."""
        width, height = self.size
        limit = self.xyxy.new_tensor([width, height, width, height]) - PIXEL
        return replace(self, xyxy=self.xyxy.clamp(min=0).minimum(limit))

    def resize(self, size: tuple[int, int]) -> "Boxes":
        """Returns the boxes in the coordinates of the image scaled to ``size`` (width, height)."""
        ratio = [new / old for new, old in zip(size, self.size, strict=True)]
        return replace(self, xyxy=self.xyxy * self.xyxy.new_tensor(ratio * 2), size=size)

    def flip(self, vertical: bool = False) -> "Boxes":
        """Returns the boxes of the image mirrored left to right, or top to bottom."""
        low, high, extent = (1, 3, self.size[1]) if vertical else (0, 2, self.size[0])
        mirrored = self.xyxy.clone()
        mirrored[:, low] = extent - self.xyxy[:, high] - PIXEL
        mirrored[:, high] = extent - self.xyxy[:, low] - PIXEL
        return replace(self, xyxy=mirrored)

    def extend(self, scale: tuple[float, float]) -> "Boxes":
        """Returns the boxes enlarged by ``scale`` of their width and height, half on each side, then clipped."""
        pad = self.to_xywh()[:, 2:] * self.xyxy.new_tensor(scale) / 2
        return replace(self, xyxy=self.xyxy + torch.cat([-pad, pad], dim=1)).clip()

    def select(self, index: Tensor) -> "Boxes":
        """Returns the boxes at ``index`` (positions or a mask) with their columns."""
        return self._each(lambda tensor: tensor[index])

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Boxes":
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Boxes":
        return self._each(lambda tensor: tensor.pin_memory())

    def _columns(self) -> dict[str, Tensor]:
        columns = {name: getattr(self, name) for name in ("labels", "scores", "features")}
        return {name: column for name, column in columns.items() if column is not None}

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Boxes":
        columns = {name: change(column) for name, column in self._columns().items()}
        return Boxes(change(self.xyxy), self.size, **columns)
