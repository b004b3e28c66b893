"""Boxes compared with the persons that are known to be there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.annotations import load_annotations
from alphaction.dataset.importers.csv_file import read_csv
from alphaction.dataset.importers.frame_size import require_same_size
from alphaction.dataset.importers.mot import corners_of, is_mot_person, read_mot_table
from alphaction.detection.base import PERSON
from alphaction.detection.evaluation import BoxScores, FrameBoxes, evaluate_boxes
from alphaction.engine.person_boxes import VideoBoxes
from alphaction.structures.clip import ClipKey
from alphaction.structures.overlap import box_iou
from alphaction.utils.errors import DataError

_MOT_COLUMNS = (9, 10)
_SAME = 0.5


def compare_with_truth(path: Path, videos: Sequence[VideoBoxes], threshold: float) -> BoxScores:
    """Returns how good the boxes are, at the times that were looked at and that the truth speaks about.

    Args:
        path: AVA CSV, AlphAction's JSON, or tracks in MOTChallenge's columns (named as their video, or of the only
            video).
        videos: boxes.
        threshold: score of a box that counts for recall and precision.

    Raises:
        DataError: the file cannot be used, or speaks of no time that was looked at.
    """
    is_mot = _is_mot(path)
    truth, unclear = _mot_truth(path, videos) if is_mot else (_annotated_truth(path, videos), {})
    if not truth:
        raise DataError(
            f"{path} speaks of no key frame that was looked at; the videos are "
            f"{', '.join(video.video for video in videos[:5])}. Are its times in seconds from their beginning?"
        )
    found = {
        ClipKey(video.video, time): FrameBoxes(persons.xyxy.astype(np.float64), persons.scores)
        for video in videos
        for time, boxes in zip(video.times_ms, video.found, strict=True)
        if len(persons := boxes.select(boxes.categories == PERSON))
    }
    judged = {
        key: _without_unclear(boxes, truth[key], unclear.get(key)) for key, boxes in found.items() if key in truth
    }
    return evaluate_boxes(truth, judged, threshold)


def _without_unclear(boxes: FrameBoxes, real: FrameBoxes, unclear: NDArray[np.float64] | None) -> FrameBoxes:
    """Returns the boxes without those on a person that the truth says not to judge."""
    if unclear is None or not len(unclear):
        return boxes
    is_real = (box_iou(boxes.xyxy, real.xyxy) >= _SAME).any(axis=1)
    judged = is_real | ~(box_iou(boxes.xyxy, unclear) >= _SAME).any(axis=1)
    return FrameBoxes(boxes.xyxy[judged], boxes.scores[judged])


def _annotated_truth(path: Path, videos: Sequence[VideoBoxes]) -> dict[ClipKey, FrameBoxes]:
    """Returns the persons of an annotation file, each once whatever the number of its actions."""
    rows = load_annotations(str(path)).rows
    keys, frame = rows.frame_index()
    place = {key: position for position, key in enumerate(keys)}
    listed = set(rows.keyframes)
    truth = {}
    for video in videos:
        for time in video.times_ms:
            key = ClipKey(video.video, time)
            if key in listed:
                own = rows.xyxy[frame == place[key]] if key in place else np.zeros((0, 4))
                boxes = np.unique(own, axis=0) * np.tile(video.size, 2)
                truth[key] = FrameBoxes(boxes, np.ones(len(boxes)))
    return truth


def _mot_truth(
    path: Path, videos: Sequence[VideoBoxes]
) -> tuple[dict[ClipKey, FrameBoxes], dict[ClipKey, NDArray[np.float64]]]:
    """Returns the persons at the looked-at times from the first to the last frame, and boxes that do not count."""
    table = read_mot_table(path)
    named = [video for video in videos if video.video in (path.stem, path.parent.name, path.parent.parent.name)]
    own = named or (videos if len(videos) == 1 else [])
    if len(own) != 1:
        raise DataError(f"The video of the tracks {path} cannot be told; name the file as its video.")
    require_same_size(path, own[0].video, corners_of(table) / np.tile(own[0].size, 2), own[0].size)
    truth, unclear = {}, {}
    for time in own[0].times_ms:
        frame = round(time / 1000 * own[0].fps) + 1
        if table[:, 0].min() <= frame <= table[:, 0].max():
            here = table[table[:, 0] == frame]
            corners = corners_of(here)
            used, key = (here[:, 6] != 0) & is_mot_person(here), ClipKey(own[0].video, time)
            truth[key] = FrameBoxes(corners[used], np.ones(int(used.sum())))
            unclear[key] = corners[~used]
    return truth, unclear


def _is_mot(path: Path) -> bool:
    if path.name.lower().endswith((".json", ".gz")):
        return False
    return len(next((cells for _, cells in read_csv(path)), [])) in _MOT_COLUMNS
