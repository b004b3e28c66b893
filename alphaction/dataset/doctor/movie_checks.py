"""Where the videos of a data set are, what can be known without opening them, and what only their files say."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.spelling import respell
from alphaction.dataset.sources import ClipFolder, find_movies
from alphaction.dataset.video_file import VideoInfo
from alphaction.utils.errors import DataError
from alphaction.utils.registry import nearest
from alphaction.utils.words import counted

_SHOWN_NAMES = 10
# The tool that cuts movies keeps the files that exist.
CUT_AGAIN = "Delete the file and cut the movie again (tools/process_ava_videos.py)"
Place = ClipFolder | Path


def find_places(table: FileRows, video_root: str, findings: Findings) -> dict[str, Place]:
    """Returns where the videos of the rows are; those that are missing or not unique are noted."""
    videos = table.rows.videos
    root = Path(video_root)
    if not root.is_dir():
        findings.add(
            "error",
            "videos-root",
            table.path,
            f"video_root {root} is not a folder; missing are {counted(len(videos), 'video')}: {_names(table, videos)}",
            "Correct video_root in the data set file; it is relative to that file.",
        )
        return {}
    try:
        return dict(find_movies(root, videos))
    except DataError:
        return _find_one_by_one(table, root, findings)


def _find_one_by_one(table: FileRows, root: Path, findings: Findings) -> dict[str, Place]:
    found: dict[str, Place] = {}
    missing = []
    for video in table.rows.videos:
        try:
            found |= find_movies(root, [video])
        except DataError as error:
            if str(error).startswith("Several"):
                problem, remedy = str(error).rsplit(". ", 1)
                findings.add("error", "video-ambiguous", table.path, problem, remedy, places=[_place(table, video)])
            else:
                missing.append(video)
    if missing:
        close = _why_missing(missing[0], root)
        hint = f"; for the first, {close}" if close else ""
        findings.add(
            "error",
            "videos-missing",
            table.path,
            f"{len(missing)} of {len(table.rows.videos)} videos are not in {root}: {_names(table, missing)}{hint}",
            "Put them there as <video>.<ending> or as a folder of one-second clips; names in rows have no ending."
            + (" --fix corrects case and ending." if respell(missing, root) else ""),
            places=[_place(table, missing[0])],
        )
    return found


def _why_missing(video: str, root: Path) -> str:
    """Returns what bears a video's name and is none, or which name is close, "" for neither."""
    for path in sorted(root.iterdir()):
        if video in (path.stem, path.name):
            return dangling(path) or _why_no_video(path)
    close = nearest(video, [path.stem for path in root.iterdir()])
    return close if close.startswith("did you mean") else ""


def dangling(path: Path) -> str:
    """Returns to which file that is not there a path is a link, "" for all others."""
    is_dangling = path.is_symlink() and not path.exists()
    return f"{path.name} is a link to {os.readlink(path)}, a file that is not there" if is_dangling else ""


def _why_no_video(path: Path) -> str:
    if path.is_dir():
        return f"{path.name} is a folder without one-second clips (<second>.mp4)"
    if path.is_file():
        return f'did you mean "{path.stem}"?'
    return f"{path.name} is neither a file nor a folder"


def check_clip_seconds(table: FileRows, places: Mapping[str, Place], findings: Findings, *, is_quick: bool) -> None:
    """Notes key frames that the one-second files of their movie do not cover, and empty files.

    A quick check looks at the first and last second only: a data set of movies has very many files.
    """
    rows = table.rows
    seconds, rest = np.divmod(rows.timestamp_ms, 1000)
    for code, video in enumerate(rows.videos):
        folder = places.get(video)
        if not isinstance(folder, ClipFolder):
            continue
        here = rows.video == code
        _note_times(table, here & (rest != 0), "clips have key frames at whole seconds only", findings)
        outside = here & (rest == 0) & ((seconds < folder.first) | (seconds > folder.last))
        hint = _unit_hint(seconds[here].astype(float), folder.last) if outside.any() else ""
        why = f"there are clips of the seconds {folder.first} to {folder.last}{hint}"
        _note_times(table, outside, why, findings)
        if not is_quick:
            sizes = clip_sizes(folder)
            is_missing = here & (rest == 0) & ~outside & ~np.isin(seconds, list(sizes))
            _note_times(table, is_missing, f"{folder.path} lacks that second", findings)
            empty = [second for second, size in sizes.items() if size == 0]
            _note_empty_clips(table, here, folder, empty, findings)


def clip_sizes(folder: ClipFolder) -> dict[int, int]:
    """Returns second -> bytes of the files of a movie, by second."""
    with os.scandir(folder.path) as entries:
        files = [(Path(entry.name), entry.stat().st_size) for entry in entries if entry.is_file()]
    return dict(sorted((int(p.stem), size) for p, size in files if p.suffix == ".mp4" and p.stem.isdecimal()))


def _note_empty_clips(
    table: FileRows, here: NDArray[np.bool_], folder: ClipFolder, seconds: list[int], findings: Findings
) -> None:
    if seconds:
        # a window reaches into the seconds beside its own
        is_near = here & np.isin(table.rows.timestamp_ms // 1000, [s + step for s in seconds for step in (-1, 0, 1)])
        used = f"; it is read for {table.path}, {table.place(int(np.argmax(is_near)))}" if is_near.any() else ""
        findings.add(
            "error",
            "clip-empty",
            folder.path,
            f"the file {folder.file(seconds[0]).name} is empty (0 bytes){used}",
            f"{CUT_AGAIN}, or leave the rows out (--fix OUT --drop videos).",
            places=[f"second {second}" for second in seconds],
        )


def check_durations(table: FileRows, infos: Mapping[str, VideoInfo], findings: Findings) -> None:
    """Notes key frames after the end of their video; ``infos`` are those of whole videos."""
    lengths = np.array([infos[video].duration if video in infos else np.inf for video in table.rows.videos])
    if len(table.rows):
        late = table.rows.timestamp_ms > lengths[table.rows.video] * 1000 + 0.5
        for code in np.unique(table.rows.video[late]).tolist():
            here = table.rows.video == code
            info = infos[table.rows.videos[code]]
            hint = _unit_hint(table.rows.timestamp_ms[here] / 1000, info.duration, info.fps)
            _note_times(table, here & late, f"the video lasts {lengths[code]:.2f} s{hint}", findings)


def _unit_hint(times: NDArray[np.float64], last: float, fps: float = 0.0) -> str:
    """Returns what the times of a video may be instead of seconds, "" unless all but 0 are after its last second."""
    units = {1000.0: "milliseconds"}
    if fps:
        units = {fps: f"frame numbers, of which it has {fps:g} a second", **units}
    if times[times > 0].min(initial=np.inf) > last:
        for factor, unit in units.items():
            if times.max() / factor <= last:
                return f"; all its times look like {unit}: divide them by {factor:g}"
    return ""


def first_place(tables: list[FileRows], video: str) -> str:
    """Returns the file and row that name a video first."""
    return next((f"{table.path}, {_place(table, video)}" for table in tables if video in table.rows.videos), "")


def _note_times(table: FileRows, mask: NDArray[np.bool_], why: str, findings: Findings) -> None:
    findings.add_rows(
        "error",
        "time-outside",
        table.path,
        np.flatnonzero(mask),
        table.place,
        lambda row: f"the key frame {table.key(row)} is outside its video ({why})",
        "Times are seconds from the beginning of the video; correct them, or --fix --drop times.",
    )


def _place(table: FileRows, video: str) -> str:
    return table.place(int(np.argmax(table.rows.video == table.rows.videos.index(video))))


def _names(table: FileRows, videos: list[str] | tuple[str, ...]) -> str:
    listed = [f"{video} ({_place(table, video)})" for video in videos[:_SHOWN_NAMES]]
    return ", ".join(listed) + (f" and {len(videos) - _SHOWN_NAMES} more" if len(videos) > _SHOWN_NAMES else "")
