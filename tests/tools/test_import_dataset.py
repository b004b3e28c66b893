"""The command from annotation files to a data set, and the real tracks of PETS through it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.importers.cvat_writer import write_cvat
from alphaction.engine.cli import run_tool
from alphaction.structures.ava_csv import AvaRows, load_ground_truth_csv
from alphaction.structures.labels import load_label_map
from alphaction.structures.tracks import PersonTrack

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("import_dataset", ROOT / "tools" / "import_dataset.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tool: ModuleType, *words: str | Path) -> int:
    flags = tool.parse_flags([str(word) for word in words])
    return run_tool(lambda: tool.run_import(flags))


def test_it_says_what_it_did_and_what_to_type_next(
    tool: ModuleType, tiny_data: SyntheticFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = np.array([[0.1, 0.1, 0.5, 0.5]] * 2)
    for video, action in (("train_00", "walk"), ("train_01", "walk"), ("val_00", "stand")):
        track = PersonTrack(video, 1, np.array([1.0, 3.0]), box, np.ones(2), ((action,), ()))
        footage = {"size": (192, 128), "fps": 30.0 if video == "train_01" else 25.0, "num_frames": 150}
        write_cvat(tmp_path / f"{video}.xml", [track], video=video, actions=["stand", "walk"], **footage)
    words = [*sorted(tmp_path.glob("*.xml")), "--videos", tiny_data.root / "videos", "--out", tmp_path / "my data"]
    assert run(tool, "cvat", *words, "--groups", "exclusive") == 0
    said = capsys.readouterr().out
    for line in (
        "videos          2    1",
        "1 stand      2    0",
        "2 walk       2    2",
        "Of 9 labels 6 were written and 3 left out:",
        "        3  persons without an action",
        "3 persons without an action: from them a model would learn what it looks like when nobody does any.",
        f"Next: python tools/check_dataset.py '{tmp_path}/my data'",
    ):
        assert line in said
    assert load_label_map(tmp_path / "my data/labels.pbtxt").names == ("stand", "walk")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ava-csv", "none.csv"], "There is no file none.csv"),
        (["ava-csv", "."], ". is a folder; give the files"),
        (["ava-csv", __file__], "ava-csv takes"),
        (["coco", __file__], "Cannot read the JSON file"),
        (["mot", __file__], "columns; mot takes tracks"),
        (["ava-csv", __file__, "--val-share", "2"], "The share for validation is 2"),
        (["ava-csv", __file__, "--gap", "-1"], "The gap is -1; it must not be negative"),
        (["ava-csv", __file__, "--frame-rate", "-1"], "The frame rate is -1; it must not be negative"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(
    tool: ModuleType,
    tiny_data: SyntheticFiles,
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(tool, *words, "--videos", tiny_data.root / "videos", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said or "row 1" in said
    assert said.count("error: ") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("form", "name", "takes", "others"),
    [
        ("via3", "a.xml", ".json, .json.gz", "cvat"),
        ("alphaction", "a.csv", ".json, .json.gz", "mot, ava-csv"),
        ("cvat", "a.json.gz", ".xml, .zip", "via3, coco, alphaction"),
    ],
)
def test_files_of_another_format_are_told_by_their_ending(
    tool: ModuleType,
    tiny_data: SyntheticFiles,
    form: str,
    name: str,
    takes: str,
    others: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_text("anything")
    words = [form, tmp_path / name, "--videos", tiny_data.root / "videos", "--out", tmp_path / "out"]
    assert run(tool, *words) == 2 and not (tmp_path / "out").exists()
    said = capsys.readouterr().err
    assert f"{form} takes files that end in {takes}, got {tmp_path / name}" in said
    assert f"Formats with such files: {others}." in said


def as_set(rows: AvaRows) -> set[tuple[int, int, int]]:
    """Returns (second, action, left edge in hundredths) of each row."""
    columns = (rows.timestamp_ms // 1000, rows.action, np.round(rows.xyxy[:, 0] * 100).astype(int))
    return set(zip(*(column.tolist() for column in columns), strict=True))


def test_the_tracks_of_pets_take_their_actions_from_avas_rows(
    tool: ModuleType, real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pets = real_data / "pets"
    words = [pets / "mot_gt.txt", pets / "pets_train.csv", "--val", pets / "mot_gt.txt", pets / "pets_val.csv"]
    words += ["--labels", pets / "action_list.pbtxt", "--videos", pets, "--out", tmp_path / "out"]
    words += ["--boxes", pets / "pets_predicted_boxes.csv", "--box-thresh", "0.3"]
    assert run(tool, "mot", *words) == 0
    said = capsys.readouterr().out
    for name, num_rows in (("train", 260), ("val", 145)):
        given, written = (load_ground_truth_csv(p) for p in (pets / f"pets_{name}.csv", tmp_path / f"out/{name}.csv"))
        assert len(given) == num_rows and len(written) >= 0.95 * num_rows
        near = {(t, a, x + d) for t, a, x in as_set(given) for d in (-1, 0, 1)}
        assert as_set(written) <= near
    assert "rows of actions without a tracked box at their place (IoU 0.5)" in said
