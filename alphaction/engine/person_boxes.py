"""The boxes of one video, kept in a file as soon as they are known: a killed run goes on with the next video."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.detection.base import Detections
from alphaction.engine.person_videos import OpenVideo
from alphaction.utils.errors import UserError
from alphaction.utils.files import write_text


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


class KeptBoxes:
    """A folder with one file of boxes a video.

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
            found = tuple(_from_columns(columns) for columns in content["found"])
            times = tuple(content["times_ms"])
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None  # not there, or not ours: looked for again
        return VideoBoxes(video.name, video.path, video.size, video.fps, video.num_frames, times, found)

    def save(self, video: OpenVideo, boxes: VideoBoxes) -> None:
        """Keeps the boxes of a video.

        Raises:
            UserError: the folder cannot be written.
        """
        content = {
            "settings": self._settings_of(video),
            "times_ms": boxes.times_ms,
            "found": [_to_columns(found) for found in boxes.found],
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot write {self._folder}: {error.strerror or error}.") from error
        write_text(self._file(video.name), json.dumps(content))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _settings_of(self, video: OpenVideo) -> str:
        state = video.path.stat()
        return f"{self._settings}; {video.path.resolve()}, {state.st_size} bytes, {state.st_mtime_ns}"


def _to_columns(found: Detections) -> list[list]:
    scores, categories = found.scores.astype(float).tolist(), found.categories.tolist()
    return [found.xyxy.astype(float).round(3).tolist(), scores, categories]


def _from_columns(columns: list[list]) -> Detections:
    xyxy, scores, categories = columns
    return Detections(
        np.array(xyxy, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(categories, np.int64)
    )
