"""Boxes: the golden numbers of the family, and what they do not cover."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from alphaction.structures.boxes import Boxes

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"
OPS = np.load(GOLDEN / "ops.npz")
GIVEN = json.loads((GOLDEN / "ops.json").read_text())["box_in"]


def golden(name: str) -> torch.Tensor:
    return torch.from_numpy(OPS[name])


@pytest.fixture
def boxes() -> Boxes:
    return Boxes(torch.tensor(GIVEN["boxes"]), tuple(GIVEN["size"]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("box_extend_0.1_0.05", lambda b: b.extend((0.1, 0.05)).xyxy),
        ("box_extend_0.3", lambda b: b.extend((0.3, 0.3)).xyxy),
        ("box_to_xywh", lambda b: b.to_xywh()),
        ("box_resize_455x256", lambda b: b.resize((455, 256)).xyxy),
        ("box_resize_320x256", lambda b: b.resize((320, 256)).xyxy),
        ("box_resize_xywh_455x256", lambda b: b.resize((455, 256)).to_xywh()),
        ("box_flip_lr", lambda b: b.flip().xyxy),
        ("box_clip_inplace", lambda b: b.clip().xyxy),
        ("box_area_xyxy", lambda b: b.area()),
    ],
)
def test_operation_equals_the_golden_numbers(boxes: Boxes, name: str, change) -> None:
    torch.testing.assert_close(change(boxes), golden(name), rtol=1e-6, atol=1e-4)


def test_vertical_flip_keeps_a_full_box_inside_the_image(boxes: Boxes) -> None:
    # One pixel above the golden numbers, whose full box ends below the last row.
    shift = torch.tensor([0.0, 1.0, 0.0, 1.0])
    torch.testing.assert_close(boxes.flip(vertical=True).xyxy, golden("box_flip_tb") - shift)
    assert boxes.flip(vertical=True).xyxy[1].tolist() == [0, 0, 159, 127]


def test_flip_twice_gives_the_same_boxes(boxes: Boxes) -> None:
    torch.testing.assert_close(boxes.flip().flip().xyxy, boxes.xyxy)
    torch.testing.assert_close(boxes.flip(vertical=True).flip(vertical=True).xyxy, boxes.xyxy)


def test_select_takes_the_columns_along() -> None:
    boxes = Boxes(torch.arange(12.0).view(3, 4), (20, 20), labels=torch.eye(3, dtype=torch.uint8))
    picked = boxes.select(torch.tensor([True, False, True]))
    assert picked.xyxy[:, 0].tolist() == [0, 8]
    assert picked.labels is not None and picked.labels.argmax(1).tolist() == [0, 2]


def test_cat_keeps_the_columns_all_have() -> None:
    scored = Boxes(torch.zeros(1, 4), (8, 8), scores=torch.ones(1))
    assert Boxes.cat([scored, scored]).scores is not None
    assert Boxes.cat([scored, Boxes.empty((8, 8))]).scores is None


def test_cat_refuses_boxes_of_different_images() -> None:
    with pytest.raises(ValueError, match="one image"):
        Boxes.cat([Boxes.empty((8, 8)), Boxes.empty((9, 8))])


def test_no_operation_changes_its_input(boxes: Boxes) -> None:
    before = boxes.xyxy.clone()
    boxes.extend((0.5, 0.5)), boxes.flip(), boxes.flip(vertical=True), boxes.clip(), boxes.resize((8, 8))
    assert torch.equal(boxes.xyxy, before)


def test_no_box_is_a_case_of_every_operation() -> None:
    empty = Boxes.empty((16, 8))
    for result in (empty.extend((0.1, 0.1)), empty.flip(), empty.clip(), empty.resize((32, 16))):
        assert result.xyxy.shape == (0, 4)


@pytest.mark.parametrize(
    ("xyxy", "columns", "message"),
    [
        (torch.zeros(4), {}, r"\[n, 4\]"),
        (torch.zeros(2, 4), {"scores": torch.zeros(3)}, "3 rows of scores"),
    ],
)
def test_wrong_shapes_are_refused(xyxy: torch.Tensor, columns: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Boxes(xyxy, (8, 8), **columns)
