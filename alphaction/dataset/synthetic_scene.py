"""Draws the generated people: plain figures that face the camera, on a still textured background."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from alphaction.dataset.synthetic_motion import Pose, Track

Colour = tuple[int, int, int]

# Frames are drawn this much larger and shrunk, so that slow motion is smooth and edges are soft.
_OVERSAMPLING = 2
# Points given to OpenCV carry this many binary digits below the pixel.
_SHIFT = 4
_STEPS_PER_SECOND = 2.0
# The unit circle as complex numbers, the half behind a limb's start first.
_ROUND_OUTLINE = np.exp(1j * (np.pi / 2 + np.linspace(0, 2 * np.pi, 16, endpoint=False)))
_ROUND_START = np.arange(16) <= 8


@dataclass(frozen=True, slots=True)
class Limb:
    """A line with round ends, in heights of the frame; one point is a disc."""

    points: tuple[tuple[float, float], ...]
    radius: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Look:
    """What a person wears; colours are RGB."""

    shirt: Colour
    sleeve: Colour
    trousers: Colour
    skin: Colour
    glove: Colour
    step_phase: float


class Scene:
    """A movie without a file: its people and its background.

    Args:
        tracks: the people.
        size: (width, height) of the frames, in pixels.
        rng: where colours and texture come from.
        looks: what each person wears; without it, something random.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        *,
        size: tuple[int, int],
        rng: np.random.Generator,
        looks: Sequence[Look] | None = None,
    ) -> None:
        self.tracks = tuple(tracks)
        self._size = size
        self._looks = [make_look(rng) for _ in tracks] if looks is None else list(looks)
        self._background = _make_background((size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), rng)

    def render(self, seconds: float) -> np.ndarray:
        """Returns the frame [H, W, 3] uint8 RGB shown ``seconds`` after the start."""
        canvas = self._background.copy()
        figures = [(track.pose_at(seconds), track, look) for track, look in self._people()]
        for pose, track, look in sorted(figures, key=lambda figure: figure[0].depth):
            for limb in make_figure(pose, look, arm_side=track.arm_side, seconds=seconds):
                _draw_limb(canvas, limb, self._size[1] * _OVERSAMPLING)
        return cv2.resize(canvas, self._size, interpolation=cv2.INTER_AREA)

    def boxes_at(self, seconds: float) -> np.ndarray:
        """Returns [persons, 4] left, top, right, bottom in shares of the frame, 0 .. 1."""
        aspect = self._size[0] / self._size[1]
        boxes = [
            _bounding_box(make_figure(track.pose_at(seconds), look, arm_side=track.arm_side, seconds=seconds))
            for track, look in self._people()
        ]
        return np.clip(np.asarray(boxes).reshape(-1, 4) / [aspect, 1, aspect, 1], 0, 1)

    def _people(self) -> list[tuple[Track, Look]]:
        return list(zip(self.tracks, self._looks, strict=True))


def make_figure(pose: Pose, look: Look, *, arm_side: int, seconds: float) -> list[Limb]:
    """Returns the limbs of a person, in the order they are drawn; it steps on the spot whatever it does."""
    height = math.exp(pose.depth)
    floor = 0.62 + 0.5 * height

    def at(x: float, y: float) -> tuple[float, float]:
        return pose.place + x * height, floor - y * height

    swing = 0.06 * math.sin(2 * math.pi * _STEPS_PER_SECOND * seconds + look.step_phase)
    legs = [
        Limb((at(side * 0.06, 0.44), at(side * 0.08, 0.05 + max(0.0, side * swing))), 0.05 * height, look.trousers)
        for side in (-1, 1)
    ]
    trunk = [
        Limb((at(-0.05, 0.5), at(-0.06, 0.68)), 0.08 * height, look.shirt),
        Limb((at(0.05, 0.5), at(0.06, 0.68)), 0.08 * height, look.shirt),
        Limb((at(0, 0.89),), 0.11 * height, look.skin),
    ]
    arms = []
    for side, angle in ((-arm_side, math.radians(-78)), (arm_side, pose.arm)):
        is_acting = side == arm_side
        length = 0.38 if is_acting else 0.33
        reach_x, reach_y = side * math.cos(angle), math.sin(angle)
        shoulder, hand = (side * 0.12, 0.71), (side * 0.12 + length * reach_x, 0.71 + length * reach_y)
        arms.append(Limb((at(*shoulder), at(*hand)), (0.06 if is_acting else 0.045) * height, look.sleeve))
        # The acting hand wears a large glove, so that few pixels are enough to see what the arm does.
        arms.append(Limb((at(*hand),), (0.12 if is_acting else 0.065) * height, look.glove if is_acting else look.skin))
    return [*legs, *trunk, *arms]


def make_look(rng: np.random.Generator, hue: float | None = None) -> Look:
    """Returns clothes whose shirt has this hue, 0 .. 180, or a random one."""
    hue = float(rng.uniform(0, 180)) if hue is None else hue
    value = float(rng.uniform(170, 235))
    return Look(
        shirt=_rgb(hue, 190, value),
        sleeve=_rgb(hue, 110, min(255, value * 1.12)),
        trousers=_rgb(float(rng.uniform(0, 180)), 120, float(rng.uniform(30, 65))),
        skin=_rgb(float(rng.uniform(8, 16)), float(rng.uniform(60, 130)), float(rng.uniform(190, 250))),
        glove=_rgb(float(rng.uniform(22, 32)), float(rng.uniform(30, 200)), 255),
        step_phase=float(rng.uniform(0, 2 * math.pi)),
    )


def _bounding_box(limbs: Sequence[Limb]) -> list[float]:
    points = np.concatenate([np.asarray(limb.points) for limb in limbs])
    radii = np.concatenate([np.full(len(limb.points), limb.radius) for limb in limbs])[:, None]
    return [*(points - radii).min(axis=0), *(points + radii).max(axis=0)]


def _draw_limb(canvas: np.ndarray, limb: Limb, frame_height: int) -> None:
    """Draws into ``canvas``; outlines are polygons because OpenCV's line widths are whole pixels."""
    first, last = (complex(*point) * frame_height for point in (limb.points[0], limb.points[-1]))
    facing = (last - first) / abs(last - first) if last != first else 1.0
    outline = np.where(_ROUND_START, first, last) + limb.radius * frame_height * facing * _ROUND_OUTLINE
    corners = np.stack([outline.real, outline.imag], axis=1) * 2**_SHIFT
    cv2.fillConvexPoly(canvas, np.rint(corners).astype(np.int32), limb.colour, cv2.LINE_AA, _SHIFT)


def _make_background(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Returns a wall with pictures above a floor, [H, W, 3] uint8."""
    width, height = size
    edge = int(height * rng.uniform(0.6, 0.7))
    canvas = np.empty((height, width, 3), np.float32)
    wall, floor = (
        _rgb(float(rng.uniform(0, 180)), float(rng.uniform(20, 60)), float(rng.uniform(*value)))
        for value in ((110, 155), (85, 120))
    )
    canvas[:edge], canvas[edge:] = wall, floor
    for _ in range(int(rng.integers(3, 6))):
        left, top = int(rng.uniform(0, 0.9) * width), int(rng.uniform(0, 0.45) * height)
        right, bottom = left + int(rng.uniform(0.08, 0.2) * width), top + int(rng.uniform(0.08, 0.2) * height)
        shade = _rgb(float(rng.uniform(0, 180)), float(rng.uniform(20, 70)), float(rng.uniform(80, 165)))
        cv2.rectangle(canvas, (left, top), (right, bottom), shade, thickness=-1)
    for cells, strength in ((6, 14.0), (40, 9.0)):
        coarse = rng.normal(0, strength, (cells, int(cells * width / height), 1)).astype(np.float32)
        canvas += cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)[:, :, None]
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    """Returns the colour of OpenCV's HSV scales (180, 255, 255)."""
    pixel = np.array([[[hue % 180, saturation, min(value, 255)]]]).astype(np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue
