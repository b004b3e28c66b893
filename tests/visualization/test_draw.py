"""Pictures with predictions: where colour appears. Letters are never compared, OpenCV 4 and 5 draw them differently."""

import cv2
import numpy as np
import pytest
import torch

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.visualization.contact_sheet import KeyFrame, write_contact_sheet
from alphaction.visualization.draw import PALETTE, display_size, draw_caption, draw_predictions, score_rows

LABELS = LabelMap((1, 2, 5), ("walk left", "walk right", "wave"), ClassGroups(object=(0, 1, 2)))
FRAME = np.full((60, 90, 3), 128, np.uint8)
BOXES = Boxes(torch.tensor([[10.0, 30.0, 30.0, 55.0], [50.0, 30.0, 80.0, 55.0]]), (90, 60))


def scored(scores: list[list[float]]) -> Boxes:
    return Boxes(BOXES.xyxy, BOXES.size, scores=torch.tensor(scores))


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [((192, 128), 480, (720, 480)), ((1920, 1080), 480, (1920, 1080)), ((101, 75), 50, (100, 74)), ((1, 1), 1, (2, 2))],
)
def test_small_pictures_are_enlarged_to_even_sizes(
    size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    assert display_size(size, short_side) == expected


def test_each_person_has_its_colour_and_the_frame_is_not_changed() -> None:
    before = FRAME.copy()
    picture = draw_predictions(FRAME, scored([[0.9, 0, 0], [0, 0, 0.8]]), LABELS, short_side=240)
    assert picture.shape == (240, 360, 3) and picture.dtype == np.uint8
    assert has_colour(picture, PALETTE[0]) and has_colour(picture, PALETTE[1])
    assert not has_colour(picture, PALETTE[2])
    np.testing.assert_array_equal(FRAME, before)


def test_a_person_keeps_the_colour_it_is_given() -> None:
    picture = draw_predictions(FRAME, scored([[0.9, 0, 0], [0, 0, 0.8]]), LABELS, colours=[3, len(PALETTE) + 4])
    assert has_colour(picture, PALETTE[3]) and has_colour(picture, PALETTE[4])
    assert not has_colour(picture, PALETTE[0])


def test_the_outline_lies_on_the_box() -> None:
    picture = draw_predictions(FRAME, scored([[0, 0, 0], [0, 0, 0]]), LABELS, short_side=60)
    for left, top, right, bottom in BOXES.xyxy.int().tolist():
        assert (picture[bottom, (left + right) // 2] != FRAME[0, 0]).any()
        assert (picture[(top + bottom) // 2, left] != FRAME[0, 0]).any()
        assert (picture[(top + bottom) // 2, (left + right) // 2] == FRAME[0, 0]).all()


def test_truth_is_drawn_in_white() -> None:
    truth = Boxes(BOXES.xyxy, BOXES.size, labels=torch.tensor([[1, 0, 1], [0, 0, 0]], dtype=torch.uint8))
    with_truth = draw_predictions(FRAME, Boxes.empty((90, 60)), LABELS, truth=truth)
    assert has_colour(with_truth, (255, 255, 255))
    assert not has_colour(draw_predictions(FRAME, Boxes.empty((90, 60)), LABELS), (255, 255, 255))


def test_rows_are_the_best_classes_above_the_threshold() -> None:
    boxes = scored([[0.2, 0.6, 0.9], [0.1, 0.1, 0.1]])
    rows = score_rows(boxes, 0, LABELS, threshold=0.3, top=3)
    assert [name for name, _ in rows] == ["wave", "walk right"]
    assert rows[0][1] == pytest.approx(0.9)
    assert len(score_rows(boxes, 0, LABELS, threshold=0.0, top=1)) == 1
    assert score_rows(boxes, 1, LABELS, threshold=0.3, top=3) == []


def test_boxes_of_a_detector_show_one_score() -> None:
    boxes = Boxes(BOXES.xyxy, BOXES.size, scores=torch.tensor([0.9, 0.1]))
    assert [name for name, _ in score_rows(boxes, 0, LABELS, threshold=0.3, top=3)] == ["person"]
    assert score_rows(boxes, 1, LABELS, threshold=0.3, top=3) == []


def test_boxes_at_all_edges_of_the_picture_are_drawn() -> None:
    corners = torch.tensor([[-20.0, -20.0, 5.0, 5.0], [80.0, 50.0, 200.0, 200.0], [0.0, 0.0, 89.0, 59.0]])
    boxes = Boxes(corners, (90, 60), scores=torch.ones(3, 3))
    assert draw_predictions(FRAME, boxes, LABELS, short_side=60).shape == (60, 90, 3)


def test_scores_of_another_label_map_are_refused() -> None:
    with pytest.raises(ValueError, match="4 columns, the label map 3 classes"):
        draw_predictions(FRAME, Boxes(BOXES.xyxy, BOXES.size, scores=torch.zeros(2, 4)), LABELS)


def test_a_caption_stands_below_the_picture() -> None:
    captioned = draw_caption(FRAME, "key frame")
    assert np.array_equal(captioned[: len(FRAME)], FRAME)
    assert captioned[len(FRAME) :].std() > 0


def test_a_contact_sheet_holds_a_panel_a_key_frame(tmp_path) -> None:  # type: ignore[no-untyped-def]
    prediction = ClipPrediction(ClipKey("movie", 1000), scored([[0.9, 0, 0], [0, 0, 0.8]]))
    wide = np.full((60, 120, 3), 128, np.uint8)
    panels = [KeyFrame(FRAME, prediction), KeyFrame(wide, prediction), KeyFrame(FRAME, prediction)]
    path = write_contact_sheet(panels, LABELS, tmp_path / "new" / "sheet.png", columns=2, short_side=100)
    sheet = cv2.imread(str(path))
    caption = 14
    assert sheet.shape == (2 * (100 + caption) + 3 * 6, 2 * 200 + 3 * 6, 3)


def test_an_empty_contact_sheet_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="needs a key frame"):
        write_contact_sheet([], LABELS, tmp_path / "sheet.png")
