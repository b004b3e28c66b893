"""Where the frames of a movie come from: a folder of one-second files, or one file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.decode import DecodedFrames, Image, decode_at_times, decode_positions
from alphaction.dataset.frames import Window
from alphaction.dataset.video_file import VideoInfo, probe
from alphaction.utils.errors import DataError
from alphaction.utils.registry import nearest

# Decides between files of one stem, such as a video and its subtitles; a single file may end in anything.
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
)


@dataclass(frozen=True, slots=True)
class ClipFolder:
    """A movie cut into files of one second: ``<path>/<second>.mp4``; each begins at its whole second.

    Attributes:
        path: the movie's folder.
        first: earliest second there is.
        last: latest one.
        digits: width of the names, filled with zeros (``0902.mp4``).
    """

    path: str
    first: int
    last: int
    digits: int = 1

    def file(self, second: int) -> Path:
        return Path(self.path) / f"{second:0{self.digits}d}.mp4"

    def probe(self, timestamp_ms: int) -> VideoInfo:
        """Returns what the file of that second says of the movie's frames."""
        return probe(self.file(timestamp_ms // 1000))

    def read(self, timestamp_ms: int, positions: NDArray[np.int64], window: Window) -> DecodedFrames:
        """Returns the window's frames at ``positions``; before the first and after the last file, edges repeat.

        Raises:
            VideoError: a file is missing between others, or cannot be read.
        """
        second = timestamp_ms // 1000
        offsets = window.offsets(positions)
        if second == self.first:
            offsets = [max(offset, 0) for offset in offsets]
        images = self._walk(second, 1, sorted({offset for offset in offsets if offset >= 0}))
        images |= self._walk(second - 1, -1, sorted({offset for offset in offsets if offset < 0}))
        return _without_repeats([images[offset] for offset in offsets])

    def _walk(self, second: int, step: int, offsets: list[int]) -> dict[int, Image]:
        """Returns frames by offset, counted from the beginning (from the end where step is -1) of that second."""
        found: dict[int, Image] = {}
        passed = 0
        while offsets:
            is_edge = not self.first <= second + step <= self.last
            images, count = decode_positions(self.file(second), [o - passed for o in offsets], clamp=is_edge)
            found |= {place + passed: image for place, image in images.items()}
            offsets = [offset for offset in offsets if offset not in found]
            passed += step * count
            second += step
        return found


@dataclass(frozen=True, slots=True)
class WholeVideo:
    """A movie in one file, sampled by time."""

    path: str
    info: VideoInfo

    def read(self, timestamp_ms: int, positions: NDArray[np.int64], window: Window) -> DecodedFrames:
        """Returns the window's frames at ``positions``; before the first and after the last frame, edges repeat.

        Raises:
            VideoError: the file cannot be read.
        """
        times = window.seconds(positions, timestamp_ms, self.info.fps)
        return decode_at_times(self.path, times, self.info.start)


Source: TypeAlias = ClipFolder | WholeVideo


def find_movies(video_root: str | Path, videos: Sequence[str]) -> dict[str, ClipFolder | Path]:
    """Returns for each movie its folder of one-second files, or else the file ``<video_root>/<movie>.<any>``.

    Raises:
        DataError: ``video_root`` is no folder, movies are missing, or several files have a movie's name.
    """
    root = Path(video_root)
    if not root.is_dir():
        raise DataError(f"video_root {root} is not a folder; it must hold the videos or the folders of clips.")
    files: dict[str, list[Path]] = {}
    for path in root.iterdir():
        if path.is_file():
            files.setdefault(path.stem, []).append(path)
    found = {video: _clip_folder(root / video) or _only_file(video, files.get(video, [])) for video in videos}
    missing = [video for video in videos if found[video] is None]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(videos)} videos are not in {root}, neither as a folder of one-second clips nor "
            f"as a file: {', '.join(missing[:10])}{', ...' if len(missing) > 10 else ''}. Names have no file ending; "
            f"for the first, {nearest(missing[0], [path.stem for path in root.iterdir()])}"
        )
    return {video: movie for video, movie in found.items() if movie is not None}


def _only_file(video: str, files: Sequence[Path]) -> Path | None:
    likely = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES] or list(files)
    if len(likely) > 1:
        names = ", ".join(sorted(path.name for path in likely))
        raise DataError(f'Several files in {likely[0].parent} are the video "{video}": {names}. Keep one of them.')
    return likely[0] if likely else None


def _clip_folder(path: Path) -> ClipFolder | None:
    if not path.is_dir():
        return None
    names = [entry.stem for entry in path.glob("*.mp4") if entry.stem.isdecimal()]
    if not names:
        return None
    seconds = [int(name) for name in names]
    padded = [len(name) for name in names if len(name) > 1 and name.startswith("0")]
    return ClipFolder(str(path), min(seconds), max(seconds), max(padded, default=1))


def _without_repeats(images: Sequence[Image]) -> DecodedFrames:
    places: dict[int, int] = {}
    index = [places.setdefault(id(image), len(places)) for image in images]
    distinct = list({id(image): image for image in images}.values())
    return DecodedFrames(distinct, np.array(index, np.int64))
