import numpy as np
import pytest

from alphaction.detection.evaluation import FrameBoxes, count_hits, evaluate_boxes
from alphaction.structures.clip import ClipKey

FIRST, SECOND = ClipKey("v", 0), ClipKey("v", 1000)


def frame(*boxes, scores=None):
    xyxy = np.array(boxes, np.float64).reshape(-1, 4)
    return FrameBoxes(xyxy, np.ones(len(xyxy)) if scores is None else np.array(scores))


def test_a_person_is_found_once_and_a_box_finds_one_person() -> None:
    persons = np.array([[0, 0, 10, 10], [100, 0, 110, 10]])
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [50, 0, 60, 10]])
    assert count_hits(boxes, persons) == 1
    assert count_hits(boxes, np.zeros((0, 4))) == 0 and count_hits(np.zeros((0, 4)), persons) == 0


def test_recall_and_precision_are_those_worked_by_hand() -> None:
    truth = {FIRST: frame((0, 0, 10, 10), (50, 50, 90, 90)), SECOND: frame()}
    found = {
        FIRST: frame((0, 0, 10, 9), (50, 50, 90, 90), scores=[0.9, 0.2]),
        SECOND: frame((5, 5, 20, 20), scores=[0.8]),
    }
    scores = evaluate_boxes(truth, found, 0.3)
    assert (scores.recall, scores.precision) == (0.5, 0.5)
    assert (scores.num_frames, scores.num_persons, scores.num_boxes) == (2, 2, 2)
    # Ranked: hit (IoU 0.9), miss, hit: precision 1 up to recall 0.5, then 2/3. At IoU 0.95 the first is a miss too:
    # one of two persons, third in rank.
    ap50 = (51 * 1 + 50 * 2 / 3) / 101
    assert scores.ap50 == pytest.approx(ap50)
    assert scores.ap75 == pytest.approx(ap50)
    assert scores.ap == pytest.approx((9 * ap50 + 51 / 3 / 101) / 10)


def test_frames_that_the_truth_does_not_name_do_not_count() -> None:
    truth = {FIRST: frame((0, 0, 10, 10))}
    found = {FIRST: frame((0, 0, 10, 10)), SECOND: frame((0, 0, 10, 10))}
    assert evaluate_boxes(truth, found, 0.5).precision == 1.0


def test_nothing_found_and_nobody_there_are_told_apart() -> None:
    assert evaluate_boxes({FIRST: frame((0, 0, 10, 10))}, {}, 0.5).ap == 0.0
    nobody = evaluate_boxes({FIRST: frame()}, {}, 0.5)
    assert nobody.ap == -1.0 and nobody.recall == 0.0
    assert "1 frame, 0 persons, 0 boxes" in nobody.summary()
