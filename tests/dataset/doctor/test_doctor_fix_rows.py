"""Repairs of single rows: names of videos and classes, corners, boxes that reach outside."""

import json
import shutil
from pathlib import Path

import pytest

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.fix import write_repaired
from alphaction.dataset.doctor.spelling import Corrections, respell


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def check(data: Path) -> Examination:
    return examine([str(data)], CheckOptions(workers=1))


def replace(path: Path, old: str, new: str, count: int = -1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def errors(result: Examination) -> list[str]:
    return [finding.text for finding in result.findings if finding.level == "error"]


@pytest.mark.parametrize("name", ["Train_01", "train_01.mp4", "TRAIN_01.MP4"])
def test_case_and_ending_of_a_video_are_corrected_row_by_row(data: Path, tmp_path: Path, name: str) -> None:
    original = (data / "train.csv").read_text()
    replace(data / "train.csv", "train_01,", f"{name},")
    result = check(data)
    assert any(finding.remedy.endswith("--fix corrects case and ending.") for finding in result.findings)
    changes = write_repaired(result, tmp_path / "out", ["videos"])
    assert [change.row for change in changes] == list(range(8, 14))
    assert {change.text for change in changes} == {f'video "{name}" to "train_01"'}
    assert (tmp_path / "out/train.csv").read_text() == original
    assert errors(check(tmp_path / "out")) == []


def test_names_in_the_boxes_and_exclusions_are_corrected_too(data: Path, tmp_path: Path) -> None:
    replace(data / "val_boxes.csv", "val_00,", "val_00.mp4,")
    replace(data / "val_excluded.csv", "val_00", "VAL_00")
    before = errors(check(data))
    write_repaired(check(data), tmp_path / "out")
    assert before and errors(check(tmp_path / "out")) == []
    assert "VAL_00" not in (tmp_path / "out/val_excluded.csv").read_text()


def test_names_of_videos_in_json_are_corrected(data: Path, tmp_path: Path) -> None:
    image = {"id": 1, "movie": "Train_00", "timestamp": 1, "width": 192, "height": 128}
    person = {"id": 1, "image_id": 1, "bbox": [20, 30, 60, 70], "action_ids": [1]}
    (data / "a.json").write_text(json.dumps({"images": [image], "annotations": [person]}))
    replace(data / "train.yaml", "csv_gt_file: train.csv", "ann_file: a.json")
    (change,) = write_repaired(check(data), tmp_path / "out")
    assert str(change).endswith('a.json, image 0: video "Train_00" to "train_00"')
    assert errors(check(tmp_path / "out")) == []


def test_a_name_is_corrected_only_when_one_file_is_meant(tmp_path: Path) -> None:
    for name in ("One.mp4", "one.mp4", "two.mp4", "v.2.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "Three").mkdir()
    videos = ["ONE", "TWO", "THREE.mp4", "tow", "two", "v.2", "v.3"]
    assert respell(videos, tmp_path) == {"TWO": "two", "THREE.mp4": "Three"}
    assert respell(videos, tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("0.584,0.337,0.911,0.903", "0.911,0.337,0.584,0.903", "reversed corners swapped"),
        ("0.584,0.337,0.911,0.903", "0.911,0.903,0.584,0.337", "reversed corners swapped"),
        ("0.911,0.903", "1.2,0.903", "box clipped to the frame"),
        ("0.584,0.337,0.911,0.903", "1.05,0.337,0.584,0.903", "reversed corners swapped; box clipped to the frame"),
    ],
)
def test_a_box_that_is_surely_meant_is_repaired(data: Path, tmp_path: Path, old: str, new: str, text: str) -> None:
    replace(data / "train.csv", old, new, 1)
    (change,) = write_repaired(check(data), tmp_path / "out")
    assert (change.row, change.text) == (3, text)
    assert errors(check(tmp_path / "out")) == []


def test_boxes_of_another_form_are_not_taken_for_reversed_corners(data: Path, tmp_path: Path) -> None:
    rows = [f"train_00,000{second},0.6,0.5,0.2,0.4,1,{second}" for second in (1, 3, 5)]  # x, y, width, height
    (data / "train.csv").write_text("\n".join(rows) + "\n")
    assert write_repaired(check(data), tmp_path / "out") == []


def test_bad_rows_drops_every_row_whose_box_is_still_an_error(data: Path, tmp_path: Path) -> None:
    lines = (data / "train.csv").read_text().splitlines()
    lines += [
        "train_00,0001,1.5,0.1,1.6,0.2,1,9",
        "train_00,0001,0.5,1750,0.6,1800,1,9",
        "train_00,0001,left,0,1,1,1,9",
    ]
    (data / "train.csv").write_text("\n".join(lines) + "\n")
    with (data / "val_boxes.csv").open("a") as file:
        file.write("val_00,0001,1.5,0.1,1.6,0.2,,0.9\n")
    result = check(data)
    assert write_repaired(result, tmp_path / "kept") == []
    changes = write_repaired(result, tmp_path / "out", ["bad-rows"])
    assert [change.row for change in changes[:3]] == [14, 15, 16] and len(changes) == 4
    assert errors(check(tmp_path / "out")) == []


def test_names_of_classes_become_their_ids(data: Path, tmp_path: Path) -> None:
    original = (data / "train.csv").read_text()
    rows = [line.split(",") for line in original.splitlines()]
    assert rows[0][6] == "3"
    named = [[*row[:6], "Walk  right " if row[6] == "2" else row[6], row[7]] for row in rows]
    named[0][6] = "no such class"
    (data / "train.csv").write_text("".join(",".join(row) + "\n" for row in named))
    (found,) = [finding for finding in check(data).findings if finding.code == "row-action"]
    assert "has a column action that is not a whole number: 'no such class'; expected" in found.text
    assert "--fix does it" in found.remedy and "base 10" not in found.text
    changes = write_repaired(check(data), tmp_path / "out")
    assert {change.text for change in changes} == {'action "Walk  right " to 2'}
    assert (tmp_path / "out/train.csv").read_text().splitlines()[1:] == original.splitlines()[1:]
    assert len(write_repaired(check(data), tmp_path / "dropped", ["bad-rows"])) == len(changes) + 1


def test_names_of_classes_that_are_not_kept_become_ids_too(data: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in (data / "train.csv").read_text().splitlines()]
    named = [[*row[:6], "walk right" if row[6] == "2" else row[6], row[7]] for row in rows]
    (data / "train.csv").write_text("".join(",".join(row) + "\n" for row in named))
    (data / "train.yaml").write_text((data / "train.yaml").read_text() + "keep_classes: [3]\n")
    changes = write_repaired(check(data), tmp_path / "out", ["bad-rows"])
    assert {change.text for change in changes} == {'action "walk right" to 2'}


def test_a_line_that_needs_nothing_stays_as_it_is() -> None:
    corrections = Corrections({"A": "a"}, {"walk": 7})
    for line in ('"b,c",1,0.1,0.1,0.2,0.2,walks,1\n', "a,1\n", "\n", "a,1,0.1,0.1,0.2,0.2,7,1"):
        assert corrections.correct(line) == (line, [])
    assert corrections.correct("A,1,0.1,0.1,0.2,0.2,Walk,1\n")[0] == "a,1,0.1,0.1,0.2,0.2,7,1\n"
