import numpy as np
import pytest

from alphaction.structures.overlap import box_iou, pair_iou

FIRST = np.array([[0.0, 0, 2, 2], [5, 5, 5, 5]])
SECOND = np.array([[1.0, 0, 3, 2], [0, 0, 2, 1], [0, 0, 2, 2], [8, 8, 9, 9]])


def test_every_box_is_compared_with_every_other() -> None:
    assert box_iou(FIRST, SECOND) == pytest.approx(np.array([[1 / 3, 0.5, 1, 0], [0, 0, 0, 0]]))


def test_lists_of_the_same_length_are_compared_place_by_place() -> None:
    assert pair_iou(FIRST, SECOND[:2]) == pytest.approx([1 / 3, 0])


def test_boxes_without_area_have_nothing_in_common_even_with_themselves() -> None:
    assert pair_iou(FIRST[1:], FIRST[1:]).tolist() == [0]


def test_no_box_is_an_empty_answer() -> None:
    assert box_iou(FIRST[:0], SECOND).shape == (0, 4) and pair_iou(FIRST[:0], FIRST[:0]).shape == (0,)
