"""The boxes of one video, kept in files as soon as they are known: a killed run goes on where it stopped."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from alphaction.detection.base import Detections
from alphaction.engine.person_videos import OpenVideo
from alphaction.utils.errors import UserError
from alphaction.utils.files import write_text

# Boxes, scores and categories of one image, as JSON has them.
Columns = list[list]


@dataclass(frozen=True, slots=True, eq=False)
class VideoBoxes:
    """What was found in a video.

    Attributes:
        video: its name.
        path: the file, or the folder of one-second files.
        size: (width, height) of its frames, in pixels.
        fps: mean frames a second.
        num_frames: its length.
        times_ms: the n times looked at, in milliseconds.
        found: the boxes at each of them.
    """

    video: str
    path: Path
    size: tuple[int, int]
    fps: float
    num_frames: int
    times_ms: tuple[int, ...]
    found: tuple[Detections, ...]

    def num_boxes(self, score: float) -> int:
        """Returns how many boxes have at least this score."""
        return sum(int((boxes.scores >= score).sum()) for boxes in self.found)


class UnfinishedBoxes:
    """The boxes of the first times of a video, in a file that grows with each batch.

    Args:
        file: open for appending.
        columns: what the file holds, a row of columns a time.
    """

    def __init__(self, file: TextIO, columns: list[Columns]) -> None:
        self._file, self.columns = file, columns

    def __len__(self) -> int:
        return len(self.columns)

    def add(self, found: Sequence[Detections]) -> None:
        """Keeps the boxes of the next times.

        Raises:
            UserError: the file cannot be written.
        """
        new = [_to_columns(each) for each in found]
        try:
            self._file.writelines(json.dumps(columns) + "\n" for columns in new)
            self._file.flush()
        except OSError as error:
            raise UserError(f"Cannot write {self._file.name}: {error.strerror or error}.") from error
        self.columns += new


class KeptBoxes:
    """A folder with one file of boxes a video: ``<video>.json``, until it is whole ``<video>.unfinished.jsonl``.

    Args:
        folder: made when the first boxes are kept.
        settings: what decided the boxes; files with other ones are not used.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder, self._settings = folder, settings

    def load(self, video: OpenVideo) -> VideoBoxes | None:
        """Returns the boxes kept of a video, None if there are none of the same settings and file."""
        try:
            content = json.loads(self._file(video.name).read_text(encoding="utf-8"))
            if content["settings"] != self._settings_of(video):
                return None
            return _video_boxes(video, content["times_ms"], content["found"])
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None  # not there, or not ours: looked for again

    @contextmanager
    def unfinished(self, video: OpenVideo, times_ms: Sequence[int], batch: int) -> Iterator[UnfinishedBoxes]:
        """Yields the boxes that a stopped run has left, to add the others to.

        Args:
            video: as it is now; boxes of another file, other settings or other times are not used.
            times_ms: all times to look at.
            batch: times looked at together; of what was left, whole batches are used, so that the batches are those
                of a run that was not stopped.

        Raises:
            UserError: the folder cannot be written.
        """
        path = self._unfinished_file(video.name)
        header = {"settings": self._settings_of(video), "times_ms": list(times_ms)}
        columns = _read_unfinished(path, header)
        columns = columns[: len(columns) // batch * batch] if len(columns) < len(times_ms) else columns
        write_text(path, "".join(json.dumps(line) + "\n" for line in (header, *columns)))
        try:
            file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error
        with file:
            yield UnfinishedBoxes(file, columns)

    def save(self, video: OpenVideo, times_ms: Sequence[int], boxes: UnfinishedBoxes) -> VideoBoxes:
        """Keeps the boxes of a whole video and returns them; the file of the unfinished ones is removed.

        Raises:
            UserError: the folder cannot be written.
        """
        content = {"settings": self._settings_of(video), "times_ms": list(times_ms), "found": boxes.columns}
        write_text(self._file(video.name), json.dumps(content))
        self._unfinished_file(video.name).unlink(missing_ok=True)
        return _video_boxes(video, times_ms, boxes.columns)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _unfinished_file(self, name: str) -> Path:
        return self._folder / f"{name}.unfinished.jsonl"

    def _settings_of(self, video: OpenVideo) -> str:
        state = video.path.stat()
        return f"{self._settings}; {video.path.resolve()}, {state.st_size} bytes, {state.st_mtime_ns}"


def _video_boxes(video: OpenVideo, times_ms: Sequence[int], columns: Sequence[Columns]) -> VideoBoxes:
    found = tuple(_from_columns(each) for each in columns)
    return VideoBoxes(video.name, video.path, video.size, video.fps, video.num_frames, tuple(times_ms), found)


def _read_unfinished(path: Path, header: object) -> list[Columns]:
    """Returns the whole lines behind this header, up to one that is damaged; none behind another header."""
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if json.loads(first) != header:
            return []
    except (OSError, ValueError):
        return []
    columns: list[Columns] = []
    for line in lines:
        try:
            one = json.loads(line) if line.endswith("\n") else []
            _from_columns(one)
        except (ValueError, TypeError):
            break
        columns.append(one)
    return columns


def _to_columns(found: Detections) -> Columns:
    scores, categories = found.scores.astype(float).tolist(), found.categories.tolist()
    return [found.xyxy.astype(float).round(3).tolist(), scores, categories]


def _from_columns(columns: Columns) -> Detections:
    xyxy, scores, categories = columns
    return Detections(
        np.array(xyxy, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(categories, np.int64)
    )
