"""The frames of annotated seconds, read as training reads them: what is listed as whole may be damaged inside."""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.movie_checks import CUT_AGAIN, clip_sizes
from alphaction.dataset.frames import Window
from alphaction.dataset.sources import ClipFolder, Source
from alphaction.dataset.video_file import VideoError
from alphaction.structures.clip import ClipKey
from alphaction.utils.words import counted

# Annotated seconds that are read of each video, and of all videos together; but of each at least a few.
SECONDS_OF_A_VIDEO = 20
_SECONDS_OF_ALL = 1200
_AT_LEAST = 4
# A file of a movie that was cut short is among its smallest.
_SMALLEST_CLIPS = 5
# The window of a training with the settings as they come.
_WINDOW = Window(frame_num=32, sample_rate=2, fps=25)
_SHOWN_KEYS = 10
_DROP = "--fix OUT --drop videos"


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of the annotated seconds of a video.

    Attributes:
        num_times: annotated seconds.
        num_read: how many of them were looked at.
        failed: those that cannot be read, and why.
    """

    num_times: int
    num_read: int
    failed: Mapping[ClipKey, VideoError]


def seconds_of_each(num_videos: int, wanted: int | None) -> int:
    """Returns how many annotated seconds of each video are read; fewer of very many videos unless ``wanted`` says."""
    return wanted or max(_AT_LEAST, min(SECONDS_OF_A_VIDEO, _SECONDS_OF_ALL // max(num_videos, 1)))


def choose_times(source: Source, times_ms: Sequence[int], most: int) -> list[int]:
    """Returns annotated times that are read: the first, the last, evenly between, and those of very small clips."""
    if not times_ms:
        return []
    spread = np.linspace(0, len(times_ms) - 1, min(most, len(times_ms))).round().astype(int)
    chosen = {times_ms[position] for position in spread.tolist()}
    if isinstance(source, ClipFolder):
        sizes = {second: size for second, size in clip_sizes(source).items() if size}
        smallest = sorted(sizes, key=lambda second: sizes[second])[:_SMALLEST_CLIPS]
        chosen |= {time for time in times_ms if any(abs(time // 1000 - second) <= 1 for second in smallest)}
    return sorted(chosen)


def read_times(video: str, source: Source, times_ms: Sequence[int], most: int) -> Reading:
    """Returns what came of a video's annotated times; where one cannot be read, those beside it are read too."""
    outcomes = {time: _read(source, time) for time in choose_times(source, times_ms, most)}
    for time in _beside_failures(outcomes, times_ms):
        outcomes[time] = _read(source, time)
    failed = {ClipKey(video, time): error for time, error in sorted(outcomes.items()) if error is not None}
    return Reading(len(times_ms), len(outcomes), failed)


def _read(source: Source, time_ms: int) -> VideoError | None:
    try:
        source.read(time_ms, np.arange(_WINDOW.frame_num), _WINDOW)
    except VideoError as error:
        return error
    return None


def _beside_failures(outcomes: Mapping[int, VideoError | None], times_ms: Sequence[int]) -> list[int]:
    """Returns the times not yet read whose neighbour that was read before or after them failed."""
    known = sorted(outcomes)
    found = []
    for time in times_ms:
        after = bisect.bisect_right(known, time)
        if time not in outcomes and any(outcomes[known[i]] for i in (after - 1, after) if 0 <= i < len(known)):
            found.append(time)
    return found


def check_reading(reading: Reading, is_clips: bool, tables: Sequence[FileRows], findings: Findings) -> None:
    """Notes each file that cannot be read at annotated seconds, with these seconds and their rows."""
    of_file: dict[str, list[ClipKey]] = {}
    for key, error in reading.failed.items():
        is_noted = is_clips and "(0 bytes)" in error.reason  # as an empty clip
        if not is_noted:
            of_file.setdefault(error.path, []).append(key)
    for path, keys in of_file.items():
        frames = f"{len(keys)} of the {counted(reading.num_read, 'key frame')} read cannot be used"
        problem = f"{reading.failed[keys[0]].reason}; {frames}: {_rows_of(tables, keys)}"
        remedy = CUT_AGAIN if is_clips else "Replace the file"
        findings.add("error", "second-unreadable", path, problem, f"{remedy}, or leave these rows out ({_DROP}).")


def _rows_of(tables: Sequence[FileRows], keys: Sequence[ClipKey]) -> str:
    """Returns the first row of each key frame with its second, by annotation file."""
    listed: dict[str, list[str]] = {}
    for key in keys[:_SHOWN_KEYS]:
        table = next(table for table in tables if _is_at(table, key).any())
        row = int(np.argmax(_is_at(table, key)))
        listed.setdefault(table.path, []).append(f"{table.place(row)} ({key.timestamp_ms / 1000:g} s)")
    more = f" and {len(keys) - _SHOWN_KEYS} more" if len(keys) > _SHOWN_KEYS else ""
    return "; ".join(f"{path}, {', '.join(places)}" for path, places in listed.items()) + more


def _is_at(table: FileRows, key: ClipKey) -> NDArray[np.bool_]:
    rows = table.rows
    code = rows.videos.index(key.video) if key.video in rows.videos else -1
    return (rows.video == code) & (rows.timestamp_ms == key.timestamp_ms)
