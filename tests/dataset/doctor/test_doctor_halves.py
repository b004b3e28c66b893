"""Training and test halves that are the same, and what a training says of its data sets by itself."""

import logging
import shutil
from pathlib import Path

import pytest

from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, examine, log_quick_check, quick_check
from alphaction.dataset.doctor.finding import Finding

SAME = "the test set is the training set"


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def quick(train: Path, test: Path) -> tuple[Finding, ...]:
    return quick_check([str(train)], [str(test)], threshold=BoxThreshold(), max_persons=10)


def listed(*names: Path) -> tuple[Finding, ...]:
    return examine([str(name) for name in names], CheckOptions(is_quick=True)).findings


@pytest.mark.parametrize("check", [quick, listed])
def test_one_data_set_file_for_both_halves_is_told(data: Path, check) -> None:
    (found,) = [finding for finding in check(data / "train.yaml", data / "train.yaml") if SAME in finding.text]
    assert (found.level, found.file) == ("warning", str(data / "train.yaml"))
    assert "a score on what was trained says nothing" in found.remedy


@pytest.mark.parametrize("check", [quick, listed])
def test_two_data_set_files_with_one_table_are_told(data: Path, check) -> None:
    text = (data / "val.yaml").read_text().replace("csv_gt_file: val.csv", "csv_gt_file: ./train.csv")
    (data / "val.yaml").write_text(text)
    findings = check(data / "train.yaml", data / "val.yaml")
    (found,) = [finding for finding in findings if SAME in finding.text]
    assert found.level == "warning" and found.file == str(data / "val.yaml") and "train.csv" in found.text
    assert "splits-share-frames" not in {finding.code for finding in findings}


def log_of(caplog: pytest.LogCaptureFixture, data: Path) -> list[tuple[str, str]]:
    names = [str(data / "train.yaml")], [str(data / "val.yaml")]
    with caplog.at_level(logging.INFO, "alphaction"):
        log_quick_check(*names, threshold=BoxThreshold(), max_persons=10)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_training_says_error_where_the_doctor_does(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (data / "train.csv").open("a") as file:
        file.write("train_01,0005,0.1,0.1,0.1,0.5,1,9\n")
    with (data / "val.csv").open("a") as file:
        file.write("train_00,0003,0.1,0.1,0.2,0.2,1,9\n")
    (first, *others, last) = log_of(caplog, data)
    assert first[0] == "ERROR" and first[1].startswith(f"[error] {data}/val.csv, row 9: the key frame train_00@3s")
    assert others and all(level == "WARNING" and text.startswith("[warning] ") for level, text in others)
    assert last[0] == "ERROR" and last[1].startswith(f"The data has 1 error and {len(others)} warning")
    assert f"python tools/check_dataset.py {data}/train.yaml {data}/val.yaml" in last[1]


def test_warnings_alone_are_no_error_in_the_log(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = log_of(caplog, data)
    assert {level for level, _ in said} == {"WARNING"} and "The data has 0 errors and 1 warning:" in said[-1][1]
