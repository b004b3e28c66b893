"""Boxes that another program has found, in place of a detector."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alphaction.detection.base import PERSON, Detections, Image
from alphaction.structures.ava_csv import AvaRows, load_person_boxes_csv
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError


class FileBoxes:
    """Looks boxes up by video and time.

    Args:
        rows: persons' boxes with scores.
        source: the file, for messages.
    """

    def __init__(self, rows: AvaRows, *, source: str) -> None:
        self._rows, self._source = rows, source
        self._videos = set(rows.videos) | {key.video for key in rows.frames_without_boxes}
        keys, frame = self._rows.frame_index()
        order = np.argsort(frame, kind="stable")
        ends = np.cumsum(np.bincount(frame, minlength=len(keys)))[:-1]
        self._places = dict(zip(keys, np.split(order, ends), strict=True)) if keys else {}
        self._times = sorted({*keys, *rows.keyframes})

    @classmethod
    def from_csv(cls, path: str | Path) -> "FileBoxes":
        """Returns the boxes of an AVA CSV: ``video,second,x1,y1,x2,y2,,score``.

        Raises:
            DataError: the file cannot be used.
        """
        return cls(load_person_boxes_csv(path), source=str(path))

    def times_ms(self, video: str) -> list[int]:
        """Returns the key frames the file has of a video, in milliseconds.

        Raises:
            DataError: the file does not mention the video.
        """
        if video not in self._videos:
            listed = ", ".join(sorted(self._videos)[:5]) or "nothing"
            raise DataError(f'{self._source} has no box of the video "{video}"; it is about {listed}.')
        return [key.timestamp_ms for key in self._times if key.video == video]

    def detect(self, images: Sequence[Image], keys: Sequence[ClipKey]) -> list[Detections]:
        """Returns the file's boxes of each key frame, best first; a time it does not list has none."""
        return [self._look_up(image, key) for image, key in zip(images, keys, strict=True)]

    def describe(self) -> str:
        return f"boxes of {self._source}, {len(self._rows)} rows, {self._rows.xyxy.sum():.6f}"

    def _look_up(self, image: Image, key: ClipKey) -> Detections:
        if key not in self._places:
            return Detections.empty()
        rows = self._rows.select(self._places[key])
        height, width = image.shape[:2]
        best_first = np.argsort(-rows.score, kind="stable")
        return Detections(
            (rows.xyxy * [width, height, width, height]).astype(np.float32),
            rows.score.astype(np.float32),
            np.full(len(rows), PERSON, np.int64),
        ).select(best_first)
