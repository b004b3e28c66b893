"""Changes of a clip: pure functions on its frames, and the same as steps that draw their own numbers.

Frames are T images [H, W, 3] uint8 RGB. The boxes that come along belong to these frames: all are changed alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from alphaction.structures.boxes import Boxes

Frames: TypeAlias = NDArray[np.uint8]  # [T, H, W, 3]
Images: TypeAlias = Sequence[NDArray[np.uint8]] | Frames
BoxLists: TypeAlias = tuple[Boxes, ...]
Transform: TypeAlias = Callable[[Images, BoxLists, np.random.Generator], tuple[Images, BoxLists]]
# OpenCV writes the 360 degrees of a hue into half as many steps.
_HUE_STEPS = 180


class ColourShift(NamedTuple):
    """What is added to every pixel in HSV: steps of 2 degrees of hue, and of 1/255 of saturation and value."""

    hue: int
    saturation: int
    value: int


def resized_size(size: tuple[int, int], short_side: int, long_side: int) -> tuple[int, int]:
    """Returns (width, height) with the short side at ``short_side``, or less to keep the long one in its limit."""
    short, long = sorted(size)
    if long / short * short_side > long_side:
        short_side = round(long_side * short / long)
    if short == short_side:
        return size
    width, height = size
    if width < height:
        return short_side, int(short_side * height / width)
    return int(short_side * width / height), short_side


def resize_frames(frames: Images, size: tuple[int, int]) -> Frames:
    """Returns the frames at ``size`` (width, height), bilinear."""
    resized = np.empty((len(frames), size[1], size[0], 3), np.uint8)
    for source, target in zip(frames, resized, strict=True):
        cv2.resize(source, size, dst=target, interpolation=cv2.INTER_LINEAR)
    return resized


def shift_colour(frames: Images, shift: ColourShift) -> Frames:
    """Returns the frames shifted in HSV: hue goes round, saturation and value stop at 0 and 255."""
    steps = np.arange(256)
    hue = np.where(steps < _HUE_STEPS, (steps + shift.hue) % _HUE_STEPS, steps)
    saturation, value = (np.clip(steps + by, 0, 255) for by in shift[1:])
    table = np.stack([hue, saturation, value], axis=-1).astype(np.uint8)[None]  # [1, 256, 3]
    shifted = np.empty((len(frames), *frames[0].shape), np.uint8)
    for source, target in zip(frames, shifted, strict=True):
        hsv = cv2.cvtColor(source, cv2.COLOR_RGB2HSV, dst=target)
        cv2.LUT(hsv, table, dst=hsv)
        cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=target)
    return shifted


def flip_frames(frames: Images) -> Frames:
    """Returns the frames mirrored left to right."""
    flipped = np.empty((len(frames), *frames[0].shape), np.uint8)
    for source, target in zip(frames, flipped, strict=True):
        cv2.flip(source, 1, dst=target)
    return flipped


@dataclass(frozen=True, slots=True)
class Resize:
    """Scales frames and boxes so that the short side is ``short_side`` and the long one at most ``long_side``."""

    short_side: int
    long_side: int

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Returns the (width, height) that frames of this (width, height) get."""
        return resized_size(size, self.short_side, self.long_side)

    def __call__(self, frames: Images, boxes: BoxLists, rng: np.random.Generator) -> tuple[Images, BoxLists]:
        height, width = frames[0].shape[:2]
        size = self.size((width, height))
        return resize_frames(frames, size), tuple(entry.resize(size) for entry in boxes)


@dataclass(frozen=True, slots=True)
class ColourJitter:
    """Shifts hue, saturation and value by numbers drawn evenly from -bound .. bound; boxes stay.

    Attributes:
        hue_degrees: bound of the hue, of 360.
        saturation: bound as a share of the full range.
        value: likewise.
    """

    hue_degrees: float
    saturation: float
    value: float

    def bounds(self) -> ColourShift:
        """Returns the largest shift."""
        return ColourShift(round(self.hue_degrees / 2), round(self.saturation * 255), round(self.value * 255))

    def __call__(self, frames: Images, boxes: BoxLists, rng: np.random.Generator) -> tuple[Images, BoxLists]:
        shift = ColourShift(*(int(rng.integers(-bound, bound, endpoint=True)) for bound in self.bounds()))
        return shift_colour(frames, shift), boxes


@dataclass(frozen=True, slots=True)
class RandomFlip:
    """Mirrors frames and boxes left to right with this probability; class labels are not changed."""

    probability: float

    def __call__(self, frames: Images, boxes: BoxLists, rng: np.random.Generator) -> tuple[Images, BoxLists]:
        if rng.random() >= self.probability:
            return frames, boxes
        return flip_frames(frames), tuple(entry.flip() for entry in boxes)
