"""The numbers of an AVA evaluation: by name, as a table, and for JSON."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alphaction.evaluation.ava_outcome import IOU, AvaOutcome, explain_zero
from alphaction.evaluation.base import EvaluationResult, format_primary
from alphaction.structures.labels import LabelMap
from alphaction.utils.logger import format_table

PRIMARY = "mAP@0.5"
MEAN_OVER_IOU = "mAP@0.5:0.95"


def metric_names(labels: LabelMap) -> tuple[str, ...]:
    """Returns the names of the metrics of an outcome with these evaluated classes."""
    means = (PRIMARY, MEAN_OVER_IOU)
    return (*means, *(f"{mean}/{group}" for group, _ in labels.groups.items() for mean in means))


def make_result(outcome: AvaOutcome, files: Mapping[str, Callable[[Path], None]]) -> EvaluationResult:
    """Returns metrics, report and details of an outcome."""
    result = outcome.result
    metrics = {PRIMARY: result.mean(IOU), MEAN_OVER_IOU: result.mean()}
    for name, columns in outcome.labels.groups.items():
        metrics[f"{PRIMARY}/{name}"] = result.mean(IOU, columns)
        metrics[f"{MEAN_OVER_IOU}/{name}"] = result.mean(columns=columns)
    reason = "" if metrics[PRIMARY] else explain_zero(outcome)
    counts = _counts(outcome)
    details: dict[str, Any] = {"classes": _classes(outcome), "counts": counts}
    if reason:
        details["reason"] = reason
    report = _report(outcome, metrics, details["classes"], counts, reason)
    return EvaluationResult(metrics=metrics, primary=PRIMARY, report=report, details=details, files=files)


def _classes(outcome: AvaOutcome) -> list[dict[str, Any]]:
    group_of = {column: name for name, columns in outcome.labels.groups.items() for column in columns}
    return [
        {
            "id": outcome.labels.ids[column],
            "name": outcome.labels.names[column],
            "group": group_of[column],
            "AP@0.5": None if entry.ap is None else entry.ap[outcome.result.thresholds.index(IOU)],
            "AP@0.5:0.95": None if entry.ap is None else float(np.mean(entry.ap)),
            "num_gt": entry.num_gt,
            "num_train": None if outcome.training_boxes is None else outcome.training_boxes[column],
            "num_det": entry.num_det,
            "num_tp": entry.num_tp,
        }
        for column, entry in enumerate(outcome.result.classes)
    ]


def _counts(outcome: AvaOutcome) -> dict[str, int]:
    return {
        "keyframes_evaluated": len(outcome.annotated),
        "keyframes_excluded": outcome.num_excluded,
        "keyframes_without_detections": len(outcome.annotated - outcome.detected()),
        "predicted_keyframes_not_in_ground_truth": len(outcome.predicted - outcome.annotated),
        "ground_truth_rows": len(outcome.truth.boxes),
        "scores": len(outcome.detections.score),
        "scores_of_boxes_without_area": outcome.detections.num_invalid,
        **outcome.counts,
    }


def _report(
    outcome: AvaOutcome,
    metrics: Mapping[str, float | None],
    classes: list[dict[str, Any]],
    counts: Mapping[str, int],
    reason: str,
) -> str:
    header = ("id", "name", "group", "AP@0.5", "#gt", "#train", "#det")
    rows = [
        (
            *(c["id"], c["name"], c["group"], _format(c["AP@0.5"]), c["num_gt"]),
            *("-" if c["num_train"] is None else c["num_train"], c["num_det"]),
        )
        for c in classes
    ]
    groups = [
        (name, len(columns), _format(metrics[f"{PRIMARY}/{name}"]), _format(metrics[f"{MEAN_OVER_IOU}/{name}"]))
        for name, columns in outcome.labels.groups.items()
    ]
    parts = [
        format_table(header, rows),
        format_table(("group", "classes", PRIMARY, MEAN_OVER_IOU), groups),
        "\n".join(_count_lines(counts)),
        f"Why {PRIMARY} is {_format(metrics[PRIMARY])}: {reason}" if reason else "",
        f"{MEAN_OVER_IOU} = {_format(metrics[MEAN_OVER_IOU])}\n{format_primary(PRIMARY, metrics[PRIMARY])}",
    ]
    return "\n\n".join(part for part in parts if part)


def _count_lines(counts: Mapping[str, int]) -> list[str]:
    """Returns the counts in words; what is zero is left out, but for the key frames."""
    always = (
        f"Key frames: {counts['keyframes_evaluated']} evaluated, {counts['keyframes_excluded']} excluded, "
        f"{counts['keyframes_without_detections']} without detections."
    )
    others = {
        "predicted_keyframes_not_in_ground_truth": "predicted key frames are not in the ground truth; "
        "their detections count as wrong.",
        "scores_of_boxes_without_area": "detections left out because their box has no area.",
        "scores_below_threshold": "detections left out because their score is below the threshold.",
        "scores_in_excluded_keyframes": "detections left out because their key frame is excluded.",
        "scores_of_classes_not_evaluated": "detections left out because their class is not evaluated.",
        "ground_truth_rows_of_classes_not_evaluated": "ground-truth rows left out because their class is "
        "not evaluated.",
    }
    return [always, *(f"{counts[name]} {text}" for name, text in others.items() if counts[name])]


def _format(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
