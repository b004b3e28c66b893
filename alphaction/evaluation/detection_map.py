"""Frame mAP of AVA from arrays: one pass over the overlaps of a key frame serves all classes and thresholds.

The rule is that of the evaluator published with AVA: per class, detections in order of falling score; each looks at
the ground-truth box of its class it overlaps most, at no other one, and is right when the overlap reaches the
threshold and that box was not taken before. AP is the area under the precision-recall curve with precision made
monotone. Of equal scores that of the later key frame comes first, then input order decides: what that evaluator does
when its sort is stable and its key frames come in ascending order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.overlap import pair_iou

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.floating]
# IoU thresholds of mAP@0.5:0.95.
COCO_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """The G ground-truth rows: a person with two actions is two rows with one box.

    Attributes:
        boxes: [G, 4] left, top, right, bottom, in the units of the detections; an edge is no pixel wide.
        frame: [G] number of the key frame.
        column: [G] class, 0 .. K-1.
    """

    boxes: FloatArray
    frame: IntArray
    column: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """D boxes and their M scores, by class.

    Attributes:
        boxes: [D, 4] like those of the ground truth.
        frame: [D] number of the key frame.
        box: [M] which of the D boxes a score belongs to; rows of a class are consecutive, the last key frame first.
        score: [M].
        starts: [K + 1]; class k has the rows ``starts[k]`` up to ``starts[k + 1]``.
        num_invalid: scores left out because their box has no area.
    """

    boxes: FloatArray
    frame: IntArray
    box: IntArray
    score: FloatArray
    starts: IntArray
    num_invalid: int = 0

    @classmethod
    def from_scores(
        cls, boxes: FloatArray, frame: IntArray, scores: FloatArray, threshold: float = -np.inf
    ) -> "Detections":
        """Returns detections of D boxes that have [D, K] ``scores``; scores below ``threshold`` are left out."""
        order = np.argsort(-frame, kind="stable")
        boxes, frame, scores = boxes[order], frame[order], scores[order]
        valid = _has_area(boxes)
        kept = (scores >= threshold).T  # [K, D]
        num_invalid = int(np.count_nonzero(kept[:, ~valid]))
        kept &= valid
        starts = np.concatenate([[0], np.cumsum(np.count_nonzero(kept, axis=1))])
        box = np.broadcast_to(np.arange(len(boxes), dtype=np.int32), kept.shape)[kept]
        return cls(boxes, frame, box, scores.T[kept], starts, num_invalid)

    @classmethod
    def from_rows(
        cls, boxes: FloatArray, frame: IntArray, column: IntArray, score: FloatArray, num_classes: int
    ) -> "Detections":
        """Returns detections of M rows, each with a box of its own, [M, 4], and a class.

        Neighbouring rows of one box, as a result file has them, share its overlaps.
        """
        valid = _has_area(boxes)
        rows = np.flatnonzero(valid)
        first, box = _runs(boxes[rows], frame[rows])
        order = np.lexsort((-frame[rows], column[rows]))
        starts = np.searchsorted(column[rows][order], np.arange(num_classes + 1))
        distinct = rows[first]
        return cls(boxes[distinct], frame[distinct], box[order], score[rows][order], starts, len(valid) - len(rows))

    def num_of_class(self) -> IntArray:
        """Returns [K] the number of scores of each class."""
        return np.diff(self.starts)

    def detected_frames(self) -> IntArray:
        """Returns the numbers of the key frames that have a score, ascending."""
        has_score = np.zeros(len(self.boxes), bool)
        has_score[self.box] = True
        return np.unique(self.frame[has_score])


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class: ``ap`` has a value a threshold and is None without ground truth; ``num_tp`` is at the first one."""

    ap: tuple[float, ...] | None
    num_gt: int
    num_det: int
    num_tp: int


@dataclass(frozen=True, slots=True)
class MapResult:
    """All K classes at all thresholds."""

    thresholds: tuple[float, ...]
    classes: tuple[ClassResult, ...]

    def mean(self, threshold: float | None = None, columns: Sequence[int] | None = None) -> float | None:
        """Returns the mean AP of the classes (all, or ``columns``) that have ground truth; None if none has.

        Args:
            threshold: one of ``thresholds``; None takes the mean over all of them.
            columns: which classes.
        """
        chosen = self.classes if columns is None else [self.classes[column] for column in columns]
        values = [result.ap for result in chosen if result.ap is not None]
        if not values:
            return None
        table = np.array(values)  # [classes, thresholds]
        return float(table.mean() if threshold is None else table[:, self.thresholds.index(threshold)].mean())


def detection_map(
    truth: GroundTruth,
    detections: Detections,
    num_classes: int,
    thresholds: Sequence[float] = COCO_THRESHOLDS,
) -> MapResult:
    """Returns AP of every class at every IoU threshold.

    All detections are judged, also those in key frames without ground truth; leave out excluded key frames before.
    """
    matches = _best_matches(truth, detections, num_classes, min(thresholds))
    num_gt = np.bincount(truth.column, minlength=num_classes)
    entry_of_box = np.full(len(detections.boxes), -1, np.int32)
    results = []
    for k in range(num_classes):
        rows = slice(detections.starts[k], detections.starts[k + 1])
        entries = slice(matches.starts[k], matches.starts[k + 1])
        entry_of_box[matches.box[entries]] = np.arange(entries.start, entries.stop, dtype=np.int32)
        ap, num_tp = _class_ap(
            detections.score[rows], entry_of_box[detections.box[rows]], matches, int(num_gt[k]), thresholds
        )
        entry_of_box[matches.box[entries]] = -1
        results.append(ClassResult(ap, int(num_gt[k]), int(rows.stop - rows.start), num_tp))
    return MapResult(tuple(thresholds), tuple(results))


def box_overlaps(truth: GroundTruth, boxes: FloatArray, frame: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Returns for each pair in one key frame: the row of ``boxes``, the row of ``truth``, and their IoU, [P] each.

    Rows of the ground truth that repeat the box before them take no part; it stands for them.
    """
    first, _ = _runs(truth.boxes, truth.frame)
    first = first[np.argsort(truth.frame[first], kind="stable")]
    frames = truth.frame[first]
    begin = np.searchsorted(frames, frame)
    count = np.searchsorted(frames, frame, side="right") - begin
    det = np.repeat(np.arange(len(boxes)), count)
    gt = first[_ranges(begin, count)]
    return det, gt, pair_iou(boxes[det], truth.boxes[gt])


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """For each class and box with a large enough overlap, the ground truth it overlaps most; by class, then box."""

    box: IntArray
    iou: FloatArray
    gt: IntArray
    starts: IntArray


def _best_matches(truth: GroundTruth, detections: Detections, num_classes: int, min_iou: float) -> _Matches:
    det, gt, iou = box_overlaps(truth, detections.boxes, detections.frame)
    large = iou >= min_iou
    det, gt, iou = det[large], gt[large], iou[large]
    run_first, run_of_row = _runs(truth.boxes, truth.frame)
    run_length = np.bincount(run_of_row, minlength=len(run_first))
    labels = run_length[run_of_row[gt]]
    det, iou, gt = np.repeat(det, labels), np.repeat(iou, labels), _ranges(gt, labels)
    column = truth.column[gt]
    order = np.lexsort((gt, -iou, det, column))
    det, iou, gt, column = det[order], iou[order], gt[order], column[order]
    best = np.ones(len(det), bool)
    best[1:] = (det[1:] != det[:-1]) | (column[1:] != column[:-1])
    starts = np.searchsorted(column[best], np.arange(num_classes + 1))
    return _Matches(det[best], iou[best], gt[best], starts)


def _class_ap(
    scores: FloatArray, entry: IntArray, matches: _Matches, num_gt: int, thresholds: Sequence[float]
) -> tuple[tuple[float, ...] | None, int]:
    """Returns AP at every threshold (None without ground truth) and the true positives at the first.

    Args:
        scores: [m] of one class; of equal ones the first wins.
        entry: [m] position in ``matches``, -1 for a box that overlaps no ground truth of the class enough.
    """
    if num_gt == 0:
        return None, 0
    order = np.argsort(-scores, kind="stable")
    entry = entry[order]
    rank = np.flatnonzero(entry >= 0)
    iou, gt = matches.iou[entry[rank]], matches.gt[entry[rank]]
    aps, counts = [], []
    for threshold in thresholds:
        reached = iou >= threshold
        _, first = np.unique(gt[reached], return_index=True)
        true_rank = np.sort(rank[reached][first])
        precision = np.arange(1, len(true_rank) + 1) / (true_rank + 1)
        envelope = np.maximum.accumulate(precision[::-1])
        aps.append(float(envelope.sum() / num_gt))
        counts.append(len(true_rank))
    return tuple(aps), counts[0]


def _has_area(boxes: FloatArray) -> NDArray[np.bool_]:
    return np.all(boxes[:, :2] < boxes[:, 2:], axis=1)


def _runs(boxes: FloatArray, frame: IntArray) -> tuple[IntArray, IntArray]:
    """Returns the first row of each run of equal boxes of one key frame, and for each row the number of its run."""
    starts = np.ones(len(boxes), bool)
    starts[1:] = (frame[1:] != frame[:-1]) | (boxes[1:] != boxes[:-1]).any(axis=1)
    return np.flatnonzero(starts), (np.cumsum(starts) - 1).astype(np.int32)


def _ranges(begin: IntArray, count: IntArray) -> IntArray:
    """Returns begin[0], begin[0] + 1, .. (count[0] of them), begin[1], .. joined."""
    offset = np.repeat(begin - np.concatenate([[0], np.cumsum(count)[:-1]]), count) if len(count) else begin
    return offset + np.arange(len(offset))
