"""A detector's boxes beside the labelled ones: scores, videos and whether the two ever meet."""

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.box_threshold import ThresholdInForce
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.overlap import pair_iou

# A labelled person is found when a box overlaps it this much, as in the evaluation.
_FOUND_IOU = 0.5
# Videos with fewer labelled persons than this are not judged by themselves.
_ENOUGH_PERSONS = 5


def check_detections(truth: FileRows, boxes: FileRows, threshold: ThresholdInForce, findings: Findings) -> None:
    """Notes detector boxes that the evaluation can never use.

    Args:
        truth: labelled persons.
        boxes: a detector's boxes with scores.
        threshold: the score a box needs.
        findings: where they are noted.
    """
    rows = boxes.rows
    if not len(rows):
        remedy = "Run the detector again, or take box_file out of the data set file: labelled boxes are used then."
        findings.add("error", "boxes-empty", boxes.path, "the file holds no box", remedy)
        return
    _check_scores(boxes, threshold, findings)
    known = set(truth.rows.videos)
    strange = np.flatnonzero([name not in known for name in rows.videos])
    stray = np.flatnonzero(np.isin(rows.video, strange))
    findings.add_rows(
        "warning" if len(stray) < len(rows) else "error",
        "boxes-other-video",
        boxes.path,
        stray,
        boxes.place,
        lambda row: f'the video "{boxes.key(row).video}" has no labelled person',
        f"Take the names as they are in {truth.path}; such boxes are left out.",
    )
    if len(stray) < len(rows):
        _check_overlap(truth, boxes, threshold, findings)


def _check_scores(boxes: FileRows, threshold: ThresholdInForce, findings: Findings) -> None:
    score = boxes.rows.score
    findings.add_rows(
        "warning",
        "score-range",
        boxes.path,
        np.flatnonzero((score < 0) | (score > 1)),
        boxes.place,
        lambda row: f"the score {score[row]:g} is not within 0..1",
        "Scores are probabilities; divide percentages by 100.",
    )
    best = int(score.argmax())
    if score[best] < threshold.score:
        findings.add(
            "error",
            "score-threshold",
            boxes.path,
            f"no box reaches the score {threshold.score:g}; the best of {len(score)} has {score[best]:g}",
            f"Lower {threshold.source} to {score[best]:g} or less{_why(threshold)}.",
            places=[boxes.place(best)],
        )


def _check_overlap(truth: FileRows, boxes: FileRows, threshold: ThresholdInForce, findings: Findings) -> None:
    best, num_with_boxes = best_overlaps(truth.rows, boxes.rows)
    if not num_with_boxes:
        findings.add(
            "error",
            "boxes-other-times",
            boxes.path,
            f"no box is at a key frame of {truth.path}; the first is at {boxes.key(0)}",
            "Run the detector at the seconds of the labelled key frames.",
            places=[boxes.place(0)],
        )
        return
    found = best >= _FOUND_IOU
    if not found.any():
        row, num_compared = int(np.flatnonzero(best >= 0)[0]), int((best >= 0).sum())
        findings.add(
            "error" if num_compared >= _ENOUGH_PERSONS else "warning",
            "boxes-elsewhere",
            boxes.path,
            f"the detector's boxes never overlap a labelled person ({num_compared} compared; the first is "
            f"{truth.path}, {truth.place(row)}){_explain(truth.rows, boxes.rows)}",
            "Both files must have x1,y1,x2,y2 as fractions of the same frames, at the same seconds.",
        )
        return
    _check_each_video(truth, boxes, best, findings)
    good = best_overlaps(truth.rows, boxes.rows.select(boxes.rows.score >= threshold.score))[0] >= _FOUND_IOU
    findings.add(
        "info",
        "boxes-recall",
        boxes.path,
        f"{int(found.sum())} of {len(best)} labels have a box over their person, {int(good.sum())} of them one whose "
        f"score is at least {threshold.score:g}",
        f"Labels without a box count as missed; to keep more boxes, also wrong ones, lower {threshold.source}"
        f"{_why(threshold)}.",
    )


def _why(threshold: ThresholdInForce) -> str:
    return f" ({threshold.score:g} holds {threshold.why})" if threshold.why else ""


def _check_each_video(truth: FileRows, boxes: FileRows, best: NDArray[np.float64], findings: Findings) -> None:
    for code, video in enumerate(truth.rows.videos):
        here = (truth.rows.video == code) & (best >= 0)
        if here.sum() >= _ENOUGH_PERSONS and (best[here] < _FOUND_IOU).all():
            findings.add(
                "warning",
                "boxes-elsewhere-video",
                boxes.path,
                f'in the video "{video}" no detected box overlaps any of the {int(here.sum())} labelled ones',
                "Look at it (--sheet): the boxes may belong to another video or frame size.",
            )


def best_overlaps(truth: AvaRows, boxes: AvaRows) -> tuple[NDArray[np.float64], int]:
    """Returns [labels] the best overlap of each labelled box with a box of its key frame, -1 without any box.

    The second value is how many key frames have both.
    """
    truth_keys, truth_frame = truth.frame_index()
    place = {key: position for position, key in enumerate(truth_keys)}
    box_keys, box_frame = boxes.frame_index()
    frame_of_key = np.array([place.get(key, -1) for key in box_keys], np.int64)
    frame = frame_of_key[box_frame] if len(box_keys) else np.zeros(0, np.int64)
    order = np.argsort(frame, kind="stable")
    starts = np.searchsorted(frame[order], np.arange(len(truth_keys) + 1))
    count = np.diff(starts)[truth_frame] if len(truth_keys) else np.zeros(0, np.int64)  # [labels] boxes to compare
    label = np.repeat(np.arange(len(truth)), count)
    within = np.arange(len(label)) - np.repeat(np.cumsum(count) - count, count)
    other = order[starts[truth_frame[label]] + within] if len(label) else np.zeros(0, np.int64)
    best = np.where(count > 0, 0.0, -1.0)
    np.maximum.at(best, label, pair_iou(truth.xyxy[label], boxes.xyxy[other]))
    return best, int((frame_of_key >= 0).sum())


def _explain(truth: AvaRows, boxes: AvaRows) -> str:
    """Returns which other reading of the boxes would overlap, as a clause, or ""."""
    sizes = np.concatenate([boxes.xyxy[:, :2], boxes.xyxy[:, :2] + boxes.xyxy[:, 2:]], axis=1)
    for meaning, xyxy in (("x,y,width,height", sizes), ("y1,x1,y2,x2", boxes.xyxy[:, [1, 0, 3, 2]])):
        other = AvaRows(boxes.videos, boxes.video, boxes.timestamp_ms, xyxy, boxes.action, boxes.score, boxes.person_id)
        if (best_overlaps(truth, other)[0] >= _FOUND_IOU).any():
            return f"; read as {meaning} they do"
    return ""
