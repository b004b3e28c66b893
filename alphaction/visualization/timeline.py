"""Which persons are shown at which moment of a video, given predictions of some key frames."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise, zip_longest

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import box_iou

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipPrediction

# Boxes of neighbouring key frames that overlap less belong to two persons.
_SAME_PERSON_IOU = 0.25


@dataclass(frozen=True, slots=True)
class Moment:
    """The persons of one key frame on their way to the next.

    Attributes:
        second: time of the key frame.
        boxes: its persons with scores.
        people: a number for each, the same at every key frame where the person is found again.
        is_moving: [n] bool, whether the next key frame has the person too.
        goal: [n, 4] where its box is then; ``boxes.xyxy`` for the others.
        goal_second: time of the next key frame, or None.
    """

    second: float
    boxes: Boxes
    people: tuple[int, ...]
    is_moving: Tensor
    goal: Tensor
    goal_second: float | None

    def at(self, second: float) -> Boxes:
        """Returns the boxes, moved in a straight line towards their places at the next key frame."""
        if self.goal_second is None:
            return self.boxes
        share = (second - self.second) / (self.goal_second - self.second)
        moved = torch.lerp(self.boxes.xyxy, self.goal, min(1.0, max(0.0, share)))
        return replace(self.boxes, xyxy=torch.where(self.is_moving[:, None], moved, self.boxes.xyxy))


class Timeline:
    """The predictions of one video by time.

    Args:
        predictions: of one video, with boxes, in any order, each time once.
        hold_seconds: how long a prediction is shown when the next one is later than that, or missing.

    Raises:
        ValueError: the predictions are of several videos, have no boxes, or repeat a time.
    """

    def __init__(self, predictions: Sequence[ClipPrediction], *, hold_seconds: float) -> None:
        ordered = sorted(predictions, key=lambda prediction: prediction.key.timestamp_ms)
        _check_predictions(ordered)
        self._hold_seconds = hold_seconds
        self._moments = _link(ordered, hold_seconds)
        self._seconds = [moment.second for moment in self._moments]

    def at(self, second: float) -> tuple[Boxes, tuple[int, ...]] | None:
        """Returns the persons shown at this time with their numbers, or None where nothing is known."""
        # Times of frames are fractions of a clock: a key frame may come out a hair early.
        index = bisect_right(self._seconds, second + 1e-3) - 1
        if index < 0:
            return None
        moment = self._moments[index]
        if second - moment.second > self._hold_seconds:
            return None
        return moment.at(second), moment.people


def _check_predictions(ordered: Sequence[ClipPrediction]) -> None:
    videos = sorted({prediction.key.video for prediction in ordered})
    if len(videos) > 1:
        raise ValueError(f"An annotated video shows the predictions of one video, got {', '.join(videos)}.")
    for prediction in ordered:
        if prediction.boxes is None:
            raise ValueError(f"The prediction of {prediction.key} has no boxes to draw.")
    for first, second in pairwise(ordered):
        if first.key == second.key:
            raise ValueError(f"There are two predictions of {first.key}.")


def _link(ordered: Sequence[ClipPrediction], hold_seconds: float) -> list[Moment]:
    moments: list[Moment] = []
    new_numbers = count()
    known: dict[int, int] = {}  # position among the boxes of a key frame -> number of the person
    for prediction, following in zip_longest(ordered, ordered[1:]):
        boxes = _boxes_of(prediction)
        people = tuple(known[i] if i in known else next(new_numbers) for i in range(len(boxes)))
        gap = 0.0 if following is None else _second(following) - _second(prediction)
        if following is None or gap > hold_seconds:
            moments.append(_still(prediction, people))
            known = {}
            continue
        there = _boxes_of(following).resize(boxes.size)
        pairs = _match(boxes, there)
        goal, is_moving = boxes.xyxy.clone(), torch.zeros(len(boxes), dtype=torch.bool)
        for start, end in pairs.items():
            goal[start], is_moving[start] = there.xyxy[end], True
        moments.append(Moment(_second(prediction), boxes, people, is_moving, goal, _second(following)))
        known = {end: people[start] for start, end in pairs.items()}
    return moments


def _still(prediction: ClipPrediction, people: tuple[int, ...]) -> Moment:
    boxes = _boxes_of(prediction)
    is_moving = torch.zeros(len(boxes), dtype=torch.bool)
    return Moment(_second(prediction), boxes, people, is_moving, boxes.xyxy, None)


def _second(prediction: ClipPrediction) -> float:
    return prediction.key.timestamp_ms / 1000


def _boxes_of(prediction: ClipPrediction) -> Boxes:
    assert prediction.boxes is not None
    return prediction.boxes.to("cpu")


def _match(here: Boxes, there: Boxes) -> dict[int, int]:
    """Returns position here -> position there of the persons that overlap most, one to one."""
    if not len(here) or not len(there):
        return {}
    overlap = box_iou(here.xyxy, there.xyxy)
    rows, columns = linear_sum_assignment(-overlap.numpy())
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if overlap[row, column] >= _SAME_PERSON_IOU
    }
