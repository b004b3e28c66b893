import hashlib
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from alphaction.evaluation import EVALUATORS
from alphaction.evaluation.ava import AVAEvaluator, collect_boxes, normalize_boxes
from alphaction.structures.ava_csv import AvaRows, load_results_csv
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.utils.errors import DataError

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "eval"
SIZE = (100, 50)
LEFT, RIGHT = (0, 0, 39, 39), (50, 0, 99, 49)  # pixels, both edges inside
LABELS = LabelMap((3, 7, 12), ("sit", "wave", "talk"), ClassGroups(pose=(0,), person=(1, 2)))


def key(second: float, video: str = "vid") -> ClipKey:
    return ClipKey(video, int(second * 1000))


def truth_of(*rows) -> AvaRows:
    """Rows are (key, pixel box, class id)."""
    videos = list(dict.fromkeys(row[0].video for row in rows))
    boxes = np.array([row[1] for row in rows], float).reshape(-1, 4)
    return AvaRows(
        videos=tuple(videos),
        video=np.array([videos.index(row[0].video) for row in rows], np.int32),
        timestamp_ms=np.array([row[0].timestamp_ms for row in rows], np.int64),
        xyxy=normalize_boxes(boxes, np.tile(SIZE, (len(rows), 1))),
        action=np.array([row[2] for row in rows], np.int64),
        score=np.ones(len(rows)),
        person_id=np.zeros(len(rows), np.int64),
    )


def predict(where: ClipKey, *boxes) -> ClipPrediction:
    """Boxes are (pixel box, score of each class)."""
    xyxy = torch.tensor([box[0] for box in boxes]).float().reshape(-1, 4)
    scores = torch.tensor([box[1] for box in boxes]).float().reshape(-1, 3)
    return ClipPrediction(where, Boxes(xyxy, SIZE, scores=scores))


SIT, WAVE, TALK = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.1, 0.1, 0.9)
TRUTH = truth_of((key(1), LEFT, 3), (key(1), RIGHT, 7), (key(2), LEFT, 3))
PREDICTIONS = [predict(key(1), (LEFT, SIT), (RIGHT, WAVE)), predict(key(2), (LEFT, SIT))]


def evaluate(predictions, truth=TRUTH, **options):
    return AVAEvaluator(labels=LABELS, ground_truth=truth, **options).evaluate(predictions)


def last_line(result) -> str:
    return result.report.splitlines()[-1]


def test_the_evaluator_is_registered():
    assert EVALUATORS.get("ava") is AVAEvaluator


def test_perfect_predictions_have_map_one():
    result = evaluate(PREDICTIONS)
    assert result.primary == "mAP@0.5" and result.value == 1.0
    assert result.metrics == {
        "mAP@0.5": 1.0,
        "mAP@0.5:0.95": 1.0,
        "mAP@0.5/pose": 1.0,
        "mAP@0.5:0.95/pose": 1.0,
        "mAP@0.5/person": 1.0,
        "mAP@0.5:0.95/person": 1.0,
    }
    assert last_line(result) == "mAP@0.5 = 1.00000000"


def test_the_report_has_a_row_a_class_then_groups_then_counts():
    lines = evaluate(PREDICTIONS).report.splitlines()
    assert lines[0].split() == ["id", "name", "group", "AP@0.5", "#gt", "#train", "#det"]
    assert [line.split() for line in lines[2:5]] == [
        ["3", "sit", "pose", "1.0000", "2", "-", "3"],
        ["7", "wave", "person", "1.0000", "1", "-", "3"],
        ["12", "talk", "person", "none", "0", "-", "3"],
    ]
    assert [line.split() for line in lines[8:10]] == [
        ["pose", "1", "1.0000", "1.0000"],
        ["person", "2", "1.0000", "1.0000"],
    ]
    assert "Key frames: 2 evaluated, 0 excluded, 0 without detections." in lines


def test_a_class_without_ground_truth_is_null_in_json():
    content = json.loads(evaluate(PREDICTIONS).to_json())
    assert content["primary"] == "mAP@0.5"
    assert content["details"]["classes"][2] == {
        "id": 12,
        "name": "talk",
        "group": "person",
        "AP@0.5": None,
        "AP@0.5:0.95": None,
        "num_gt": 0,
        "num_train": None,
        "num_det": 3,
        "num_tp": 0,
    }


def test_the_report_has_the_training_boxes_of_the_evaluated_classes():
    result = evaluate(PREDICTIONS, evaluated_ids=[3, 12], training_boxes=np.array([40, 50, 0]))
    assert [line.split()[-2] for line in result.report.splitlines()[2:4]] == ["40", "0"]
    assert [c["num_train"] for c in json.loads(result.to_json())["details"]["classes"]] == [40, 0]


def test_predictions_are_known_by_key_and_not_by_position():
    expected = evaluate(PREDICTIONS)
    assert evaluate(PREDICTIONS[::-1]).report == expected.report
    assert evaluate(PREDICTIONS[1:]).details["classes"][0]["num_tp"] == 1


def test_two_predictions_of_one_clip_are_an_error():
    with pytest.raises(DataError, match="Clip vid@1s was predicted twice"):
        evaluate([*PREDICTIONS, PREDICTIONS[0]])


@pytest.mark.parametrize(
    ("boxes", "problem"),
    [
        (None, "vid@1s has no boxes with scores"),
        (Boxes(torch.zeros(1, 4), SIZE), "vid@1s has no boxes with scores"),
        (Boxes(torch.zeros(1, 4), SIZE, scores=torch.zeros(1)), r"vid@1s have the shape \(1,\), expected \(1, 3\)"),
        (Boxes(torch.zeros(1, 4), SIZE, scores=torch.zeros(1, 80)), r"shape \(1, 80\), expected \(1, 3\)"),
        (Boxes(torch.zeros(1, 4), SIZE, scores=torch.full((1, 3), torch.nan)), "vid@1s has a score that is not a fin"),
    ],
)
def test_a_prediction_that_does_not_fit_is_named(boxes, problem):
    with pytest.raises(DataError, match=problem):
        evaluate([predict(key(0), (LEFT, SIT)), ClipPrediction(key(1), boxes)])


def test_an_unexpected_key_frame_counts_as_wrong_and_is_reported():
    result = evaluate([*PREDICTIONS, predict(key(3), (LEFT, (0.95, 0, 0)))])
    assert result.details["classes"][0]["AP@0.5"] == pytest.approx(2 / 3)
    assert result.details["counts"]["predicted_keyframes_not_in_ground_truth"] == 1
    assert "1 predicted key frames are not in the ground truth" in result.report


def test_an_excluded_key_frame_counts_on_neither_side():
    wrong = predict(key(2), (RIGHT, (0.99, 0.99, 0.99)))
    result = evaluate([PREDICTIONS[0], wrong], excluded={key(2), key(77)})
    assert result.value == 1.0
    assert [entry["num_gt"] for entry in result.details["classes"]] == [1, 1, 0]
    assert [entry["num_det"] for entry in result.details["classes"]] == [2, 2, 2]
    assert result.details["counts"]["keyframes_excluded"] == 1
    assert result.details["counts"]["predicted_keyframes_not_in_ground_truth"] == 0


def test_a_key_frame_without_prediction_is_counted():
    result = evaluate([PREDICTIONS[0], predict(key(2))])
    assert result.details["counts"]["keyframes_without_detections"] == 1
    assert result.details["classes"][0]["AP@0.5"] == 0.5


def test_only_evaluated_classes_are_scored_but_all_are_written(tmp_path):
    result = evaluate(PREDICTIONS, evaluated_ids=[7, 12])
    assert [entry["id"] for entry in result.details["classes"]] == [7, 12]
    assert result.details["counts"]["ground_truth_rows_of_classes_not_evaluated"] == 2
    assert result.details["counts"]["scores_of_classes_not_evaluated"] == 3
    assert "mAP@0.5/pose" not in result.metrics
    result.write(tmp_path)
    assert set(load_results_csv(tmp_path / "result.csv").action.tolist()) == {3, 7, 12}


def test_an_evaluated_class_must_be_known():
    with pytest.raises(DataError, match=r"\[5\] are not in the label file"):
        AVAEvaluator(labels=LABELS, ground_truth=TRUTH, evaluated_ids=[3, 5])


def test_the_score_threshold_keeps_scores_equal_to_it(tmp_path):
    result = evaluate(PREDICTIONS, score_threshold=0.9)
    assert [entry["num_det"] for entry in result.details["classes"]] == [2, 1, 0]
    assert result.details["counts"]["scores_below_threshold"] == 6
    result.write(tmp_path)
    assert len(load_results_csv(tmp_path / "result.csv")) == 3


def test_the_written_file_scores_the_same_and_does_not_depend_on_order(tmp_path):
    rng = np.random.default_rng(0)
    truth, predictions = [], []
    for second in range(30):
        boxes = rng.integers(0, 40, (3, 2))
        boxes = np.concatenate([boxes, boxes + rng.integers(5, 50, (3, 2))], axis=1)
        truth += [(key(second), box, int(rng.choice([3, 7, 12]))) for box in boxes]
        scores = rng.random((3, 3)).round(1)
        predictions.append(
            predict(key(second), *zip((boxes + rng.normal(0, 2, (3, 4))).tolist(), scores.tolist(), strict=True))
        )
    truth = truth_of(*truth)
    evaluator = AVAEvaluator(labels=LABELS, ground_truth=truth, score_threshold=0.2)
    result = evaluator.evaluate(predictions)
    result.write(tmp_path / "a")
    random.Random(0).shuffle(predictions)
    evaluator.evaluate(predictions).write(tmp_path / "b")
    for name in ("result.csv", "metrics.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    again = evaluator.evaluate_rows(load_results_csv(tmp_path / "a" / "result.csv"))
    assert 0 < again.value < 1
    assert again.metrics == result.metrics
    assert again.details["classes"] == result.details["classes"]


def test_result_rows_equal_those_of_the_reference():
    spec = json.loads((GOLDEN / "prepare_csv.json").read_text())
    predictions, texts = [], {text: [] for text in spec["csv"]}
    for i, (info, size, boxes) in enumerate(zip(spec["infos"], spec["sizes"], spec["boxes_xyxy"], strict=True)):
        seed = hashlib.sha256(f"eval/prep/{i}".encode()).digest()[:8]
        drawn = np.random.default_rng(int.from_bytes(seed, "little")).standard_normal((len(boxes), 80))
        scores = torch.sigmoid(torch.from_numpy(drawn.astype(np.float32)) - 1)
        resized = Boxes(torch.tensor(boxes).reshape(-1, 4), tuple(size)).resize((info["width"], info["height"]))
        where = key(info["timestamp"], info["movie"])
        predictions.append(ClipPrediction(where, Boxes(resized.xyxy, resized.size, scores=scores)))
    predicted = collect_boxes(predictions, 80)
    for text in texts:
        rows = sorted(line for part in predicted.rows(LabelMap.ava(), float(text)) for line in as_reference(part))
        assert rows == sorted(spec["csv"][text].splitlines())


def as_reference(rows: AvaRows) -> list[str]:
    """The reference writes scores with five decimals too."""
    columns = zip(rows.video, rows.timestamp_ms, rows.xyxy, rows.action, rows.score, strict=True)
    return [
        f"{rows.videos[video]},{time // 1000:04d},{','.join(f'{x:.5f}' for x in box)},{action},{score:.5f}"
        for video, time, box, action, score in columns
    ]


def test_boxes_become_fractions_with_the_far_pixel_inside_and_held_in_the_frame():
    pixels = np.array([[10, 5, 49, 24], [-3, 0, 99, 80]], float)
    assert normalize_boxes(pixels, np.tile(SIZE, (2, 1))).tolist() == [[0.1, 0.1, 0.5, 0.5], [0, 0, 1, 1]]


ZERO_CASES = {
    "no detections: the predictions hold no box": dict(predictions=[predict(key(1))]),
    "no detections: all 3 scores are below the threshold 0.95": dict(predictions=PREDICTIONS[1:], score_threshold=0.95),
    "no detections: all are in excluded key frames": dict(predictions=PREDICTIONS[1:], excluded={key(2)}),
    "no detections: all 3 have boxes without area": dict(predictions=[predict(key(1), ((150, 0, 160, 9), SIT))]),
    "all 2 key frames of the ground truth are excluded": dict(predictions=PREDICTIONS, excluded={key(1), key(2)}),
    "the ground truth has no box": dict(predictions=PREDICTIONS, truth=truth_of()),
    r"class ids of the ground truth \(55\) are not in the label map \(3, 7, 12\)": dict(
        predictions=PREDICTIONS, truth=truth_of((key(1), LEFT, 55))
    ),
    "no video of the detections occurs in the ground truth: detections have other; the ground truth has vid": dict(
        predictions=[predict(key(1, "other"), (LEFT, SIT))]
    ),
    r"no key frame time .* detections are at 901 .. 903.5 s; the ground truth is at 1 .. 2 s": dict(
        predictions=[predict(key(901), (LEFT, SIT)), predict(key(903.5), (LEFT, SIT))]
    ),
    r"no overlap with ground truth at IoU 0.5; the best is 0.000 at vid@1s: detection": dict(
        predictions=[predict(key(1), ((40, 40, 44, 49), SIT))]
    ),
    "no detection has the class of the box it covers": dict(
        predictions=[predict(key(1), (LEFT, (0.0, 0.9, 0.0)))], score_threshold=0.5
    ),
    "the detections have the classes 12, the ground truth has 3, 7": dict(
        predictions=[predict(key(1), (LEFT, (0.0, 0.0, 0.9)))], score_threshold=0.5
    ),
}


@pytest.mark.parametrize("reason", ZERO_CASES)
def test_a_zero_is_explained(reason):
    case = dict(ZERO_CASES[reason])
    result = evaluate(case.pop("predictions"), case.pop("truth", TRUTH), **case)
    assert not result.value
    assert re.search(rf"Why mAP@0\.5 is (0\.0000|none): .*{reason}", result.report), result.report
    assert last_line(result) in ("mAP@0.5 = 0.00000000", "mAP@0.5 = none")
    json.loads(result.to_json())


def test_no_reason_is_given_where_there_is_something_to_report():
    assert "Why" not in evaluate(PREDICTIONS).report
    assert "reason" not in evaluate(PREDICTIONS).details
