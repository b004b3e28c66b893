"""What an AVA evaluation compared and found, and in words why nothing was right."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from alphaction.evaluation.detection_map import Detections, FloatArray, GroundTruth, MapResult, box_overlaps
from alphaction.structures.clip import ClipKey
from alphaction.structures.labels import LabelMap

IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class AvaOutcome:
    """What was compared, and how it came out.

    Attributes:
        labels: the evaluated classes.
        truth: the annotated rows that were scored.
        detections: the detections that were scored.
        result: AP by class.
        frames: the key frame of each frame number in ``truth`` and ``detections``.
        annotated: key frames of the ground truth that are not excluded.
        predicted: predicted key frames that are not excluded.
        num_excluded: key frames of the ground truth that are.
        other_ids_detected: class ids in the detections that are not evaluated.
        other_ids_annotated: likewise in the ground truth.
        score_threshold: lower scores were left out.
        training_boxes: [K] boxes of each class that the model was trained on, or None.
        counts: more numbers for the report.
    """

    labels: LabelMap
    truth: GroundTruth
    detections: Detections
    result: MapResult
    frames: list[ClipKey]
    annotated: frozenset[ClipKey]
    predicted: frozenset[ClipKey]
    num_excluded: int
    other_ids_detected: tuple[int, ...]
    other_ids_annotated: tuple[int, ...]
    score_threshold: float
    training_boxes: tuple[int, ...] | None
    counts: dict[str, int]

    def detected(self) -> set[ClipKey]:
        """Returns the key frames that have a detection."""
        return {self.frames[number] for number in self.detections.detected_frames().tolist()}

    def annotated_with_boxes(self) -> set[ClipKey]:
        """Returns the key frames that have a scored ground-truth box."""
        return {self.frames[number] for number in np.unique(self.truth.frame).tolist()}


def explain_zero(outcome: AvaOutcome) -> str:
    """Returns why no detection is right, as a sentence with examples of both sides."""
    if not len(outcome.truth.boxes):
        return _explain_no_truth(outcome)
    if not len(outcome.detections.score):
        return _explain_no_detections(outcome)
    for explain in (_explain_videos, _explain_times, _explain_classes):
        if reason := explain(outcome):
            return reason
    return _explain_overlap(outcome)


def _explain_no_truth(outcome: AvaOutcome) -> str:
    if outcome.other_ids_annotated:
        return (
            f"the class ids of the ground truth ({_some(outcome.other_ids_annotated)}) are not in the label map "
            f"({_some(outcome.labels.ids)})."
        )
    if outcome.num_excluded and not outcome.annotated:
        return f"all {outcome.num_excluded} key frames of the ground truth are excluded."
    return "the ground truth has no box in the key frames that are evaluated."


def _explain_no_detections(outcome: AvaOutcome) -> str:
    if outcome.other_ids_detected:
        return (
            f"the class ids of the detections ({_some(outcome.other_ids_detected)}) are not in the label map "
            f"({_some(outcome.labels.ids)})."
        )
    if outcome.counts["scores_below_threshold"]:
        return (
            f"no detections: all {outcome.counts['scores_below_threshold']} scores are below the threshold "
            f"{outcome.score_threshold:g}."
        )
    if outcome.detections.num_invalid:
        return f"no detections: all {outcome.detections.num_invalid} have boxes without area (x1 >= x2 or y1 >= y2)."
    if outcome.counts["scores_in_excluded_keyframes"]:
        return "no detections: all are in excluded key frames."
    return "no detections: the predictions hold no box."


def _explain_videos(outcome: AvaOutcome) -> str:
    detected, annotated = outcome.detected(), outcome.annotated_with_boxes()
    if {key.video for key in detected} & {key.video for key in annotated}:
        return ""
    return (
        "no video of the detections occurs in the ground truth: "
        f"detections have {_some(sorted({key.video for key in detected}))}; "
        f"the ground truth has {_some(sorted({key.video for key in annotated}))}."
    )


def _explain_times(outcome: AvaOutcome) -> str:
    detected, annotated = outcome.detected(), outcome.annotated_with_boxes()
    if detected & annotated:
        return ""
    videos = {key.video for key in detected} & {key.video for key in annotated}
    return (
        "no key frame time of the detections occurs in the ground truth of its video: "
        f"detections are at {_time_range(detected, videos)}; the ground truth is at {_time_range(annotated, videos)}."
    )


def _explain_classes(outcome: AvaOutcome) -> str:
    detected = np.flatnonzero(outcome.detections.num_of_class()).tolist()
    annotated = np.unique(outcome.truth.column).tolist()
    if set(detected) & set(annotated):
        return ""
    ids = outcome.labels.ids
    return (
        f"the detections have the classes {_some([ids[column] for column in detected])}, "
        f"the ground truth has {_some([ids[column] for column in annotated])}."
    )


def _explain_overlap(outcome: AvaOutcome) -> str:
    detections, truth = outcome.detections, outcome.truth
    det, gt, iou = box_overlaps(truth, detections.boxes, detections.frame)
    if iou.max() >= IOU:
        return "boxes overlap the ground truth, but no detection has the class of the box it covers."
    best = int(iou.argmax())
    key = outcome.frames[int(truth.frame[gt[best]])]
    return (
        f"no overlap with ground truth at IoU {IOU}; the best is {iou[best]:.3f} at {key}: "
        f"detection {_box(detections.boxes[det[best]])}, ground truth {_box(truth.boxes[gt[best]])}. "
        "Are both x1,y1,x2,y2 as fractions of the frame?"
    )


def _time_range(keys: Collection[ClipKey], videos: Collection[str]) -> str:
    times = [key.timestamp_ms / 1000 for key in keys if key.video in videos]
    return f"{min(times):g} .. {max(times):g} s"


def _box(xyxy: FloatArray) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in xyxy.tolist()) + ")"


def _some(values: Collection[object], most: int = 3) -> str:
    """Returns the first values as text, and how many more there are."""
    listed = ", ".join(str(value) for value in list(values)[:most])
    return listed + (f" and {len(values) - most} more" if len(values) > most else "")
