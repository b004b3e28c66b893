import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alphaction.evaluation.ava import AVAEvaluator
from alphaction.evaluation.detection_map import COCO_THRESHOLDS, Detections, GroundTruth, box_overlaps, detection_map
from alphaction.structures.ava_csv import load_exclusions, load_ground_truth_csv, load_results_csv
from alphaction.structures.labels import load_label_map

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "eval"
A, B = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)  # two boxes that do not overlap
NEAR_A = (0.0, 0.0, 0.5, 0.375)  # IoU 0.75 with A


def truth_of(*rows) -> GroundTruth:
    """Rows are (frame, box) or (frame, box, column)."""
    boxes = np.array([row[1] for row in rows], float).reshape(-1, 4)
    frame, column = (np.array([(*row, 0)[i] for row in rows], int) for i in (0, 2))
    return GroundTruth(boxes, frame, column)


def score(truth, *rows, num_classes=1, thresholds=(0.5,)):
    """Rows are (frame, box, score) or (frame, box, score, column)."""
    boxes = np.array([row[1] for row in rows], float).reshape(-1, 4)
    frame, column = (np.array([(*row, 0)[i] for row in rows], int) for i in (0, 3))
    scores = np.array([row[2] for row in rows], float)
    detections = Detections.from_rows(boxes, frame, column, scores, num_classes)
    return detection_map(truth, detections, num_classes, thresholds)


def test_a_perfect_detector_has_ap_one():
    result = score(truth_of((0, A), (0, B), (1, A)), (0, A, 0.9), (0, B, 0.3), (1, A, 0.6))
    assert result.classes[0].ap == (1.0,)
    assert (result.classes[0].num_gt, result.classes[0].num_det, result.classes[0].num_tp) == (3, 3, 3)


def test_without_detections_ap_is_zero():
    assert score(truth_of((0, A))).classes[0].ap == (0.0,)


def test_a_class_without_ground_truth_has_no_ap_and_is_not_averaged():
    result = score(truth_of((0, A)), (0, A, 0.5), (0, A, 0.9, 1), num_classes=2)
    assert result.classes[1].ap is None
    assert result.classes[1].num_det == 1
    assert result.mean(0.5) == 1.0
    assert result.mean(0.5, columns=[1]) is None


def test_nothing_at_all_has_no_mean():
    assert score(truth_of()).mean(0.5) is None


def test_a_second_detection_of_a_box_is_wrong():
    # right, wrong, right: precision 1, 1/2, 2/3 -> (1 + 2/3) / 2
    result = score(truth_of((0, A), (0, B)), (0, A, 0.9), (0, A, 0.8), (0, B, 0.7))
    assert result.classes[0].ap[0] == pytest.approx(5 / 6)


def test_a_taken_box_is_not_replaced_by_the_second_best():
    # Both detections overlap the wide box most; the narrow one (IoU 0.5 with the second) stays unfound.
    wide, narrow = (0.0, 0.0, 1.0, 0.5), (0.0, 0.0, 0.5, 0.5)
    result = score(truth_of((0, wide), (0, narrow)), (0, wide, 0.9), (0, (0.0, 0.0, 0.9, 0.5), 0.8))
    assert result.classes[0].ap == (0.5,)
    assert result.classes[0].num_tp == 1


def test_precision_is_made_monotone():
    # wrong, right, right: precision 0, 1/2, 2/3 -> the envelope lifts the second to 2/3
    result = score(truth_of((0, A), (0, B)), (1, A, 0.9), (0, A, 0.8), (0, B, 0.7))
    assert result.classes[0].ap[0] == pytest.approx(2 / 3)


def test_a_detection_in_a_key_frame_without_ground_truth_is_wrong():
    assert score(truth_of((0, A)), (7, A, 0.9), (0, A, 0.8)).classes[0].ap == (0.5,)


def test_overlap_exactly_at_the_threshold_counts():
    assert score(truth_of((0, (0.0, 0.0, 0.5, 0.5))), (0, (0.0, 0.0, 0.5, 0.25), 1.0)).classes[0].ap == (1.0,)


def test_each_threshold_is_judged_by_itself():
    result = score(truth_of((0, A)), (0, NEAR_A, 0.9), (0, A, 0.8), thresholds=COCO_THRESHOLDS)
    assert result.classes[0].ap == (1.0,) * 6 + (0.5,) * 4  # 0.5 .. 0.75 take the first
    assert result.mean() == pytest.approx(0.8)
    assert result.mean(0.5) == 1.0
    assert COCO_THRESHOLDS[-1] == 0.95


def test_a_box_without_area_is_left_out_and_counted():
    boxes = np.array([A, (0.4, 0.0, 0.4, 0.4), (0.0, 0.4, 0.4, 0.1)])
    frame, column = np.zeros(3, int), np.zeros(3, int)
    by_row = Detections.from_rows(boxes, frame, column, np.array([0.1, 0.9, 0.8]), 1)
    by_box = Detections.from_scores(boxes, frame, np.array([[0.1], [0.9], [0.8]]))
    for detections in (by_row, by_box):
        assert detections.num_invalid == 2
        assert detection_map(truth_of((0, A)), detections, 1).classes[0].ap[0] == 1.0


def test_classes_of_one_box_are_judged_apart():
    truth = truth_of((0, A, 0), (0, A, 2), (0, B, 2))
    result = score(truth, (0, A, 0.9, 0), (0, A, 0.8, 1), (0, A, 0.7, 2), num_classes=3)
    assert [entry.ap for entry in result.classes] == [(1.0,), None, (0.5,)]
    assert result.mean(0.5) == 0.75
    assert result.mean(0.5, columns=[0]) == 1.0


def test_of_equal_scores_the_later_key_frame_then_the_earlier_row_comes_first():
    truth = truth_of((0, A), (1, A))
    # order: frame 1 (right), frame 0 B (wrong), frame 0 A (right)
    result = score(truth, (0, B, 0.5), (0, A, 0.5), (1, A, 0.5))
    assert result.classes[0].ap[0] == pytest.approx((1 + 2 / 3) / 2)


def random_set(seed: int, num_classes: int = 5):
    rng = np.random.default_rng(seed)
    frame = np.sort(rng.integers(0, 40, 90))
    low = rng.uniform(0, 0.5, (90, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.2, 0.5, (90, 2))], axis=1)
    row, column = np.nonzero(rng.random((90, num_classes)) < 0.4)
    detected = boxes + rng.normal(0, 0.04, boxes.shape)
    scores = rng.permutation(90 * num_classes).reshape(90, num_classes) / 450
    return GroundTruth(boxes[row], frame[row], column), detected, frame, scores


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", [9, 1])
def test_boxes_and_flat_rows_give_identical_results(seed, decimals):
    truth, boxes, frame, scores = random_set(seed)
    scores = scores.round(decimals)
    dense = Detections.from_scores(boxes, frame, scores, threshold=0.2)
    box, column = np.nonzero(scores >= 0.2)
    flat = Detections.from_rows(boxes[box], frame[box], column, scores[box, column], 5)
    assert len(flat.boxes) <= len(boxes)  # rows of a box share it
    assert detection_map(truth, dense, 5) == detection_map(truth, flat, 5)


@pytest.mark.parametrize("seed", range(3))
def test_without_ties_row_order_does_not_matter(seed):
    truth, boxes, frame, scores = random_set(seed)
    box, column = np.nonzero(scores >= 0)
    expected = detection_map(truth, Detections.from_scores(boxes, frame, scores), 5)
    mixed = np.random.default_rng(seed).permutation(len(box))
    rows = (boxes[box][mixed], frame[box][mixed], column[mixed], scores[box, column][mixed])
    of_truth = np.random.default_rng(seed).permutation(len(truth.boxes))
    mixed_truth = GroundTruth(truth.boxes[of_truth], truth.frame[of_truth], truth.column[of_truth])
    assert detection_map(mixed_truth, Detections.from_rows(*rows, 5), 5) == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_result_is_that_of_a_plain_loop(seed):
    truth, boxes, frame, scores = random_set(seed)
    result = detection_map(truth, Detections.from_scores(boxes, frame, scores), 5, (0.5, 0.7))
    for k in range(5):
        for threshold, ap in zip((0.5, 0.7), result.classes[k].ap, strict=True):
            assert ap == pytest.approx(plain_ap(truth, boxes, frame, scores[:, k], k, threshold), abs=1e-12)


def plain_ap(truth, boxes, frame, scores, column, threshold):
    """The rule word by word, one detection after the other; the area by every change of recall."""
    members = np.flatnonzero(truth.column == column)
    taken, hits = set(), []
    for d in np.argsort(-scores):
        overlaps = {g: plain_iou(boxes[d], truth.boxes[g]) for g in members if truth.frame[g] == frame[d]}
        best = max(overlaps, key=overlaps.get, default=None)
        hits.append(best is not None and overlaps[best] >= threshold and best not in taken)
        if hits[-1]:
            taken.add(best)
    true = np.cumsum(hits)
    precision, recall = true / np.arange(1, len(hits) + 1), true / len(members)
    area, before = 0.0, 0.0
    for i in range(len(hits)):
        area += (recall[i] - before) * precision[i:].max()
        before = recall[i]
    return area


def plain_iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_overlaps_pair_boxes_of_one_key_frame_only():
    truth = truth_of((3, A, 0), (3, A, 1), (1, B), (3, B))
    det, gt, iou = box_overlaps(truth, np.array([A, NEAR_A, A]), np.array([3, 3, 2]))
    assert sorted(zip(det.tolist(), gt.tolist(), iou.round(9).tolist(), strict=True)) == [
        (0, 0, 1.0),
        (0, 3, 0.0),
        (1, 0, 0.75),
        (1, 3, 0.0),
    ]


@pytest.fixture(scope="module")
def golden():
    labels = load_label_map(GOLDEN / "labelmap.pbtxt", groups="multilabel")
    evaluator = AVAEvaluator(
        labels=labels,
        ground_truth=load_ground_truth_csv(GOLDEN / "gt.csv"),
        excluded=load_exclusions(GOLDEN / "excluded.csv"),
    )
    return evaluator, load_results_csv(GOLDEN / "det.csv.gz"), json.loads((GOLDEN / "golden_ap.json").read_text())


def without_ties(rows):
    with gzip.open(GOLDEN / "det_noties.csv.gz", "rt") as file:
        return replace(rows, score=np.array([float(line) for line in file]))


def test_the_published_evaluator_agrees_on_the_set_without_ties(golden):
    evaluator, rows, expected = golden
    result = evaluator.evaluate_rows(without_ties(rows))
    assert result.metrics["mAP@0.5"] == pytest.approx(0.587580047566, abs=1e-9)
    for entry in result.details["classes"]:
        ap = expected["noties"]["per_class_ap"][entry["name"]]
        assert entry["AP@0.5"] == (None if ap is None else pytest.approx(ap, abs=1e-9)), entry["name"]
        for count in ("num_gt", "num_det", "num_tp"):
            key = {"num_gt": "n_gt", "num_det": "n_det", "num_tp": "n_tp"}[count] + "_per_class_id"
            assert entry[count] == expected[key][str(entry["id"])], (entry["name"], count)


def test_the_published_evaluator_with_a_stable_sort_agrees_on_the_set_with_ties(golden):
    evaluator, rows, expected = golden
    value = evaluator.evaluate_rows(rows).metrics["mAP@0.5"]
    assert value == pytest.approx(expected["mAP_with_stable_argsort"], abs=1e-9)


def test_the_order_of_golden_rows_does_not_matter_without_ties(golden):
    evaluator, rows, _ = golden
    rows = without_ties(rows)
    mixed = rows.select(np.random.default_rng(0).permutation(len(rows)))
    assert evaluator.evaluate_rows(mixed).metrics == evaluator.evaluate_rows(rows).metrics
