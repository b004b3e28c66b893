"""Which file and which reason a finding names."""

import os
import shutil
from pathlib import Path

import pytest

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.finding import Finding
from alphaction.utils.errors import UserError


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def check(data: Path) -> Examination:
    return examine([str(data)], CheckOptions(workers=1))


def only(result: Examination, code: str) -> Finding:
    (found,) = [finding for finding in result.findings if finding.code == code]
    return found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keep_classes: [1, 77]", "keep_classes: class ids [77] are not in the label file"),
        ("groups: {pose: [1, 2]}", "groups: "),
    ],
)
def test_a_wrong_setting_is_blamed_on_the_data_set_file(data: Path, line: str, said: str) -> None:
    (data / "train.yaml").write_text((data / "train.yaml").read_text() + line + "\n")
    found = only(check(data), "labels-unusable")
    assert found.file == str(data / "train.yaml") and found.problem.startswith(said)
    assert found.remedy == f"Correct {said.split(':')[0]} in the data set file."


def test_a_wrong_label_file_is_still_blamed_itself(data: Path) -> None:
    (data / "labels.pbtxt").write_text("")
    (data / "train.yaml").write_text((data / "train.yaml").read_text() + "groups: exclusive\n")
    assert {f.file for f in check(data).findings if f.code == "labels-unusable"} == {str(data / "labels.pbtxt")}


def make_dangling(path: Path) -> None:
    path.symlink_to("/no/such/movie.mp4")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_empty_folder(path: Path) -> None:
    path.with_suffix("").mkdir()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_dangling, "train_01.mp4 is a link to /no/such/movie.mp4, a file that is not there"),
        (make_pipe, "train_01.mp4 is neither a file nor a folder"),
        (make_empty_folder, "train_01 is a folder without one-second clips (<second>.mp4)"),
    ],
)
def test_what_bears_the_name_of_a_video_and_is_none_is_told(data: Path, make, said: str) -> None:
    (data / "videos/train_01.mp4").unlink()
    make(data / "videos/train_01.mp4")
    found = only(check(data), "videos-missing")
    assert said in found.text and "did you mean" not in found.text and "train.csv, row 8" in found.text


def test_a_dangling_link_in_place_of_a_table_is_told(data: Path) -> None:
    (data / "val_boxes.csv").unlink()
    (data / "val_boxes.csv").symlink_to("gone.csv")
    assert "a link to gone.csv, a file that is not there" in only(check(data), "file-missing").text


@pytest.mark.parametrize(
    ("factor", "said"),
    [(25, "look like frame numbers, of which it has 25 a second: divide them by 25"), (1000, "look like milliseconds")],
)
def test_times_in_another_unit_are_recognised(data: Path, factor: int, said: str) -> None:
    rows = [line.split(",") for line in (data / "train.csv").read_text().splitlines()]
    rows = [[row[0], str(int(float(row[1]) * factor)), *row[2:]] for row in rows]
    (data / "train.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    found = [finding for finding in check(data).findings if finding.code == "time-outside"]
    assert len(found) == 2 and any(said in finding.text for finding in found)  # their rates differ


def test_a_single_late_row_is_not_taken_for_another_unit(data: Path) -> None:
    text = (data / "train.csv").read_text()
    (data / "train.csv").write_text(text.replace("train_00,0001", "train_00,0099", 1))
    assert "look like" not in only(check(data), "time-outside").text


@pytest.mark.parametrize("name", ["train.csv", "labels.pbtxt", "videos/train_00.mp4"])
def test_a_file_that_is_no_data_set_is_refused_with_what_is_expected(data: Path, name: str) -> None:
    with pytest.raises(UserError, match="is no data set; give a folder, or a data set file") as raised:
        examine([str(data / name)], CheckOptions())
    assert f"python tools/check_dataset.py {(data / name).parent}" in str(raised.value)
