"""The legend of a contact sheet."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.visualization.contact_sheet import KeyFrame, write_contact_sheet

LABELS = LabelMap((1,), ("walk",), ClassGroups(pose=(0,)))
FRAME = np.full((60, 90, 3), 128, np.uint8)


def panel(*, has_truth: bool) -> KeyFrame:
    truth = Boxes(torch.tensor([[5.0, 5.0, 40.0, 40.0]]), (90, 60), labels=torch.ones(1, 1))
    return KeyFrame(FRAME, ClipPrediction(ClipKey("movie", 1000), Boxes.empty((90, 60))), truth if has_truth else None)


def sheet_of(panels: list[KeyFrame], path: Path) -> np.ndarray:
    picture = cv2.imread(str(write_contact_sheet(panels, LABELS, path, short_side=100)))
    assert picture is not None
    return picture


@pytest.mark.parametrize("num_panels", [1, 3])
def test_a_sheet_with_labels_says_what_the_boxes_are(tmp_path: Path, num_panels: int) -> None:
    with_legend = sheet_of([panel(has_truth=True)] * num_panels, tmp_path / "truth.png")
    without = sheet_of([panel(has_truth=False)] * num_panels, tmp_path / "plain.png")
    strip = with_legend[: len(with_legend) - len(without)]
    assert with_legend.shape[1] == without.shape[1] and len(strip) > 10
    assert (strip > 200).any()  # white letters
    assert not (strip[:, -4:] > 200).any()  # which fit


def test_a_sheet_of_detections_alone_has_no_legend(tmp_path: Path) -> None:
    assert sheet_of([panel(has_truth=False)], tmp_path / "plain.png").shape == (100 + 14 + 2 * 6, 150 + 2 * 6, 3)
