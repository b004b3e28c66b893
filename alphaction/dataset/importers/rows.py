"""Rows built one by one, and joined."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

# Up to here a number survives being read as a float, which readers of CSV do.
_LARGEST_ID = 2**53


class RowsBuilder:
    """Collects labelled persons as columns."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._video: list[int] = []
        self._time: list[int] = []
        self._xyxy: list[Sequence[float]] = []
        self._action: list[int] = []
        self._person: list[int] = []

    def add(self, key: ClipKey, xyxy: Sequence[float], action: int, person_id: int = -1) -> None:
        """Adds one label; the box is in fractions of the frame."""
        self._video.append(self._codes.setdefault(key.video, len(self._codes)))
        self._time.append(key.timestamp_ms)
        self._xyxy.append(xyxy)
        self._action.append(action)
        self._person.append(person_id)

    def rows(self) -> AvaRows:
        """Returns what was added, in that order.

        Raises:
            DataError: an id is larger than any that a file can hold.
        """
        largest = max(map(abs, [*self._action, *self._person]), default=0)
        if largest >= _LARGEST_ID:
            raise DataError(f"The class or person id {largest} is too large; ids go up to {_LARGEST_ID - 1}.")
        return make_rows(
            tuple(self._codes),
            np.array(self._video, np.int32),
            np.array(self._time, np.int64),
            np.array(self._xyxy, np.float64).reshape(-1, 4),
            np.array(self._action, np.int64),
            np.array(self._person, np.int64),
        )


def make_rows(
    videos: tuple[str, ...],
    video: NDArray[np.int32],
    timestamp_ms: NDArray[np.int64],
    xyxy: NDArray[np.float64],
    action: NDArray[np.int64],
    person_id: NDArray[np.int64],
    frames_without_boxes: tuple[ClipKey, ...] = (),
) -> AvaRows:
    """Returns labelled rows, whose score is 1."""
    return AvaRows(
        videos, video, timestamp_ms, xyxy, action, np.ones(len(video)), person_id, tuple(frames_without_boxes)
    )


def join_rows(parts: Sequence[AvaRows]) -> AvaRows:
    """Returns the rows of several files, one after the other."""
    codes: dict[str, int] = {}
    video = [
        np.array([codes.setdefault(name, len(codes)) for name in part.videos], np.int32)[part.video] for part in parts
    ]
    empty = dict.fromkeys(key for part in parts for key in part.frames_without_boxes)
    return AvaRows(
        tuple(codes),
        np.concatenate(video) if video else np.zeros(0, np.int32),
        np.concatenate([part.timestamp_ms for part in parts]),
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.action for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.person_id for part in parts]),
        tuple(empty),
    )


def rows_by_frame(rows: AvaRows) -> dict[ClipKey, NDArray[np.int64]]:
    """Returns the positions of the rows of each key frame, in their order."""
    keys, frame_of_row = rows.frame_index()
    order = np.argsort(frame_of_row, kind="stable")
    ends = np.searchsorted(frame_of_row[order], np.arange(len(keys)), side="right")
    return dict(zip(keys, np.split(order, ends[:-1]), strict=True)) if keys else {}
