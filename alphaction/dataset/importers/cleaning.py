"""Labels that cannot be used, found before anything is written: counted and named, never dropped in silence."""

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.importers.base import Imported
from alphaction.dataset.importers.video_folder import VideoFolder
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.utils.words import counted

_NO_AREA = "boxes without an area inside the frame"
_REPEATED = "labels that are there twice"


def keep_usable(imported: Imported, videos: VideoFolder) -> Imported:
    """Returns the labels with a video, a time within it and a box within its frame.

    Boxes that reach beyond the frame are cut at its edge.
    """
    rows = imported.rows
    reason = np.full(len(rows), "", object)
    for code, name in enumerate(rows.videos):
        here = rows.video == code
        problem, is_usable = _usable_times(name, rows.timestamp_ms[here], videos)
        reason[np.flatnonzero(here)[~is_usable]] = problem
    cut = np.clip(rows.xyxy, 0.0, 1.0)
    is_cut = (np.abs(cut - rows.xyxy) > 1e-9).any(axis=1)
    rows = replace(rows, xyxy=cut)
    # Files have five decimals: what is nothing in them is no box.
    reason[(reason == "") & (np.round(cut[:, 2:] - cut[:, :2], 5) <= 0).any(axis=1)] = _NO_AREA
    reason[(reason == "") & _is_repeated(rows, reason == "")] = _REPEATED
    left_out = imported.left_out + Counter(reason[reason != ""].tolist())
    num_cut = int((is_cut & (reason == "")).sum())
    empty = tuple(key for key in rows.frames_without_boxes if _is_usable_key(key, videos))
    notes = [*imported.notes]
    notes += [f"{counted(num_cut, 'label')} with a box that was cut at the edge of the frame."] * bool(num_cut)
    missing = [name for name in rows.videos if name not in videos]
    notes += [f"Not in {videos.root}: {', '.join(missing[:10])}{', ...' if len(missing) > 10 else ''}."] * bool(missing)
    notes += [f"The video {name} cannot be read: {why}." for name, why in sorted(videos.bad.items())]
    num_without = len(rows.frames_without_boxes) - len(empty)
    notes += [f"Left out: {counted(num_without, 'key frame')} without persons, in no video of the folder."] * bool(
        num_without
    )
    kept = replace(rows.select(reason == ""), frames_without_boxes=empty)
    return replace(imported, rows=kept, left_out=left_out, notes=tuple(notes))


def _usable_times(name: str, timestamp_ms: NDArray[np.int64], videos: VideoFolder) -> tuple[str, NDArray[np.bool_]]:
    """Returns why times of a video cannot be used, and [n] which of them can."""
    footage = videos.footage(name)
    if footage is None:
        why = "of videos that cannot be read" if name in videos.bad else f"of videos that are not in {videos.root}"
        return f"labels {why}", np.zeros(len(timestamp_ms), bool)
    is_within = (timestamp_ms >= footage.first * 1000) & (timestamp_ms <= footage.last * 1000 + 0.5)
    if footage.only_whole_seconds:
        return "labels at times of which there is no one-second clip", is_within & (timestamp_ms % 1000 == 0)
    return "labels at times outside their video", is_within


def _is_usable_key(key: ClipKey, videos: VideoFolder) -> bool:
    return bool(_usable_times(key.video, np.array([key.timestamp_ms]), videos)[1].all())


def _is_repeated(rows: AvaRows, is_candidate: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns [rows] whether an earlier candidate has the video, time, box, action and person of a candidate."""
    repeated = np.zeros(len(rows), bool)
    place = np.flatnonzero(is_candidate)
    if len(place):
        columns = (rows.video, rows.timestamp_ms, rows.action, rows.person_id)
        table = np.column_stack([*(column[place] for column in columns), np.round(rows.xyxy[place], 5)])
        _, first = np.unique(table, axis=0, return_index=True)
        repeated[place] = True
        repeated[place[first]] = False
    return repeated
