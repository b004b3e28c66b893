"""tools/check_dataset.py: its exit codes, its report, the sheet and the repaired copy."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import pytest

from alphaction.dataset.datasets.synthetic import SyntheticFiles

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/check_dataset.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_dataset", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def test_a_process_reports_a_usable_data_set(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    words = [sys.executable, str(TOOL), str(tiny_data.root), "--sheet", str(sheet), "--frames", "4"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "labels of train  labels of val" in done.stdout and "0 errors, 1 warning, 2 notes" in done.stdout
    assert done.stderr == ""  # no progress bar outside a terminal
    picture = cv2.imread(str(sheet))
    assert picture is not None and picture.shape[1] > 3 * 320 and len({*picture.reshape(-1, 3).sum(1).tolist()}) > 50


def test_errors_give_exit_code_1(data: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with (data / "train.csv").open("a") as file:
        file.write("train_00,0001,0.1,0.1,0.2,0.2,77,0\n")
    assert tool.main([str(data), "--quick"]) == 1
    said = capsys.readouterr().out
    assert f"error: {data}/train.csv, row 14: the action 77" in said and "1 error," in said
    assert "frames a second" not in said  # no video was opened


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sheet", "a.xyz"], "--sheet a.xyz: the sheet is a PNG picture"),
        (["--frames", "0"], "argument --frames: 0 is not a number from 1"),
        (["--workers", "-1"], "argument --workers: -1 is not a number from 1"),
        (["--drop", "times"], "--drop needs --fix OUT"),
    ],
)
def test_a_wrong_flag_is_refused_before_any_work(
    tool: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        tool.main(["no_such_set", *words])
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_a_folder_that_cannot_take_the_copy_is_refused_before_any_work(
    data: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([str(data), "--fix", str(data)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "it exists already" in said.err


@pytest.mark.parametrize("words", [["no_such_set"], ["{folder}"], ["missing.yaml"]])
def test_what_is_no_data_set_gives_exit_code_2(
    tmp_path: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert tool.main([word.format(folder=tmp_path) for word in words]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_an_unknown_flag_gives_exit_code_2(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        tool.main(["somewhere", "--fixx", "out"])
    assert stop.value.code == 2


def test_the_repaired_copy_passes_and_each_change_is_listed(
    data: Path, tmp_path: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (data / "train.csv").read_text().splitlines()
    rows[2] = rows[2].replace("0.911", "1.02")
    (data / "train.csv").write_text("\n".join(rows).replace(",", "\t") + "\n", encoding="utf-8-sig")
    assert tool.main([str(data), "--fix", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "train.csv: byte order mark removed" in said and "train.csv: tabs to commas" in said
    assert "train.csv, row 3: box clipped to the frame" in said and "(3 changes)" in said
    assert tool.main([str(tmp_path / "out"), "--quick"]) == 0


def test_files_can_be_named_one_by_one(tiny_data: SyntheticFiles, tool: ModuleType, capsys) -> None:
    assert tool.main([str(tiny_data.val_yaml), "--quick", "--box-thresh", "0.9999"]) == 1
    said = capsys.readouterr().out
    assert "no box reaches the score 0.9999" in said and "train" not in said.splitlines()[2]


def test_what_the_sheet_cannot_show_is_named(
    data: Path, tmp_path: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "videos/train_00.mp4").write_bytes(b"no video")
    (data / "videos/val_00.mp4").unlink()
    assert tool.main([str(data), "--sheet", str(tmp_path / "sheet.png"), "--frames", "4"]) == 1
    said = capsys.readouterr().out
    assert f"train: train_00@1s is not drawn: {data}/videos/train_00.mp4: corrupt" in said
    assert "val is not drawn: it has no key frame with a box, a known class and a video." in said


def test_a_table_given_for_the_data_set_gives_exit_code_2(
    data: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([str(data / "train.csv")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "is no data set; give a folder, or a data set file (.yaml)" in said.err


def test_a_copy_without_a_repair_says_so(
    data: Path, tmp_path: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([str(data), "--quick", "--fix", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "nothing could be repaired" in said and "repaired copy" not in said and "pixels" not in said


def test_a_quick_repair_says_that_pixels_need_the_videos(
    data: Path, tmp_path: Path, tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "train.csv").write_text((data / "train.csv").read_text().replace("0.911,0.903", "175,116"))
    assert tool.main([str(data), "--quick", "--fix", str(tmp_path / "out")]) == 1
    assert "run without --quick for that" in capsys.readouterr().out
