"""Detection on overlapping parts of an image as well as on the whole: finds persons that are small in the frame."""

from collections.abc import Sequence

import numpy as np
import torch

from alphaction.detection.anchors import suppress_repeats
from alphaction.detection.base import Detections, Image, PersonDetector
from alphaction.structures.clip import ClipKey

_OVERLAP = 0.2  # of a tile's width and height, shared with the next one
_EDGE_PIXELS = 2.0  # a box that comes this near to an inner edge is cut off there
_MERGE_IOU = 0.5
_MOST_BOXES = 300


class TiledDetector:
    """Joins what a detector finds on the whole image and on ``tiles`` x ``tiles`` parts of it.

    A box cut off by the inner edge of a tile is left out: its neighbour, which overlaps it, or the whole image shows
    that person entirely.

    Args:
        inner: the detector.
        tiles: parts along each axis, 2 or more.
    """

    def __init__(self, inner: PersonDetector, tiles: int) -> None:
        self._inner, self._tiles = inner, tiles

    def detect(self, images: Sequence[Image], keys: Sequence[ClipKey]) -> list[Detections]:
        """Returns the boxes of each image; the inner detector sees one image with its tiles at a time."""
        return [self._detect_one(image, key) for image, key in zip(images, keys, strict=True)]

    def describe(self) -> str:
        return f"{self._inner.describe()}, whole and {self._tiles}x{self._tiles} tiles"

    def _detect_one(self, image: Image, key: ClipKey) -> Detections:
        height, width = image.shape[:2]
        windows = [(0, 0, width, height), *tile_windows(width, height, self._tiles)]
        crops = [np.ascontiguousarray(image[top:bottom, left:right]) for left, top, right, bottom in windows]
        found = self._inner.detect(crops, [key] * len(crops))
        return join_detections(
            [place_in_image(part, window, (width, height)) for part, window in zip(found, windows, strict=True)]
        )


def tile_windows(width: int, height: int, tiles: int) -> list[tuple[int, int, int, int]]:
    """Returns (left, top, right, bottom) in pixels of equal tiles that overlap, row by row."""
    columns, rows = _spans(width, tiles), _spans(height, tiles)
    return [(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def place_in_image(found: Detections, window: tuple[int, int, int, int], size: tuple[int, int]) -> Detections:
    """Returns a tile's boxes in the coordinates of its image of ``size`` (width, height), without those cut off."""
    left, top, right, bottom = window
    xyxy = found.xyxy + np.array([left, top, left, top], np.float32)
    is_inner = np.array([left > 0, top > 0, right < size[0], bottom < size[1]])
    gap = np.abs(xyxy - np.array(window, np.float32))
    whole = ~((gap <= _EDGE_PIXELS) & is_inner).any(axis=1)
    return Detections(xyxy, found.scores, found.categories).select(whole)


def join_detections(parts: Sequence[Detections]) -> Detections:
    """Returns the boxes of all parts, best first, each person once."""
    xyxy = np.concatenate([part.xyxy for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    categories = np.concatenate([part.categories for part in parts])
    kept = suppress_repeats(
        torch.from_numpy(xyxy),
        torch.from_numpy(scores),
        torch.from_numpy(categories),
        iou=_MERGE_IOU,
        most=_MOST_BOXES,
    )
    return Detections(xyxy, scores, categories).select(kept.numpy())


def _spans(length: int, tiles: int) -> list[tuple[int, int]]:
    extent = length / (tiles - (tiles - 1) * _OVERLAP)
    starts = [i * extent * (1 - _OVERLAP) for i in range(tiles)]
    return [(round(start), min(round(start + extent), length)) for start in starts]
