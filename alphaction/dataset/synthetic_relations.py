"""What generated people do to each other: actions that nobody can see from one person's own box.

A movie shows two people at a time, one in the left part of a wide frame and one in the right part, so far apart that
what a small network pools from the box of one holds nothing of the other. In a movie of a meeting, at every key frame
one person stands and the other walks towards it, walks away or stands as well. In a movie of following, one person
walks behind another, and two people of different clothes take turns in the lead.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from alphaction.dataset.synthetic_motion import ACTIONS, Pose, Segment, Track
from alphaction.dataset.synthetic_scene import Look, make_look

_T = TypeVar("_T")

# (width, height) of the frames in pixels. The distances hold for networks that see them at this size.
SIZE = (192, 64)
# How far beside a box, in pixels, what is pooled from it can see: 53 are half of Slowfast-Tiny's receptive field of
# 107 pixels, 16 the next cell of its map, which pooling reads as well, and 2 the shift of the cells to the right.
SIGHT_PIXELS = 71
RECALL_SECONDS = 5
# Key frames come at these seconds of every RECALL_SECONDS, so that each has one exactly that much earlier.
_KEY_PHASES = (1, 3)

CLASSES = (
    "walk left",
    "walk right",
    "stand",
    "wear red",
    "wear blue",
    "is approached by",
    "walks behind the same person as five seconds ago",
)
STAND, WEAR, APPROACHED, BEHIND_SAME = CLASSES[2], {"red": CLASSES[3], "blue": CLASSES[4]}, CLASSES[5], CLASSES[6]
# Way along the frame -> action.
WALK = {
    way: next(action for action in ACTIONS if action.name == name) for way, name in ((-1, CLASSES[0]), (1, CLASSES[1]))
}

_LEFT, _RIGHT = -1, 1
_PIXEL = 1 / SIZE[1]  # in heights of the frame
_HEIGHT = (36 * _PIXEL, 39 * _PIXEL)
_REACH = (9 * _PIXEL, 11 * _PIXEL)
# Distance of a person's middle from the nearer end of the frame; of one who is not there, outside.
_PLACE = (21 * _PIXEL, 29 * _PIXEL)
_OUTSIDE = -0.6
_ARM_DEGREES = (-68, -52)
_HUES = {"red": (-4, 4), "blue": (108, 116), "other": (25, 85)}
_LEADERS = ("red", "blue")
# What the other one does while one stands: 1 walks towards it, -1 away, 0 stands.
_MEETINGS = (1, 1, -1, 0)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person of a movie: how it moves, what it wears, and the colour of that ("red", "blue" or "other")."""

    track: Track
    look: Look
    colour: str

    def way(self, key_frame: int) -> int:
        """Returns 1 where it walks to the right at the key frame of this number, -1 to the left, 0 where it stands."""
        actions = self.track.segments[key_frame].actions
        return 0 if not actions else 1 if actions[0].form == "forth" else -1

    def place(self, key_frame: int) -> float:
        """Returns where its middle is, in heights of the frame from the left."""
        return self.track.segments[key_frame].middle.place

    def is_present(self, key_frame: int) -> bool:
        return 0 < self.place(key_frame) < SIZE[0] / SIZE[1]


def key_seconds(seconds: int) -> list[int]:
    """Returns the key frames of a movie of this length."""
    return [second for second in range(seconds) if second % RECALL_SECONDS in _KEY_PHASES]


class Director:
    """Makes the people of one movie after the other; over the movies all that matters comes equally often.

    Args:
        rng: where all randomness comes from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kinds = _Deck(("meeting", "following"), rng)
        self._meetings = _Deck([(side, way) for side in (_LEFT, _RIGHT) for way in _MEETINGS], rng)
        self._followers = _Deck((_LEFT, _RIGHT), rng)
        self._first_leaders = _Deck(_LEADERS, rng)
        self._changes = _Deck((True, False) * 4, rng)

    def make_movie(self, keys: Sequence[int]) -> list[Actor]:
        """Returns the people of the next movie with these key seconds."""
        return self._meeting(keys) if self._kinds.draw() == "meeting" else self._following(keys)

    def _meeting(self, keys: Sequence[int]) -> list[Actor]:
        ways: dict[int, list[int]] = {_LEFT: [], _RIGHT: []}
        for _ in keys:
            standing, towards = self._meetings.draw()
            ways[standing].append(0)
            ways[-standing].append(towards * standing)
        colours = [str(colour) for colour in self._rng.choice(list(_HUES), 2)]
        return [
            self._actor(person, side, colour, zip(keys, ways[side], strict=True))
            for person, (side, colour) in enumerate(zip((_LEFT, _RIGHT), colours, strict=True))
        ]

    def _following(self, keys: Sequence[int]) -> list[Actor]:
        follower = self._followers.draw()
        leads: dict[int, str] = {}
        for second in keys:
            before = leads.get(second - RECALL_SECONDS)
            leads[second] = self._first_leaders.draw() if before is None else before
            if before is not None and self._changes.draw():
                leads[second] = next(colour for colour in _LEADERS if colour != before)
        actors = [self._actor(0, follower, "other", ((second, -follower) for second in keys))]
        for person, colour in enumerate(_LEADERS, start=1):
            moves = ((second, -follower if leads[second] == colour else None) for second in keys)
            actors.append(self._actor(person, -follower, colour, moves))
        return actors

    def _actor(self, person_id: int, side: int, colour: str, moves: Iterator[tuple[int, int | None]]) -> Actor:
        """Returns a person; a move is a key second and the way it walks there (0 stands, None is not there)."""
        segments = tuple(self._segment(second, side, way) for second, way in moves)
        look = make_look(self._rng, float(self._rng.uniform(*_HUES[colour])))
        # The free arm points to the other side, so that a network can see which side a person is on.
        return Actor(Track(person_id, -side, segments), replace(look, trousers=look.shirt), colour)

    def _segment(self, second: int, side: int, way: int | None) -> Segment:
        from_end = self._rng.uniform(*_PLACE) if way is not None else _OUTSIDE
        middle = Pose(
            place=from_end if side == _LEFT else SIZE[0] / SIZE[1] - from_end,
            depth=math.log(self._rng.uniform(*_HEIGHT)),
            arm=math.radians(self._rng.uniform(*_ARM_DEGREES)),
        )
        reach = Pose(place=self._rng.uniform(*_REACH), depth=0, arm=0)
        return Segment(second, (WALK[way],) if way else (), middle, reach, turn=1)


def classes_of(actors: Sequence[Actor], person: int, key_frame: int) -> list[str]:
    """Returns what one of the people does at a key frame.

    Args:
        actors: the people of a movie.
        person: position of one who is present.
        key_frame: number of the key frame.
    """
    actor = actors[person]
    way = actor.way(key_frame)
    names = [WALK[way].name if way else STAND]
    if actor.colour in WEAR:
        names.append(WEAR[actor.colour])
    if way == 0 and _is_approached(actors, person, key_frame):
        names.append(APPROACHED)
    leader, before = _leader(actors, person, key_frame), _key_frame_before(actor, key_frame)
    if leader is not None and before is not None and _leader(actors, person, before) == leader:
        names.append(BEHIND_SAME)
    return names


def _is_approached(actors: Sequence[Actor], person: int, key_frame: int) -> bool:
    here = actors[person].place(key_frame)
    return any(
        other.is_present(key_frame) and other.way(key_frame) * (here - other.place(key_frame)) > 0 for other in actors
    )


def _leader(actors: Sequence[Actor], person: int, key_frame: int) -> int | None:
    """Returns the position of who walks ahead the same way, or None."""
    way, here = actors[person].way(key_frame), actors[person].place(key_frame)
    ahead = (
        position
        for position, other in enumerate(actors)
        if other.is_present(key_frame) and other.way(key_frame) == way and way * (other.place(key_frame) - here) > 0
    )
    return next(ahead, None)


def _key_frame_before(actor: Actor, key_frame: int) -> int | None:
    """Returns the number of the key frame RECALL_SECONDS earlier, or None."""
    seconds = [segment.key_second for segment in actor.track.segments]
    earlier = seconds[key_frame] - RECALL_SECONDS
    return seconds.index(earlier) if earlier in seconds else None


class _Deck(Generic[_T]):
    """Deals the values of a shuffled pack, again and again, so that each comes equally often."""

    def __init__(self, values: Sequence[_T], rng: np.random.Generator) -> None:
        self._dealt = self._deal(values, rng)

    def draw(self) -> _T:
        return next(self._dealt)

    @staticmethod
    def _deal(values: Sequence[_T], rng: np.random.Generator) -> Iterator[_T]:
        while True:
            for index in rng.permutation(len(values)):
                yield values[index]
