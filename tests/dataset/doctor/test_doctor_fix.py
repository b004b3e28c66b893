"""The repaired copy: what is sure is repaired, what the user must decide stays, and the originals are not touched."""

import shutil
from pathlib import Path

import pytest
from mistakes import MISTAKES

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.fix import DropKind, write_repaired
from alphaction.utils.errors import UserError

BY_CODE = {mistake.code: mistake for mistake in MISTAKES}
SURE = (
    *("box-mixed", "box-outside", "box-degenerate", "row-repeated", "csv-tabs", "csv-semicolons", "csv-header"),
    *("csv-bom", "csv-utf16", "csv-encoding"),
)
ON_REQUEST: tuple[tuple[str, DropKind], ...] = (
    ("action-unknown", "unknown-ids"),
    ("row-x1", "bad-rows"),
    ("time-outside", "times"),
    ("videos-missing", "videos"),
    ("video-corrupt", "videos"),
)


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def check(data: Path) -> Examination:
    return examine([str(data)], CheckOptions(workers=1))


def codes(data: Path) -> set[str]:
    return {finding.code for finding in check(data).findings}


def texts(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


@pytest.mark.parametrize("code", SURE)
def test_a_sure_repair_leaves_nothing_to_say(data: Path, tmp_path: Path, code: str) -> None:
    BY_CODE[code].make(data)
    before = texts(data)
    changes = write_repaired(check(data), tmp_path / "out")
    assert changes and all(change.text for change in changes)
    assert code not in codes(tmp_path / "out")
    assert texts(data) == before


@pytest.mark.parametrize(("code", "kind"), ON_REQUEST)
def test_rows_that_say_something_are_dropped_on_request_only(
    data: Path, tmp_path: Path, code: str, kind: DropKind
) -> None:
    BY_CODE[code].make(data)
    result = check(data)
    assert write_repaired(result, tmp_path / "kept") == []
    assert code in codes(tmp_path / "kept")
    changes = write_repaired(result, tmp_path / "dropped", [kind])
    assert all(change.text.startswith("left out") for change in changes) and changes
    assert code not in codes(tmp_path / "dropped")


def test_pixels_become_fractions_of_the_frames_of_their_video(data: Path, tmp_path: Path) -> None:
    lines = (data / "train.csv").read_text().splitlines()
    pixels = []
    for line in lines:
        video, second, *box, action, person = line.split(",")
        box = [f"{float(value) * extent:.2f}" for value, extent in zip(box, (192, 128) * 2, strict=True)]
        pixels.append(",".join([video, second, *box, action, person]))
    (data / "train.csv").write_text("\n".join(pixels) + "\n")
    changes = write_repaired(check(data), tmp_path / "out")
    assert len(changes) == len(lines)
    for line, repaired in zip(lines, (tmp_path / "out/train.csv").read_text().splitlines(), strict=True):
        expected, found = ([float(value) for value in row.split(",")[2:6]] for row in (line, repaired))
        assert found == pytest.approx(expected, abs=1e-4)


def test_pixels_beyond_their_frame_are_left_as_they_are(data: Path, tmp_path: Path) -> None:
    text = (data / "train.csv").read_text()
    (data / "train.csv").write_text(text.replace("0.911,0.903", "1750,1160"))
    assert write_repaired(check(data), tmp_path / "out") == []
    assert "1750,1160" in (tmp_path / "out/train.csv").read_text()


def test_a_row_whose_box_is_changed_keeps_its_other_columns(data: Path, tmp_path: Path) -> None:
    BY_CODE["box-outside"].make(data)
    (change,) = write_repaired(check(data), tmp_path / "out")
    assert (Path(change.file).name, change.row, change.text) == ("train.csv", 3, "box clipped to the frame")
    assert (tmp_path / "out/train.csv").read_text().splitlines()[2] == "train_00,0001,0.584,0.337,1,0.903,7,1"
    assert (tmp_path / "out/changes.txt").read_text() == f"{change}\n"


def test_the_data_set_files_of_the_copy_point_at_the_old_videos(data: Path, tmp_path: Path) -> None:
    (data / "val.yaml").write_text((data / "val.yaml").read_text() + "groups: exclusive\nbox_thresh: 0\n")
    write_repaired(check(data), tmp_path / "deep/out")
    text = (tmp_path / "deep/out/val.yaml").read_text()
    assert "video_root: ../../data/videos" in text and "groups: exclusive" in text and "box_thresh: 0" in text
    assert len(check(tmp_path / "deep/out").facts) == 3


def test_a_folder_with_files_is_not_written_into(data: Path) -> None:
    with pytest.raises(UserError, match="it exists already"):
        write_repaired(check(data), data)
