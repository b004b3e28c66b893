"""AVA frame mAP of predictions, or of a result file."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from alphaction.evaluation.ava_outcome import AvaOutcome
from alphaction.evaluation.ava_report import make_result, metric_names
from alphaction.evaluation.base import EVALUATORS, EvaluationResult, Evaluator
from alphaction.evaluation.detection_map import Detections, GroundTruth, detection_map
from alphaction.structures.ava_csv import AvaRows, write_results_csv
from alphaction.structures.boxes import PIXEL
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError

# Decimals of a coordinate in a result file; scored boxes are rounded likewise, so that file and metric agree.
_BOX_DECIMALS = 5
_BOXES_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, eq=False)
class PredictedBoxes:
    """The D boxes of all predictions, by key.

    Attributes:
        keys: the predicted key frames in ascending order, those without a box too.
        frame: [D] position in ``keys``.
        xyxy: [D, 4] float64 fractions of the frame.
        scores: [D, K].
    """

    keys: list[ClipKey]
    frame: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    scores: NDArray[np.floating]

    def rows(self, labels: LabelMap, threshold: float) -> Iterator[AvaRows]:
        """Yields the rows of a result file, box by box, a few thousand boxes at a time."""
        codes: dict[str, int] = {}
        video = np.array([codes.setdefault(key.video, len(codes)) for key in self.keys], np.int32)
        time = np.array([key.timestamp_ms for key in self.keys], np.int64)
        ids = np.array(labels.ids, np.int64)
        for start in range(0, len(self.xyxy), _BOXES_AT_ONCE):
            scores = self.scores[start : start + _BOXES_AT_ONCE]
            box, column = np.nonzero(scores >= threshold)
            frame = self.frame[start + box]
            yield AvaRows(
                videos=tuple(codes),
                video=video[frame],
                timestamp_ms=time[frame],
                xyxy=self.xyxy[start + box],
                action=ids[column],
                score=scores[box, column].astype(np.float64),
                person_id=np.full(len(box), -1, np.int64),
            )


@EVALUATORS.register("ava")
class AVAEvaluator(Evaluator):
    """Mean average precision of actions in key frames.

    Key frames that are predicted but not annotated count: their detections are wrong, as in the published
    evaluator. Excluded key frames count on neither side.

    Args:
        labels: the classes of the scores' columns.
        ground_truth: annotated rows; those of other classes than the evaluated ones are counted and left out.
        evaluated_ids: ids that are scored; None for all of ``labels``.
        excluded: key frames that are left out.
        score_threshold: lower scores are neither scored nor written (TEST.ACTION_THRESH).
        training_boxes: [K] how many boxes of each class of ``labels`` the model was trained on, for the report; None
            where that is not known.

    Raises:
        DataError: an evaluated id is not in ``labels``.
    """

    def __init__(
        self,
        *,
        labels: LabelMap,
        ground_truth: AvaRows,
        evaluated_ids: Sequence[int] | None = None,
        excluded: Collection[ClipKey] = (),
        score_threshold: float = 0.0,
        training_boxes: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> None:
        self._labels = labels
        self._evaluated = labels if evaluated_ids is None else labels.subset(evaluated_ids)
        self._truth = ground_truth
        self._truth_keys, self._truth_frame = ground_truth.frame_index()
        self._keyframes = frozenset([*self._truth_keys, *ground_truth.frames_without_boxes])
        self._excluded = frozenset(excluded)
        self._threshold = score_threshold
        self._training_boxes = None
        if training_boxes is not None:
            by_id = dict(zip(labels.ids, training_boxes, strict=True))
            self._training_boxes = tuple(int(by_id[class_id]) for class_id in self._evaluated.ids)

    def evaluate(self, predictions: Sequence[ClipPrediction]) -> EvaluationResult:
        """Returns the metrics; ``boxes`` of a prediction are in pixels of ``boxes.size``, scores are [n, K].

        Raises:
            DataError: two predictions have one key, or scores are missing, not [n, K] or not finite.
        """
        predicted = collect_boxes(predictions, len(self._labels))
        chosen = [self._labels.column_of()[class_id] for class_id in self._evaluated.ids]
        number = self._number_frames(predicted.keys)
        frame, kept = self._frames(predicted.keys, predicted.frame, number)
        scores = predicted.scores[kept]
        if len(chosen) < len(self._labels):
            scores = scores[:, chosen]
        detections = Detections.from_scores(predicted.xyxy[kept], frame[kept], scores, self._threshold)
        counts = {
            "scores_below_threshold": scores.size - len(detections.score) - detections.num_invalid,
            "scores_of_classes_not_evaluated": int(kept.sum()) * (len(self._labels) - len(chosen)),
            "scores_in_excluded_keyframes": int((~kept).sum()) * len(chosen),
        }
        write = partial(_write_result_csv, predicted, self._labels, self._threshold)
        return self._score(detections, predicted.keys, number, counts, {"result.csv": write})

    def metric_names(self) -> tuple[str, ...]:
        return metric_names(self._evaluated)

    def evaluate_rows(self, rows: AvaRows) -> EvaluationResult:
        """Returns the metrics of a result file; rows of classes that are not evaluated are counted and left out."""
        keys, row_frame = rows.frame_index()
        keys = list(dict.fromkeys([*keys, *rows.frames_without_boxes]))
        number = self._number_frames(keys)
        frame, kept = self._frames(keys, row_frame, number)
        column = _columns_of(rows.action, self._evaluated)
        is_high = rows.score >= self._threshold
        use = kept & (column >= 0) & is_high
        detections = Detections.from_rows(
            rows.xyxy[use], frame[use], column[use], rows.score[use], len(self._evaluated)
        )
        counts = {
            "scores_below_threshold": int((kept & (column >= 0) & ~is_high).sum()),
            "scores_of_classes_not_evaluated": int((kept & (column < 0)).sum()),
            "scores_in_excluded_keyframes": int((~kept).sum()),
        }
        other_ids = np.unique(rows.action[kept & (column < 0)]).tolist()
        return self._score(detections, keys, number, counts, {}, other_ids)

    def _number_frames(self, predicted: Sequence[ClipKey]) -> dict[ClipKey, int]:
        """Returns numbers that follow the order of video and time, so that ties do not depend on row order."""
        keys = sorted(self._keyframes.union(predicted))
        return {key: position for position, key in enumerate(keys)}

    def _frames(
        self, keys: Sequence[ClipKey], frame: NDArray[np.int64], number: dict[ClipKey, int]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Returns the numbers of the rows' key frames, and which rows are not in an excluded one."""
        numbers = np.array([number[key] for key in keys], np.int64)
        is_kept = np.array([key not in self._excluded for key in keys], bool)
        return numbers[frame], is_kept[frame]

    def _score(
        self,
        detections: Detections,
        predicted: Sequence[ClipKey],
        number: dict[ClipKey, int],
        counts: dict[str, int],
        files: dict[str, "partial[None]"],
        other_ids: Sequence[int] = (),
    ) -> EvaluationResult:
        frame, kept = self._frames(self._truth_keys, self._truth_frame, number)
        column = _columns_of(self._truth.action, self._evaluated)
        use = kept & (column >= 0)
        truth = GroundTruth(self._truth.xyxy[use], frame[use], column[use])
        outcome = AvaOutcome(
            labels=self._evaluated,
            truth=truth,
            detections=detections,
            result=detection_map(truth, detections, len(self._evaluated)),
            frames=list(number),
            annotated=self._keyframes - self._excluded,
            predicted=frozenset(predicted) - self._excluded,
            num_excluded=len(self._keyframes & self._excluded),
            other_ids_detected=tuple(other_ids),
            other_ids_annotated=tuple(np.unique(self._truth.action[kept & (column < 0)]).tolist()),
            score_threshold=self._threshold,
            training_boxes=self._training_boxes,
            counts={**counts, "ground_truth_rows_of_classes_not_evaluated": int((kept & (column < 0)).sum())},
        )
        return make_result(outcome, files)


def collect_boxes(predictions: Sequence[ClipPrediction], num_classes: int) -> PredictedBoxes:
    """Returns the boxes of all predictions in the order of their keys, as fractions of their frames.

    Raises:
        DataError: two predictions have one key, or scores are missing, not [n, K] or not finite.
    """
    ordered = sorted(predictions, key=lambda prediction: prediction.key)
    for first, second in pairwise(ordered):
        if first.key == second.key:
            raise DataError(f"Clip {first.key} was predicted twice; an evaluation takes one prediction a clip.")
    xyxy, scores, sizes, lengths = [torch.zeros(0, 4)], [torch.zeros(0, num_classes)], [], []
    for key, boxes in ((prediction.key, prediction.boxes) for prediction in ordered):
        if boxes is None or (boxes.scores is None and len(boxes)):
            raise DataError(f"The prediction of {key} has no boxes with scores; AVA's metric needs them.")
        if boxes.scores is not None and boxes.scores.shape != (len(boxes), num_classes):
            shape = tuple(boxes.scores.shape)
            raise DataError(f"The scores of {key} have the shape {shape}, expected ({len(boxes)}, {num_classes}).")
        if boxes.scores is not None:
            xyxy.append(boxes.xyxy.detach().cpu())
            scores.append(boxes.scores.detach().cpu())
        sizes.append(boxes.size)
        lengths.append(len(boxes))
    frame = np.repeat(np.arange(len(ordered)), lengths)
    keys = [prediction.key for prediction in ordered]
    size = np.array(sizes, np.float64).reshape(-1, 2)[frame]
    table = torch.cat(scores).float().numpy()
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise DataError(f"The prediction of {keys[frame[bad[0]]]} has a score that is not a finite number.")
    return PredictedBoxes(keys, frame, normalize_boxes(torch.cat(xyxy).double().numpy(), size), table)


def normalize_boxes(xyxy: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns [n, 4] inclusive pixel boxes as fractions of frames [n, 2] (width, height), as a result file has them.

    The right and bottom pixel belong to the box, so its far edge lies one pixel on.
    """
    far = xyxy + np.array([0, 0, PIXEL, PIXEL])
    return np.round((far / np.tile(size, 2)).clip(0, 1), _BOX_DECIMALS)


def _columns_of(action: NDArray[np.int64], labels: LabelMap) -> NDArray[np.int64]:
    """Returns [n] the columns of class ids, -1 for ids that are not in ``labels``."""
    ids = np.array(labels.ids, np.int64)
    column = np.searchsorted(ids, action).clip(max=len(ids) - 1)
    return np.where(ids[column] == action, column, -1)


def _write_result_csv(predicted: PredictedBoxes, labels: LabelMap, threshold: float, path: Path) -> None:
    write_results_csv(path, predicted.rows(labels, threshold))
