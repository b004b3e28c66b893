"""The videos that persons are looked for in: found, opened, and read at key frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from alphaction.dataset.decode import Image, decode_at_times
from alphaction.dataset.frames import Window
from alphaction.dataset.sources import VIDEO_SUFFIXES, ClipFolder, Source, WholeVideo, find_movies
from alphaction.dataset.video_file import VideoError, probe
from alphaction.utils.errors import DataError

# Frames of one call of the decoder: it begins at a key frame of the file each time. So much memory at most.
_MOST_FRAMES, _MOST_BYTES = 64, 256_000_000
_KEY_FRAME_ONLY = Window(frame_num=0, sample_rate=1, fps=0)


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """A video that can be read.

    Attributes:
        name: without folder and suffix.
        path: the file, or the folder of one-second files.
        source: where frames come from.
        size: (width, height) of its frames, in pixels.
        fps: mean frames a second.
        seconds: its length.
    """

    name: str
    path: Path
    source: Source
    size: tuple[int, int]
    fps: float
    seconds: float

    @property
    def num_frames(self) -> int:
        return max(round(self.seconds * self.fps), 1)

    def key_times_ms(self, every: float) -> list[int]:
        """Returns the times from 0 (of one-second files: their first) on, ``every`` seconds, in milliseconds.

        Raises:
            VideoError: between whole seconds of one-second files.
        """
        if isinstance(self.source, ClipFolder):
            if every % 1:
                raise VideoError(self.path, "one-second clips have key frames at whole seconds only")
            return [second * 1000 for second in range(self.source.first, self.source.last + 1, int(every))]
        count = int(np.ceil(self.seconds / every - 1e-6))
        return [round(place * every * 1000) for place in range(max(count, 1))]

    def read(self, times_ms: Sequence[int], batch: int, first: int = 0) -> Iterator[tuple[list[int], list[Image]]]:
        """Yields times and their images, ``batch`` at a time.

        Args:
            times_ms: rising times.
            batch: images at once.
            first: where to begin in ``times_ms``, a multiple of ``batch`` (or its length): the rest is read in the
                same parts as from the beginning.

        Raises:
            VideoError: the video cannot be read there.
        """
        step = max(min(_MOST_FRAMES, _MOST_BYTES // (3 * self.size[0] * self.size[1])) // batch, 1) * batch
        for start in range(first // step * step, len(times_ms), step):
            part = list(times_ms[start : start + step])
            begin = max(first - start, 0)
            images = self._decode(part) if begin < len(part) else []
            for place in range(begin, len(part), batch):
                yield part[place : place + batch], images[place : place + batch]

    def _decode(self, times_ms: Sequence[int]) -> list[Image]:
        if isinstance(self.source, WholeVideo):
            times = [Fraction(time, 1000) for time in times_ms]
            decoded = decode_at_times(self.source.path, times, self.source.info.start)
            return [decoded.frames[place] for place in decoded.index]
        position = np.zeros(1, np.int64)
        return [self.source.read(time, position, _KEY_FRAME_ONLY).frames[0] for time in times_ms]


def list_videos(places: Sequence[Path]) -> dict[str, Path]:
    """Returns the videos by name.

    Args:
        places: videos, folders of them, or folders of folders of one-second clips (``<video>/<second>.mp4``).

    Raises:
        DataError: a place does not exist, two videos have one name, or there is none.
    """
    found: dict[str, Path] = {}
    for place in places:
        if not place.exists():
            raise DataError(f"There is no video or folder {place}.")
        for path in [place] if place.is_file() else _videos_of(place):
            name = path.name if path.is_dir() else path.stem
            if name in found and found[name].resolve() != path.resolve():
                raise DataError(f'{found[name]} and {path} are both the video "{name}"; rename one of them.')
            found[name] = path
    if not found:
        listed = ", ".join(str(place) for place in places)
        deeper = [str(folder) for place in places for folder in sorted(place.iterdir()) if _holds_videos(folder)]
        remedy = (
            f"give its folder {', '.join(deeper[:5])}" if deeper else f"a video ends in {', '.join(VIDEO_SUFFIXES)}"
        )
        raise DataError(f"There is no video in {listed}; {remedy}.")
    return found


def open_one(name: str, path: Path) -> OpenVideo:
    """Returns a video, opened.

    Raises:
        VideoError: it cannot be read.
    """
    if path.is_dir():
        folder = find_movies(path.parent, [name])[name]
        if not isinstance(folder, ClipFolder):
            raise VideoError(path, "holds no files <second>.mp4")
        info = folder.probe(folder.first * 1000)
        return OpenVideo(name, path, folder, (info.width, info.height), info.fps, folder.last + 1.0)
    info = probe(path)
    return OpenVideo(name, path, WholeVideo(str(path), info), (info.width, info.height), info.fps, info.duration)


def _videos_of(folder: Path) -> list[Path]:
    if _is_clip_folder(folder):
        return [folder]
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [
        path for path in entries if (path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES) or _is_clip_folder(path)
    ]


def _holds_videos(folder: Path) -> bool:
    return folder.is_dir() and bool(_videos_of(folder))


def _is_clip_folder(path: Path) -> bool:
    return path.is_dir() and any(entry.stem.isdecimal() for entry in path.glob("*.mp4"))
