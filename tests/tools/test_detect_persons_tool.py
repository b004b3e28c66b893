"""``tools/detect_persons.py`` from its flags to its files, with an untrained detector."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from made_videos import write_text, write_video
from wire import graph, narrow_ssdlite

from alphaction.detection.tiles import TiledDetector
from alphaction.engine.cli import EXIT_CODES_OF_VIDEOS, run_tool
from alphaction.engine.person_flags import parse_person_flags, read_actions
from alphaction.engine.person_run import run_detection
from alphaction.structures.ava_csv import load_person_boxes_csv
from alphaction.utils.errors import UserError

TOOL = Path(__file__).parents[2] / "tools/detect_persons.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video of two seconds and the weights of a narrow detector."""
    folder = tmp_path_factory.mktemp("persons")
    write_video(folder / "videos" / "one.mp4", 20, rate=10)
    (folder / "graph.pb").write_bytes(graph(narrow_ssdlite()))
    return folder


@pytest.fixture(scope="module")
def main() -> Callable[[Sequence[str]], int]:
    return runpy.run_path(str(TOOL))["main"]


def words(made: Path, out: Path, *more: str) -> list[str]:
    weights = ["--weights", str(made / "graph.pb"), "--device", "cpu"]
    return ["--videos", str(made / "videos"), "--out", str(out), *weights, *more]


def run(*typed: str) -> list[str]:
    lines: list[str] = []
    run_detection(parse_person_flags(typed), lines.append)
    return lines


def test_boxes_are_written_once_and_reused_for_another_score(made, tmp_path) -> None:
    first = run(*words(made, tmp_path / "out", "--score", "0.9"))
    rows = load_person_boxes_csv(tmp_path / "out/boxes.csv")
    assert first[0].startswith("1 video, 2 frames") and "--box-thresh 0.9" in first[-1]
    assert set(rows.timestamp_ms.tolist()) == {0, 1000} and rows.score.min() >= 0.9
    again = run(*words(made, tmp_path / "out", "--score", "0.2"))
    more = load_person_boxes_csv(tmp_path / "out/boxes.csv")
    assert again[0].startswith("1 video (1 from an earlier run)") and len(more) > len(rows)


def test_boxes_of_videos_that_are_not_given_again_are_not_lost(made, tmp_path) -> None:
    run(*words(made, tmp_path / "out", "--score", "0.9"))
    before = (tmp_path / "out/boxes.csv").read_bytes()
    other = tmp_path / "two.mp4"
    other.write_bytes((made / "videos/one.mp4").read_bytes())
    weights = ("--weights", str(made / "graph.pb"), "--device", "cpu")
    with pytest.raises(UserError, match=r"boxes\.csv has the boxes of videos.*: one\. Give these videos too"):
        run("--videos", str(other), "--out", str(tmp_path / "out"), *weights)
    assert (tmp_path / "out/boxes.csv").read_bytes() == before
    said = run("--videos", str(made / "videos"), str(other), "--out", str(tmp_path / "out"), *weights)
    assert said[0].startswith("2 videos (1 from an earlier run)")
    json = ("--out", str(tmp_path / "boxes.json"), "--format", "alphaction-json", *weights)
    run("--videos", str(made / "videos"), *json)
    with pytest.raises(UserError, match=r"boxes\.json has the boxes of videos.*: one\."):
        run("--videos", str(other), *json)


def test_tiles_and_json_and_an_evaluation_go_together(made, tmp_path) -> None:
    truth = write_text(tmp_path / "gt.csv", "one,0,0.1,0.1,0.9,0.9,1,0")
    out = tmp_path / "boxes.json"
    lines = run(*words(made, out, "--format", "alphaction-json", "--tiles", "2", "--evaluate", str(truth)))
    assert {"image_id", "category_id", "bbox", "score"} == set(json.loads(out.read_text())[0])
    assert lines[-1].startswith("COCO box AP") and "(1 frame, 1 person," in lines[-1]
    assert (tmp_path / "boxes_images.json").is_file() and (tmp_path / "boxes.json.parts/one.json").is_file()


def test_json_boxes_are_read_back_in_place_of_a_detector(made, tmp_path) -> None:
    run(*words(made, tmp_path / "boxes.json", "--format", "alphaction-json", "--score", "0.4"))
    typed = ("--videos", str(made / "videos"), "--device", "cpu", "--score", "0.4")
    run(
        *typed,
        "--out",
        str(tmp_path / "again.json"),
        "--format",
        "alphaction-json",
        "--detector",
        f"file:{tmp_path}/boxes.json",
    )
    first, again = (json.loads((tmp_path / name).read_text()) for name in ("boxes.json", "again.json"))
    assert len(first) == len(again) > 0
    for one, other in zip(first, again, strict=True):
        assert one["image_id"] == other["image_id"] and one["bbox"] == pytest.approx(other["bbox"], abs=0.01)
    (tmp_path / "boxes_images.json").unlink()
    with pytest.raises(UserError, match="give the annotation file that has them by --images"):
        run(*typed, "--out", str(tmp_path / "out"), "--detector", f"file:{tmp_path}/boxes.json")


def test_skipped_videos_are_counted_and_named_and_show_in_the_exit_code(made, tmp_path, main, capsys) -> None:
    write_video(tmp_path / "videos" / "good.mp4", 10, rate=10)
    weights = ["--weights", str(made / "graph.pb"), "--device", "cpu", "--score", "0.2"]
    typed = ["--videos", str(tmp_path / "videos"), "--out", str(tmp_path / "out"), *weights]
    assert main(typed) == 0
    for name in ("bad.mp4", "worse.avi"):
        write_text(tmp_path / "videos" / name, "none")
    capsys.readouterr()
    written = (tmp_path / "out/boxes.csv").read_bytes()
    assert main(typed) == 1 and (tmp_path / "out/boxes.csv").read_bytes() == written != b""
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("Skipped 2 videos:")
    assert lines[place - 1].startswith("1 video (1 from an earlier run)")
    assert [line.split(":")[0] for line in lines[place + 1 : place + 3]] == ["  bad", "  worse"]
    (tmp_path / "videos/good.mp4").unlink()
    assert main(typed) == 2


def test_a_run_stopped_within_a_video_goes_on_and_writes_the_same(made, tmp_path, main, monkeypatch) -> None:
    typed = (*words(made, tmp_path / "whole", "--score", "0.2"), "--every", "0.2", "--batch", "2", "--tiles", "2")
    assert main(typed) == 0
    typed = [str(tmp_path / "stopped") if word == str(tmp_path / "whole") else word for word in typed]
    detect, batches = TiledDetector.detect, []

    def stopping(self, images, keys):
        batches.append([key.timestamp_ms for key in keys])
        if len(batches) == 3:
            raise KeyboardInterrupt
        return detect(self, images, keys)

    monkeypatch.setattr(TiledDetector, "detect", stopping)
    assert main(typed) == 130
    assert main(typed) == 0
    assert batches == [[0, 200], [400, 600], [800, 1000], [800, 1000], [1200, 1400], [1600, 1800]]
    for name in ("boxes.csv", "parts/one.json"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--objects"], "knows persons only"),
        (["--images", "ann.json"], "--images numbers the boxes"),
        (["--evaluate", "none.csv"], "--evaluate none.csv: there is no such file"),
        (["--evaluate", "."], "--evaluate .: this is a folder"),
        (["--format", "alphaction-json", "--images", "none.json"], "--images none.json: there is no such file"),
        (["--export", "via3", "--actions", "walk,,stand"], "name 2 of 3 is empty"),
        (["--export", "via3", "--actions", "walk,stand,walk"], "has walk more than once"),
        (["--export", "via3", "--actions", "./"], "--actions ./ is a folder"),
        (["--export", "cvat"], "--export needs --actions"),
        (["--actions", "walk"], "belong to --export"),
        (["--export", "via3", "--actions", "none.pbtxt"], "There is no label file none.pbtxt"),
        (["--weights", "."], "There is no file of weights ."),
        (["--detector", "file:none.csv"], "--detector file:none.csv: there is no such file"),
        (["--detector", "yolo"], 'Unknown detector "yolo"'),
        (["--device", "abacus"], 'DEVICE is "abacus"'),
        (["--videos", "nowhere"], "There is no video or folder nowhere"),
    ],
)
def test_a_mistake_is_one_message(made, tmp_path, capsys, more, expected) -> None:
    code = run_tool(lambda: run(*words(made, tmp_path / "out", *more)))
    said = capsys.readouterr().err
    assert code == 2 and expected in said and said.count("error: ") == 1
    assert not (tmp_path / "out").exists()


def test_a_place_for_the_boxes_that_cannot_be_one_is_refused_before_any_work(made, tmp_path) -> None:
    (tmp_path / "boxes.csv").mkdir()
    write_text(tmp_path / "boxes", "none")
    for name, what in (("boxes.csv", "folder"), ("boxes", "file")):
        with pytest.raises(UserError, match=f"is a {what} already"):
            run(*words(made, tmp_path / name))


def test_both_tools_state_one_rule_of_exit_codes() -> None:
    for name in ("detect_persons.py", "process_ava_videos.py"):
        said = subprocess.run([sys.executable, str(TOOL.with_name(name)), "--help"], capture_output=True, text=True)
        assert said.returncode == 0 and " ".join(EXIT_CODES_OF_VIDEOS.split()) in " ".join(said.stdout.split())


def test_flags_that_are_no_numbers_are_refused(capsys) -> None:
    for flag, value in (("--score", "2"), ("--tiles", "0"), ("--every", "-1"), ("--batch", "x")):
        with pytest.raises(SystemExit):
            parse_person_flags([flag, value])
        assert flag in capsys.readouterr().err


def test_actions_are_names_or_a_label_file(tmp_path) -> None:
    assert read_actions("walk, stand ", False).names == ("walk", "stand")
    file = write_text(tmp_path / "labels.txt", "walk", "stand")
    assert read_actions(str(file), True).exclusive and read_actions(str(file), False).names == ("walk", "stand")
    with pytest.raises(UserError, match="--export needs --actions"):
        read_actions(" , ", False)
    assert np.unique(read_actions("a,b", True).names).size == 2
