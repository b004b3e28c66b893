"""Runs that are cut off: the same command ends with the same weights."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from runs import assert_same_weights, run_tool, start_tool, weights_of

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def words(tiny_words: list[str]) -> list[str]:
    more = ("SOLVER.MAX_ITER", "24", "SOLVER.CHECKPOINT_PERIOD", "2", "DATALOADER.NUM_WORKERS", "1")
    dropout = ("MODEL.ROI_ACTION_HEAD.DROPOUT_RATE", "0.5", "SOLVER.CHECKPOINTS_KEPT", "2")
    return ["--skip-val-in-train", "--skip-final-test", *tiny_words, *more, *dropout]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("whole")
    run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    return output


def test_a_run_killed_at_any_moment_ends_with_the_same_weights(
    words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    output = tmp_path / "killed"
    seconds_after_first_step = (0.05, 0.3, 0.61)
    for wait in seconds_after_first_step:
        process = start_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
        assert process.stdout is not None
        for line in process.stdout:
            if "iter " in line:
                break
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    said = run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    assert "Continuing" in said or "starting anew" in said
    assert_same_weights(uninterrupted / "model_final.pth", output / "model_final.pth")
    assert not list(output.glob("*tmp*"))
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [entry["iteration"] for entry in lines] == list(range(1, 25))


@pytest.mark.parametrize("to_group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_run_and_the_command_continues_it(
    number: int, to_group: bool, words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    output = tmp_path / "stopped"
    process = start_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    assert process.stdout is not None
    for line in process.stdout:
        if "iter 3/" in line:
            # Ctrl-C in a terminal, a scheduler and torchrun all signal the whole group, workers included.
            os.killpg(process.pid, number) if to_group else process.send_signal(number)
            break
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 128 + number
    assert "The run is saved; the same command continues it" in said and "Traceback" not in said
    run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    assert_same_weights(uninterrupted / "model_final.pth", output / "model_final.pth")


def test_weights_momentum_and_schedule_of_a_file_are_continued_elsewhere(
    words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    half = [path for path in uninterrupted.glob("model_00000*.pth")]
    weight = ("MODEL.WEIGHT", str(min(half)), "OUTPUT_DIR", str(tmp_path / "elsewhere"))
    run_tool("train_net.py", *words, *weight)
    assert_same_weights(uninterrupted / "model_final.pth", tmp_path / "elsewhere/model_final.pth")


def test_adjust_lr_continues_with_the_new_schedule(words: list[str], uninterrupted: Path, tmp_path: Path) -> None:
    half = str(min(uninterrupted.glob("model_00000*.pth")))
    changed = ("SOLVER.BASE_LR", "0.001", "MODEL.WEIGHT", half, "OUTPUT_DIR", str(tmp_path / "changed"))
    assert "--adjust-lr" in run_tool("train_net.py", *words, *changed, expect=2)
    said = run_tool("train_net.py", "--adjust-lr", *words, *changed)
    assert "Continuing" in said
    rates = [json.loads(line)["lr"] for line in (tmp_path / "changed/metrics.jsonl").read_text().splitlines()]
    assert max(rates) <= 0.001


def test_transfer_starts_anew_and_no_head_leaves_the_head_out(
    words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    source = str(uninterrupted / "model_final.pth")
    length = ("SOLVER.MAX_ITER", "1", "SOLVER.BASE_LR", "0.0", "MODEL.WEIGHT", source)
    whole, headless = tmp_path / "whole", tmp_path / "headless"
    run_tool("train_net.py", "--transfer", *words, *length, "OUTPUT_DIR", str(whole))
    said = run_tool("train_net.py", "--transfer", "--no-head", *words, *length, "OUTPUT_DIR", str(headless))
    assert "kept as they are: 6 tensors of the model's head" in said
    before = weights_of(Path(source))
    for output, same_head in ((whole, True), (headless, False)):
        after = weights_of(output / "model_final.pth")
        learned = [key for key in before if "running" not in key and "tracked" not in key]
        same = {key: bool((before[key] == after[key]).all()) for key in learned}
        assert all(same[key] for key in learned if key.startswith("backbone."))
        head_weights = [key for key in learned if key.startswith("roi_heads.") and key.endswith("weight")]
        assert all(same[key] == same_head for key in head_weights)
