"""The demo's steps on a small scale; `make demo` runs the same tool at full size."""

import re
from pathlib import Path

import pytest
from runs import run_tool

pytestmark = pytest.mark.smoke

SMALL = (
    "SOLVER.MAX_ITER 2 SOLVER.WARMUP_ITERS 1 INPUT.MIN_SIZE_TRAIN 64 INPUT.MIN_SIZE_TEST 64 DATALOADER.NUM_WORKERS 0"
)


def test_the_demo_leaves_a_report_a_video_and_the_commands(tmp_path: Path) -> None:
    said = run_tool("make_demo.py", "--output", str(tmp_path), "--movies", "1", "1", *SMALL.split())
    for name in ("report.html", "key_frames.png", "video/val_00.mp4", "run/inference/val/result.csv"):
        assert (tmp_path / name).stat().st_size > 500, name
    assert len(re.findall(r"^\$ python ", said, re.MULTILINE)) == 5
    assert re.search(r"^mAP@0\.5 = 0\.\d{8}$", said.strip().splitlines()[-1])
    assert "With the frames of every clip shuffled: 0." in said
    page = (tmp_path / "report.html").read_text()
    assert "walk left" in page and "make_synthetic.py" in page


def test_a_step_that_fails_stops_the_demo(tmp_path: Path) -> None:
    said = run_tool("make_demo.py", "--output", str(tmp_path), "--movies", "1", "1", "SOLVER.MAX_ITR", "2", expect=2)
    assert 'did you mean "SOLVER.MAX_ITER"?' in said and "train_net.py ended with exit code 2" in said


def test_results_do_not_overwrite_what_was_given(tmp_path: Path) -> None:
    video, boxes = tmp_path / "a.mp4", tmp_path / "a.csv"
    video.write_bytes(b"video")
    boxes.write_text("boxes")
    words = ("--video", str(video), "--boxes", str(boxes), "--output", str(tmp_path))
    assert "would overwrite" in run_tool("demo.py", *words, expect=2)
    assert (video.read_bytes(), boxes.read_text()) == (b"video", "boxes")
