"""What the generated people do: actions that only the order of frames tells apart.

A figure has three axes: its place along the floor, its depth (how large it is seen) and the angle of one arm. On
each axis an action goes forth, back, or there and back; over the window of a clip all three visit the same values
equally often and are at the middle value at the key frame. So neither one frame nor an unordered pile of frames
tells "walk left", "walk right" and "pace" apart.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Axis = Literal["place", "depth", "arm"]
Form = Literal["forth", "back", "to and fro"]

# The clip the actions are made for: 32 frames, 25 a second, the key frame being the 17th.
WINDOW_FRAMES = 32
WINDOW_FPS = 25
WINDOW_SECONDS = WINDOW_FRAMES / WINDOW_FPS
# A person does one thing for two seconds, with the key frame in the middle; between windows it moves on to the next.
SEGMENT_SECONDS = 2
_SIDE_MARGIN = 0.25  # heights of the frame
_HALF_ACTION = WINDOW_SECONDS / 2 + 0.04
# Values a motion reaches on either side of the middle one, a frame each.
_STEPS = WINDOW_FRAMES // 2 - 1


@dataclass(frozen=True, slots=True)
class Action:
    """A class of the generated data: what moves, and in which order."""

    name: str
    axis: Axis
    form: Form

    def progress(self, seconds: float) -> float:
        """Returns the position on the axis, -1 .. 1 over the window, ``seconds`` after the key frame.

        The window has one frame more before the key frame than after it. All forms pause at 0 from the frame before
        the key frame to the key frame, so that both halves visit as many values: 0 .. 15 in steps of 1 there, and
        0, 2 .. 14, 15, 13 .. 1 there and back.
        """
        frames = seconds * WINDOW_FPS + 0.5  # from the middle of the window
        since_pause = max(0.0, abs(frames) - 0.5)
        if self.form == "to and fro":
            since_pause = min(2 * since_pause, 2 * _STEPS + 1 - 2 * since_pause)
        step = math.copysign(since_pause / _STEPS, frames)
        return -step if self.form == "back" else step


# Class i has id i + 1. "forth" is to the right, nearer, and up.
ACTIONS = (
    Action("walk left", "place", "back"),
    Action("walk right", "place", "forth"),
    Action("pace", "place", "to and fro"),
    Action("raise arm", "arm", "forth"),
    Action("lower arm", "arm", "back"),
    Action("wave", "arm", "to and fro"),
    Action("approach", "depth", "forth"),
    Action("recede", "depth", "back"),
    Action("sway", "depth", "to and fro"),
)
ARM_ACTIONS = tuple(action for action in ACTIONS if action.axis == "arm")


@dataclass(frozen=True, slots=True)
class Pose:
    """One figure at one instant.

    Attributes:
        place: horizontal position of its middle, in heights of the frame.
        depth: natural logarithm of its height in heights of the frame.
        arm: angle of its acting arm above the horizontal, in radians.
    """

    place: float
    depth: float
    arm: float


@dataclass(frozen=True, slots=True)
class Segment:
    """What one person does around one key frame.

    Attributes:
        key_second: time of the key frame in the movie.
        actions: one action, or two on different axes.
        middle: the pose at the middle of the motion.
        reach: how far an action on each axis goes from the middle.
        turn: 1 or -1, which way a to-and-fro motion goes first.
    """

    key_second: int
    actions: tuple[Action, ...]
    middle: Pose
    reach: Pose
    turn: int

    def pose_at(self, seconds: float) -> Pose:
        """Returns the pose ``seconds`` after the start of the movie."""
        moved = {axis: getattr(self.middle, axis) for axis in ("place", "depth", "arm")}
        for action in self.actions:
            sign = self.turn if action.form == "to and fro" else 1
            step = sign * action.progress(seconds - self.key_second)
            moved[action.axis] += step * getattr(self.reach, action.axis)
        return Pose(**moved)


@dataclass(frozen=True, slots=True)
class Track:
    """One person through a movie: a segment around each key frame, in order, with a smooth change between.

    ``arm_side`` is 1 for the arm on the right of the frame, -1 for the other one.
    """

    person_id: int
    arm_side: int
    segments: tuple[Segment, ...]

    def pose_at(self, seconds: float) -> Pose:
        """Returns the pose ``seconds`` after the start of the movie."""
        later = bisect_right(self.segments, seconds, key=lambda segment: segment.key_second)
        around = self.segments[max(later - 1, 0) : later + 1]
        here = min(around, key=lambda segment: abs(seconds - segment.key_second))
        offset = seconds - here.key_second
        if abs(offset) <= _HALF_ACTION or len(around) == 1:
            return here.pose_at(here.key_second + float(np.clip(offset, -_HALF_ACTION, _HALF_ACTION)))
        return _between(around[0], around[1], seconds)


class ActionDeck:
    """Deals actions so that each class comes equally often: a shuffled pack of all classes, again and again."""

    def __init__(self, rng: np.random.Generator, together_prob: float) -> None:
        self._rng = rng
        self._together_prob = together_prob
        self._main = self._packs(ACTIONS)
        self._arms = self._packs(ARM_ACTIONS)

    def draw(self) -> tuple[Action, ...]:
        """Returns the action of one person for one segment, sometimes with an arm action beside it."""
        main = next(self._main)
        if main.axis == "arm" or self._rng.random() >= self._together_prob:
            return (main,)
        return main, next(self._arms)

    def _packs(self, actions: Sequence[Action]) -> Iterator[Action]:
        while True:
            for index in self._rng.permutation(len(actions)):
                yield actions[index]


def make_tracks(
    *, num_persons: int, seconds: int, aspect: float, deck: ActionDeck, rng: np.random.Generator
) -> list[Track]:
    """Returns the persons of a movie, each in its own part of the frame; poses never depend on the action.

    Args:
        num_persons: how many people the movie shows.
        seconds: length of the movie; a key frame every ``SEGMENT_SECONDS``, the first at second 1.
        aspect: width of the frame by its height.
        deck: where the actions come from.
        rng: where everything else comes from.
    """
    lane = (aspect - 2 * _SIDE_MARGIN) / num_persons
    tracks = []
    for person in range(num_persons):
        height = rng.uniform(0.52, 0.6)
        segments = []
        for start in range(0, seconds - SEGMENT_SECONDS + 1, SEGMENT_SECONDS):
            middle = Pose(
                place=_SIDE_MARGIN + lane * (person + 0.5) + rng.uniform(-0.05, 0.05),
                depth=math.log(height) + rng.uniform(-0.05, 0.05),
                arm=math.radians(rng.uniform(-12, 12)),
            )
            reach = Pose(
                place=rng.uniform(0.09, 0.13), depth=rng.uniform(0.28, 0.36), arm=math.radians(rng.uniform(58, 70))
            )
            turn = int(rng.choice((-1, 1)))
            segments.append(Segment(start + SEGMENT_SECONDS // 2, deck.draw(), middle, reach, turn))
        # Arms point away from the middle of the frame, so that no hand is in another person's box.
        outward = np.sign(2 * person - (num_persons - 1))
        tracks.append(Track(person, int(outward or rng.choice((-1, 1))), tuple(segments)))
    return tracks


def reverse_of(action: Action) -> Action:
    """Returns another form of the same axis: the time reverse, and "forth" for a to-and-fro action."""
    form = "back" if action.form == "forth" else "forth"
    return next(other for other in ACTIONS if other.axis == action.axis and other.form == form)


def _between(first: Segment, second: Segment, seconds: float) -> Pose:
    """Returns the pose on the way from the end of one action to the start of the next."""
    leave, arrive = first.key_second + _HALF_ACTION, second.key_second - _HALF_ACTION
    share = (seconds - leave) / (arrive - leave)
    share = share * share * (3 - 2 * share)
    before, after = first.pose_at(leave), second.pose_at(arrive)
    return Pose(
        place=before.place + share * (after.place - before.place),
        depth=before.depth + share * (after.depth - before.depth),
        arm=before.arm + share * (after.arm - before.arm),
    )
