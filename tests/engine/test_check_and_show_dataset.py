"""The sheet of an examined data set, and the quick check that training runs by itself."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from alphaction.config import get_cfg
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, examine, quick_check
from alphaction.engine import check_dataset
from alphaction.engine.check_dataset import write_sheet
from alphaction.engine.setup import open_training_data
from alphaction.tasks.action_detection import ActionDetection
from alphaction.utils.errors import UserError
from alphaction.visualization.dataset_sheet import LabelledFrame


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[LabelledFrame]:
    """Collects what is drawn instead of drawing it."""
    frames: list[LabelledFrame] = []

    def keep(entries: list[LabelledFrame], labels: object, path: Path) -> Path:
        frames.extend(entries)
        return path

    monkeypatch.setattr(check_dataset, "write_dataset_sheet", keep)
    return frames


def test_the_sheet_shows_key_frames_of_both_halves_with_their_labels(
    tiny_data: SyntheticFiles, shown: list[LabelledFrame]
) -> None:
    result = examine([str(tiny_data.root)], CheckOptions(is_quick=True))
    write_sheet(result, "sheet.png", num_frames=4)
    assert [str(entry.key) for entry in shown] == ["train_00@1s", "train_01@5s", "val_00@1s", "val_00@5s"]
    first, last = shown[0], shown[-1]
    assert first.frame.shape == (128, 192, 3) and first.detected is None
    assert first.persons.xyxy[0].tolist() == pytest.approx([0.095 * 192, 0.347 * 128, 0.410 * 192 - 1, 0.893 * 128 - 1])
    assert np.flatnonzero(first.persons.labels[0]).tolist() == [2, 3]
    assert last.detected is not None and float(last.detected.scores.min()) >= 0.8


def test_boxes_and_videos_that_cannot_be_drawn_are_left_out_of_the_sheet(
    tiny_data: SyntheticFiles, tmp_path: Path, shown: list[LabelledFrame]
) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    (folder / "videos/train_00.mp4").write_bytes(b"no video")
    lines = (folder / "train.csv").read_text().replace("0.584", "584").replace("0.911", "911")
    (folder / "train.csv").write_text(lines)
    write_sheet(examine([str(folder)], CheckOptions(is_quick=True)), "sheet.png", num_frames=100)
    assert {entry.key.video for entry in shown} == {"train_01", "val_00"}


def test_a_sheet_without_any_frame_is_refused(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    shutil.rmtree(folder / "videos")
    with pytest.raises(UserError, match="no labelled key frame"):
        write_sheet(examine([str(folder)], CheckOptions(is_quick=True)), tmp_path / "sheet.png")


def open_for_training(data: Path) -> None:
    cfg = get_cfg()
    names = {half: (str(data / f"{half}.yaml"),) for half in ("train", "val")}
    cfg.merge_from_list(["DATASETS.TRAIN", names["train"], "DATASETS.TEST", names["val"], "SOLVER.STEPS", ()])
    cfg = ActionDetection.resolve_config(cfg)
    open_training_data(cfg, ActionDetection.from_cfg(cfg))


def test_training_says_what_the_quick_check_finds(
    tiny_data: SyntheticFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    with (data / "train.csv").open("a") as file:
        file.write("train_01,0005,0.1,0.1,0.1,0.5,1,9\n")
    with (data / "val.csv").open("a") as file:
        file.write("train_00,0003,0.1,0.1,0.2,0.2,1,9\n")
    with caplog.at_level(logging.WARNING, "alphaction"):
        open_for_training(data)
    said = [record.getMessage() for record in caplog.records if "doctor" in record.name]
    assert any("train.csv, row 14" in text and "no width" in text for text in said)
    assert any("val.csv, row 9" in text and "train_00@3s" in text for text in said)
    assert "tools/check_dataset.py" in said[-1]


def test_the_quick_check_of_training_passes_over_test_sets_that_are_not_there(tiny_data: SyntheticFiles) -> None:
    findings = quick_check(
        [str(tiny_data.train_yaml)], ["ava_video_val_v2.2", "x.yaml"], threshold=BoxThreshold(), max_persons=9
    )
    assert findings == ()
