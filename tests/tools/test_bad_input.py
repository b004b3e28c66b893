"""What a user can get wrong: one clear message, exit code 2, no traceback, and nothing written."""

import gzip
import shutil
from pathlib import Path

import pytest
import torch

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_test_flags, parse_train_flags
from alphaction.engine.run import test as run_test
from alphaction.engine.run import train


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def words_for(data: Path, output: Path, words: list[str], *more: str) -> list[str]:
    files = ("DATASETS.TRAIN", f"('{data}/train.yaml',)", "DATASETS.TEST", f"('{data}/val.yaml',)")
    return [*words, *files, "OUTPUT_DIR", str(output), *more]


def fail(words: list[str], capsys: pytest.CaptureFixture[str], *, tool: str = "train") -> str:
    """Runs the tool, which must refuse, and returns what it says."""
    if tool == "train":
        code = run_tool(lambda: train(parse_train_flags(words)))
    else:
        code = run_tool(lambda: run_test(parse_test_flags(words)))
    said = capsys.readouterr().err
    assert code == 2 and "Traceback" not in said and said.count("error: ") == 1
    return said


def replace_line(path: Path, number: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


def test_missing_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no config file" in fail(["--config-file", str(tmp_path / "none.yaml")], capsys)


def test_no_training_set(tiny_words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "DATASETS.TRAIN is empty" in fail([*tiny_words, "DATASETS.TRAIN", "()"], capsys)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("labels.pbtxt", "Cannot read the label file"),
        ("train.csv", "train.csv"),
        ("videos", "videos"),
        ("val_boxes.csv", "val_boxes.csv"),
        ("val_excluded.csv", "val_excluded.csv"),
    ],
)
def test_missing_file(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str], broken: str, expected: str
) -> None:
    path = data / broken
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert expected in fail(words_for(data, tmp_path / "out", tiny_words), capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("train_00,0001,0.1,0.2,0.3,0.4", "6"),
        ("train_00,0001,0.5,0.2,0.3,0.4,1,0", "x2"),
        ("train_00,0001,0.1,0.2,0.3,0.4,77,0", "77"),
        ("train_00,0099,0.1,0.2,0.3,0.4,1,0", "0099|99"),
        ("train_00,0001,10,20,30,40,1,0", "pixels"),
        ("train_07,0001,0.1,0.2,0.3,0.4,1,0", "train_07"),
    ],
)
def test_broken_row(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str], row: str, expected: str
) -> None:
    replace_line(data / "train.csv", 2, row)
    said = fail(words_for(data, tmp_path / "out", tiny_words), capsys)
    assert any(text in said for text in expected.split("|"))
    assert ("2" in said and "train.csv" in said) or "train_07" in said


def test_empty_dataset(data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (data / "train.csv").write_text("")
    assert "train.csv" in fail(words_for(data, tmp_path / "out", tiny_words), capsys)


def test_class_counts_that_disagree_with_the_label_file(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("NUM_CLASSES", "NUM_PERSON_MOVEMENT_CLASSES")
    more = [word for name in names for word in (f"MODEL.ROI_ACTION_HEAD.{name}", "10")]
    for name in ("NUM_OBJECT_MANIPULATION_CLASSES", "NUM_PERSON_INTERACTION_CLASSES"):
        more += [f"MODEL.ROI_ACTION_HEAD.{name}", "0"]
    said = fail(words_for(data, tmp_path / "out", tiny_words, *more), capsys)
    assert "disagree with the label file" in said and "9 (0 exclusive, 9 + 0 multi-label)" in said


def test_sets_with_other_classes(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = (data / "val.yaml").read_text()
    (data / "val.yaml").write_text(text + "keep_classes: [1, 2]\n")
    assert "different classes" in fail(words_for(data, tmp_path / "out", tiny_words), capsys)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["SOLVER.STEPS", "('a',)"], "SOLVER.STEPS takes a list of int, got 'a'"),
        (["DATASETS.TRAIN", "(1,)"], "DATASETS.TRAIN takes a list of str, got 1"),
        (["SOLVER.BASE_LR", "nan"], "SOLVER.BASE_LR is nan"),
        (["DEVICE", "meta"], 'DEVICE is "meta"'),
        (["MODEL.BACKBONE.CONV_BODY", "Slowfast-Tinny"], 'did you mean "Slowfast-Tiny"?'),
        (["CUSTOM_IMPORTS", "('no_such_module',)"], 'cannot import "no_such_module"'),
        (["TASK", "action_detecton"], 'did you mean "action_detection"?'),
        (["DATASETS.TEST", "()", "SOLVER.LOG_PERIOD", "0"], "DATASETS.TEST is empty"),
    ],
)
def test_unusable_value(
    tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    said = fail([*tiny_words, "OUTPUT_DIR", str(tmp_path / "out"), *words], capsys)
    assert expected in said and not (tmp_path / "out").exists()
    assert "SOLVER.LOG_PERIOD is 0" in said or "SOLVER.LOG_PERIOD" not in words


def test_output_folder_that_is_a_file(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("")
    assert "Cannot write to OUTPUT_DIR" in fail(words_for(data, tmp_path / "out", tiny_words), capsys)


@pytest.mark.parametrize("line", ["groups: {pose: 1}", "groups: [pose]", "keep_classes: 2", "grops: exclusive"])
def test_unusable_entry_of_a_data_set_file(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (data / "train.yaml").write_text((data / "train.yaml").read_text() + line + "\n")
    said = fail(words_for(data, tmp_path / "out", tiny_words), capsys)
    assert line.split(":")[0] in said and "train.yaml" in said


def test_head_of_a_checkpoint_with_other_classes(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_for(data, tmp_path / "out", ["--skip-val-in-train", "--skip-final-test", *tiny_words])
    assert run_tool(lambda: train(parse_train_flags(words))) == 0
    (data / "labels.pbtxt").write_text((data / "labels.pbtxt").read_text().replace("wave", "salute"))
    weight = ("MODEL.WEIGHT", str(tmp_path / "out/model_final.pth"))
    said = fail(words_for(data, tmp_path / "new", tiny_words, *weight), capsys)
    assert "salute" in said and "--no-head" in said


@pytest.mark.parametrize("content", [b"", b"no video at all", "half"])
def test_too_many_broken_videos(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str], content: bytes | str
) -> None:
    for path in (data / "videos").glob("train_*.mp4"):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    more = ("DATALOADER.MAX_BAD_VIDEOS", "1")
    said = fail(words_for(data, tmp_path / "out", tiny_words, *more), capsys)
    assert "DATALOADER.MAX_BAD_VIDEOS" in said and "train_00" in said and "train_01" in said


def test_one_broken_video_is_skipped_and_named(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "videos/train_01.mp4").write_bytes(b"")
    flags = parse_train_flags(words_for(data, tmp_path / "out", ["--skip-val-in-train", *tiny_words]))
    assert run_tool(lambda: train(flags)) == 0
    assert "train_01" in capsys.readouterr().out


def test_folder_of_another_run(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_for(data, tmp_path / "out", ["--skip-val-in-train", "--skip-final-test", *tiny_words])
    assert run_tool(lambda: train(parse_train_flags(words))) == 0
    before = (tmp_path / "out/config.yaml").read_text()
    said = fail([*words, "SOLVER.BASE_LR", "0.5", "INPUT.TAU", "16", "INPUT.ALPHA", "8"], capsys)
    assert "SOLVER.BASE_LR" in said and "INPUT.TAU" in said and "OUTPUT_DIR" in said
    assert "--adjust-lr" in fail([*words, "SOLVER.BASE_LR", "0.5"], capsys)
    assert (tmp_path / "out/config.yaml").read_text() == before


def test_checkpoint_of_another_architecture(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model": {"layer1.0.conv1.weight": torch.zeros(4, 4)}}, tmp_path / "resnet.pth")
    words = words_for(data, tmp_path / "out", tiny_words, "MODEL.WEIGHT", str(tmp_path / "resnet.pth"))
    assert "none of its tensors fits" in fail(words, capsys)
    assert "resnet.pth" in fail(words, capsys, tool="test")


def test_nothing_to_test(data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing to test" in fail(words_for(data, tmp_path / "out", tiny_words), capsys, tool="test")


def test_more_processes_than_clips(
    data: Path,
    tmp_path: Path,
    tiny_words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert "does not divide by the 3 processes" in fail(words_for(data, tmp_path / "out", tiny_words), capsys)


def test_weight_file_that_is_no_weight_file(
    data: Path, tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with gzip.open(tmp_path / "w.pth", "wb") as file:
        file.write(b"<html>")
    words = words_for(data, tmp_path / "out", tiny_words, "MODEL.WEIGHT", str(tmp_path / "w.pth"))
    assert "w.pth" in fail(words, capsys)
