import pytest
import torch

from alphaction.detection.anchors import AnchorLevel, decode_boxes, make_anchors, suppress_repeats
from alphaction.detection.ssdlite import anchor_levels


def test_anchors_stand_in_the_middle_of_their_cells_row_by_row() -> None:
    anchors = make_anchors([AnchorLevel(2, (0.2, 0.4), (1.0, 4.0))])
    assert anchors[:, :2].tolist() == [[x, y] for y in (0.25, 0.75) for x in (0.25, 0.75) for _ in range(2)]
    assert anchors[0, 2:].tolist() == pytest.approx([0.2, 0.2])
    assert anchors[1, 2:].tolist() == pytest.approx([0.8, 0.2])  # width / height = 4, the area stays


def test_the_model_has_the_anchors_of_its_paper() -> None:
    anchors = make_anchors(anchor_levels())
    assert anchors.shape == (19 * 19 * 3 + (100 + 25 + 9 + 4 + 1) * 6, 4)
    assert anchors[0].tolist() == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert anchors[-1].tolist() == pytest.approx([0.5, 0.5, 0.974679, 0.974679], abs=1e-5)  # sqrt(0.95 * 1)


def test_a_code_of_zeros_is_the_anchor_itself() -> None:
    anchors = torch.tensor([[0.5, 0.4, 0.2, 0.6]])
    assert decode_boxes(torch.zeros(1, 1, 4), anchors)[0, 0].tolist() == pytest.approx([0.4, 0.1, 0.6, 0.7])


def test_codes_move_by_tenths_and_grow_by_fifths_of_the_logarithm() -> None:
    anchors = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    code = torch.tensor([[[5.0, -10.0, 5 * 0.6931472, 0.0]]])  # half a height down, a width to the left, twice as high
    assert decode_boxes(code, anchors)[0, 0].tolist() == pytest.approx([0.2, 0.3, 0.4, 1.1])


def test_a_repeat_of_the_same_category_is_dropped() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [30, 30, 40, 40]], dtype=torch.float32)
    scores = torch.tensor([0.6, 0.9, 0.8, 0.1])
    kept = suppress_repeats(boxes, scores, torch.tensor([1, 1, 2, 1]), iou=0.5, most=10)
    assert kept.tolist() == [1, 2, 3]
    assert suppress_repeats(boxes, scores, torch.tensor([1, 1, 2, 1]), iou=0.5, most=2).tolist() == [1, 2]
    assert suppress_repeats(boxes, scores, torch.tensor([1, 1, 1, 1]), iou=0.9, most=9).tolist() == [1, 2, 3]
