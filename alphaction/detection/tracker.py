"""Persons followed from frame to frame by the overlap of their boxes, after SORT (Bewley et al., 2016)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from alphaction.detection.base import PERSON, Detections
from alphaction.structures.overlap import box_iou
from alphaction.structures.tracks import PersonTrack


@dataclass(frozen=True, slots=True)
class TrackerRules:
    """What makes boxes one person.

    Attributes:
        start_score: a box of this score that fits no person is a new one; others only continue a track.
        min_iou: least overlap of a box with the place where a person is expected.
        max_gap_seconds: a person unseen for longer is forgotten.
        max_inside: a box of which a larger share lies within a better one is the same person seen twice.
        min_boxes: tracks of fewer boxes are left out: a detector's mistakes seldom last.
        velocity_share: weight of the newest movement in the velocity, 0 to 1.
    """

    start_score: float = 0.4
    min_iou: float = 0.1
    max_gap_seconds: float = 2.0
    max_inside: float = 0.65
    min_boxes: int = 3
    velocity_share: float = 0.3


@dataclass(slots=True, eq=False)
class _Person:
    """A track while it grows."""

    seconds: list[float]
    boxes: list[NDArray[np.float64]]
    scores: list[float]
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))

    def expected(self, second: float) -> NDArray[np.float64]:
        """Returns where the box is if the person goes on as before."""
        return self.boxes[-1] + self.velocity * (second - self.seconds[-1])

    def add(self, second: float, box: NDArray[np.float64], score: float, share: float) -> None:
        centre = (box + np.roll(box, 2)) / 2 - (self.boxes[-1] + np.roll(self.boxes[-1], 2)) / 2
        step = centre / (second - self.seconds[-1])  # the size is taken as it is seen
        self.velocity = share * step + (1 - share) * self.velocity
        self.seconds.append(second)
        self.boxes.append(box)
        self.scores.append(score)


def track_persons(
    video: str,
    seconds: Sequence[float],
    detections: Sequence[Detections],
    size: tuple[int, int],
    rules: TrackerRules = TrackerRules(),
) -> list[PersonTrack]:
    """Returns the persons of a video, numbered from 1 in the order in which they appear.

    Good boxes find their person first, then weak ones may continue a track that found none (ByteTrack, Zhang et al.,
    2022). Times at which a person was missed lie on a straight line between the boxes around them.

    Args:
        video: its name.
        seconds: rising times.
        detections: the boxes at each time; other categories than persons are passed over.
        size: (width, height) of the frames, in pixels.
        rules: what makes boxes one person.
    """
    growing: list[_Person] = []
    finished: list[_Person] = []
    scale = np.array([*size, *size], np.float64)
    for second, found in zip(seconds, detections, strict=True):
        persons = found.select(found.categories == PERSON)
        persons = persons.select(_seen_once(persons, rules.max_inside))
        lost = [person for person in growing if second - person.seconds[-1] > rules.max_gap_seconds]
        finished += lost
        growing = [person for person in growing if person not in lost]
        growing += _continue_tracks(growing, second, persons.xyxy / scale, persons.scores, rules)
    kept = [person for person in finished + growing if len(person.boxes) >= rules.min_boxes]
    kept.sort(key=lambda person: (person.seconds[0], *person.boxes[0]))
    return [_fill_gaps(video, number, person, seconds) for number, person in enumerate(kept, start=1)]


def _seen_once(persons: Detections, max_inside: float) -> NDArray[np.int64]:
    """Returns the positions of the boxes that do not lie within a better one, nor hold one, best first."""
    kept: list[int] = []
    areas = (persons.xyxy[:, 2:] - persons.xyxy[:, :2]).prod(axis=1)
    for place in np.argsort(-persons.scores, kind="stable").tolist():
        low = np.maximum(persons.xyxy[place, :2], persons.xyxy[kept, :2])
        high = np.minimum(persons.xyxy[place, 2:], persons.xyxy[kept, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        if (shared <= max_inside * np.minimum(areas[place], areas[kept])).all():
            kept.append(place)
    return np.array(kept, np.int64)


def _continue_tracks(
    growing: list[_Person],
    second: float,
    boxes: NDArray[np.float64],
    scores: NDArray[np.float32],
    rules: TrackerRules,
) -> list[_Person]:
    """Gives the boxes of one time to the persons; returns the new persons."""
    good, weak = np.flatnonzero(scores >= rules.start_score), np.flatnonzero(scores < rules.start_score)
    pairs = _assign(growing, second, boxes[good], rules.min_iou)
    for person, place in pairs:
        growing[person].add(second, boxes[good[place]], float(scores[good[place]]), rules.velocity_share)
    taken, found = {person for person, _ in pairs}, {place for _, place in pairs}
    waiting = [person for place, person in enumerate(growing) if place not in taken]
    for person, place in _assign(waiting, second, boxes[weak], rules.min_iou):
        waiting[person].add(second, boxes[weak[place]], float(scores[weak[place]]), rules.velocity_share)
    new = [place for row, place in enumerate(good.tolist()) if row not in found]
    return [_Person([second], [boxes[place]], [float(scores[place])]) for place in new]


def _assign(
    persons: Sequence[_Person], second: float, boxes: NDArray[np.float64], min_iou: float
) -> list[tuple[int, int]]:
    """Returns (person, box) pairs with the largest sum of overlaps, each at least ``min_iou``."""
    if not persons or not len(boxes):
        return []
    shared = box_iou(np.stack([person.expected(second) for person in persons]), boxes)
    rows, columns = linear_sum_assignment(-np.where(shared >= min_iou, shared, 0.0))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if shared[i, j] >= min_iou]


def _fill_gaps(video: str, number: int, person: _Person, seconds: Sequence[float]) -> PersonTrack:
    times = np.array([t for t in seconds if person.seconds[0] <= t <= person.seconds[-1]], np.float64)
    boxes = np.stack(person.boxes)
    xyxy = np.column_stack([np.interp(times, person.seconds, column) for column in boxes.T])
    scores = np.interp(times, person.seconds, person.scores)
    return PersonTrack.without_actions(video, number, times, xyxy, scores)
