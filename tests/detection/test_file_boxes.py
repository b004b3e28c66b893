import numpy as np
import pytest

from alphaction.detection.file_boxes import FileBoxes
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

ROWS = "a,0001,0.1,0.2,0.5,0.6,,0.4\na,0001,0.0,0.0,0.5,1.0,,0.9\na,0003.5,0.2,0.2,0.4,0.4,,0.8\nb,0001\n"
IMAGE = np.zeros((100, 200, 3), np.uint8)


@pytest.fixture
def detector(tmp_path) -> FileBoxes:
    (tmp_path / "boxes.csv").write_text(ROWS)
    return FileBoxes.from_csv(tmp_path / "boxes.csv")


def test_boxes_come_in_pixels_of_the_image_best_first(detector) -> None:
    found = detector.detect([IMAGE, IMAGE], [ClipKey("a", 3500), ClipKey("a", 1000)])
    assert found[0].xyxy.tolist() == [pytest.approx([40, 20, 80, 40])]
    assert found[1].xyxy.tolist() == [pytest.approx([0, 0, 100, 100]), pytest.approx([20, 20, 100, 60])]
    assert found[1].scores.tolist() == pytest.approx([0.9, 0.4]) and found[1].categories.tolist() == [1, 1]


def test_a_time_without_rows_has_no_box(detector) -> None:
    assert len(detector.detect([IMAGE], [ClipKey("a", 2000)])[0]) == 0


def test_times_are_those_of_the_file(detector) -> None:
    assert detector.times_ms("a") == [1000, 3500] and detector.times_ms("b") == [1000]


def test_a_video_that_the_file_does_not_mention_is_refused(detector) -> None:
    with pytest.raises(DataError, match='no box of the video "c"; it is about a, b'):
        detector.times_ms("c")
