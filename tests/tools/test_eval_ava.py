import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "fixtures" / "golden" / "eval"
LABELS = 'item {\n  name: "stand"\n  id: 12\n}\nitem {\n  name: "walk"\n  id: 14\n}\n'
GT = "vid,0055,0.1,0.1,0.5,0.5,14,1\nvid,0056,0.1,0.1,0.5,0.5,12,1\n"
DET = "vid,0055,0.1,0.1,0.5,0.5,14,0.9\nvid,0056,0.1,0.1,0.5,0.5,14,0.8\nvid,0056,0.1,0.1,0.5,0.5,80,0.8\n"


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("eval_ava", ROOT / "tools" / "eval_ava.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def flags(tmp_path):
    files = {"gt": ("gt.csv", GT), "det": ("det.csv", DET), "labelmap": ("labels.pbtxt", LABELS)}
    result = []
    for flag, (name, text) in files.items():
        (tmp_path / name).write_text(text)
        result += [f"--{flag}", str(tmp_path / name)]
    return result


def test_a_result_file_is_evaluated_by_itself(main, flags, tmp_path, capsys):
    assert main([*flags, "--json", str(tmp_path / "out.json")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "mAP@0.5 = 0.50000000"
    assert [line.split() for line in out[2:4]] == [
        ["12", "stand", "object", "0.0000", "1", "-", "0"],
        ["14", "walk", "object", "1.0000", "1", "-", "2"],
    ]
    assert "1 detections left out because their class is not evaluated." in out
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["metrics"]["mAP@0.5"] == 0.5
    assert content["details"]["counts"]["scores_of_classes_not_evaluated"] == 1


def test_excluded_key_frames_are_left_out(main, flags, tmp_path, capsys):
    (tmp_path / "excluded.csv").write_text("vid,0056\n")
    assert main([*flags, "--excluded", str(tmp_path / "excluded.csv")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "mAP@0.5 = 1.00000000"


def test_scores_may_be_negative(main, flags, tmp_path, capsys):
    (tmp_path / "det.csv").write_text(DET.replace(",0.9\n", ",-3.5\n"))
    assert main(flags) == 0
    assert capsys.readouterr().out.splitlines()[3].split() == ["14", "walk", "object", "0.5000", "1", "-", "2"]


def test_class_ids_outside_the_label_map_are_explained(main, flags, tmp_path, capsys):
    (tmp_path / "det.csv").write_text(DET.replace(",14,", ",81,"))
    assert main(flags) == 0
    out = capsys.readouterr().out
    assert "the class ids of the detections (80, 81) are not in the label map (12, 14)" in out
    assert out.splitlines()[-1] == "mAP@0.5 = 0.00000000"


def test_the_golden_set_is_evaluated_from_compressed_files(main, capsys):
    names = {"gt": "gt.csv", "det": "det.csv.gz", "labelmap": "labelmap.pbtxt", "excluded": "excluded.csv"}
    assert main([text for flag, name in names.items() for text in (f"--{flag}", str(GOLDEN / name))]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "mAP@0.5 = 0.58823356"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("gt.csv", "vid,0055,10,10,50,50,14,1\n", "gt.csv, row 1: .* look like pixels"),
        ("gt.csv", "", "gt.csv holds no row"),
        ("det.csv", "vid,0055,0.1,0.1,0.5\n", "det.csv, row 1: .* has 5 columns; expected"),
        ("labels.pbtxt", "item { name }", "labels.pbtxt"),
        ("det.csv", None, "Cannot read the CSV file .*det.csv"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(main, flags, tmp_path, capsys, name, text, problem):
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_text(text)
    assert main(flags) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert re.search(problem, captured.err)


def test_an_output_that_cannot_be_written_is_an_error(main, flags, tmp_path, capsys):
    (tmp_path / "no").write_text("a file, not a folder")
    assert main([*flags, "--json", str(tmp_path / "no" / "folder.json")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
