"""Whole runs in this process: where they begin, how long they are, what they evaluate."""

import json
from pathlib import Path

import pytest
import torch

from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_test_flags, parse_train_flags
from alphaction.engine.run import test as run_test
from alphaction.engine.run import train

QUIET = ("--skip-val-in-train", "--skip-final-test")


def run(*words: str) -> int:
    return run_tool(lambda: train(parse_train_flags(list(words))))


def metrics(output: Path) -> list[dict]:
    """Returns the lines of steps and evaluations."""
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] in ("train", "eval")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("finished") / "run"
    assert run(*QUIET, *tiny_words, "SOLVER.CHECKPOINT_PERIOD", "2", "OUTPUT_DIR", str(output)) == 0
    return output


def test_epochs_set_the_length(tiny_words: list[str], tmp_path: Path) -> None:
    words = (*QUIET, *tiny_words, "SOLVER.VIDEOS_PER_BATCH", "4", "SOLVER.MAX_EPOCHS", "2", "OUTPUT_DIR", str(tmp_path))
    assert run(*words) == 0
    lines = metrics(tmp_path)
    per_epoch = len(lines) // 2
    assert [line["epoch"] for line in lines] == [0] * per_epoch + [1] * per_epoch
    assert f"Schedule: {2 * per_epoch} iterations of 4 clips" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(("key", "step"), [("STEPS", 500), ("STEP_EPOCHS", 1)])
def test_steps_behind_the_last_epoch_are_refused(
    key: str, step: int, tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = ("SOLVER.SCHEDULER", "warmup_multi_step", f"SOLVER.{key}", f"({step},)", "SOLVER.MAX_EPOCHS", "1")
    assert run(*QUIET, *tiny_words, *schedule, "OUTPUT_DIR", str(tmp_path)) == 2
    assert f"SOLVER.{key} [{step}] lie behind the last iteration" in capsys.readouterr().err


def test_a_weight_typed_for_a_test_goes_before_the_last_checkpoint(
    finished: Path, tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tested(*more: str) -> str:
        words = [*tiny_words, "OUTPUT_DIR", str(finished), *more]
        assert run_tool(lambda: run_test(parse_test_flags(words))) == 0
        return capsys.readouterr().out

    assert "after 4 iterations" in tested()
    assert "model_0000002.pth" in tested("MODEL.WEIGHT", str(finished / "model_0000002.pth"))


def test_a_finished_run_can_be_made_longer(finished: Path, tiny_words: list[str], tmp_path: Path) -> None:
    multi_step = ("SOLVER.SCHEDULER", "warmup_multi_step", "SOLVER.STEPS", "()", "OUTPUT_DIR", str(tmp_path))
    assert run(*QUIET, *tiny_words, *multi_step) == 0
    assert run(*QUIET, *tiny_words, *multi_step, "SOLVER.MAX_ITER", "6") == 0
    assert [line["iteration"] for line in metrics(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_says_that_it_is_finished(finished: Path, tiny_words: list[str]) -> None:
    assert run(*QUIET, *tiny_words, "SOLVER.CHECKPOINT_PERIOD", "2", "OUTPUT_DIR", str(finished)) == 0
    assert "All 4 iterations are finished" in (finished / "log.txt").read_text()


def test_flags_have_no_effect_on_a_resumed_run(finished: Path, tiny_words: list[str]) -> None:
    before = torch.load(finished / "model_final.pth", weights_only=True)["model"]
    assert run("--transfer", "--no-head", *QUIET, *tiny_words, "OUTPUT_DIR", str(finished)) == 0
    assert "--transfer and --no-head have no effect" in (finished / "log.txt").read_text()
    after = torch.load(finished / "model_final.pth", weights_only=True)["model"]
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_training_state_of_another_program_needs_transfer(
    finished: Path, tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = torch.load(finished / "model_final.pth", weights_only=True)["model"]
    torch.save({"model": model, "optimizer": {}, "scheduler": {}, "iteration": 90000}, tmp_path / "theirs.pth")
    words = (*QUIET, *tiny_words, "MODEL.WEIGHT", str(tmp_path / "theirs.pth"), "OUTPUT_DIR", str(tmp_path / "run"))
    assert run(*words) == 2
    assert "Add --transfer" in capsys.readouterr().err
    assert run("--transfer", *words) == 0


def test_a_backbone_alone_is_enough_and_a_missing_stage_is_not(
    finished: Path, tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = torch.load(finished / "model_final.pth", weights_only=True)["model"]
    backbone = {key.removeprefix("backbone."): value for key, value in model.items() if key.startswith("backbone.")}
    torch.save(backbone, tmp_path / "backbone.pth")
    torch.save({k: v for k, v in backbone.items() if "res_nl3" not in k}, tmp_path / "hole.pth")
    words = (*QUIET, *tiny_words, "OUTPUT_DIR", str(tmp_path / "run"), "MODEL.WEIGHT")
    assert run(*words, str(tmp_path / "hole.pth")) == 2
    assert "res4" in capsys.readouterr().err
    assert run(*words, str(tmp_path / "backbone.pth")) == 0


def test_an_evaluation_that_a_kill_cut_off_is_made_up_for(tiny_words: list[str], tmp_path: Path) -> None:
    words = ("--skip-final-test", *tiny_words, "SOLVER.EVAL_PERIOD", "2", "OUTPUT_DIR", str(tmp_path))
    assert run(*words) == 0
    kept = [line for line in metrics(tmp_path) if line["iteration"] <= 2 and line["kind"] == "train"]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    (tmp_path / "model_final.pth").unlink()
    (tmp_path / "last_checkpoint").write_text("model_0000002.pth\n")
    assert run(*words) == 0
    found = [(line["kind"], line["iteration"]) for line in metrics(tmp_path)]
    assert found == [("train", 1), ("train", 2), ("eval", 2), ("train", 3), ("train", 4)]


def test_a_dry_run_reads_the_length_of_an_epoch_where_steps_are_in_epochs(
    tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = ("SOLVER.SCHEDULER", "warmup_multi_step", "SOLVER.STEPS", "()", "SOLVER.STEP_EPOCHS", "[50]")
    assert run("--dry-run", *QUIET, *tiny_words, *schedule, "OUTPUT_DIR", str(tmp_path / "run")) == 2
    assert "SOLVER.STEP_EPOCHS [50] lie behind the last iteration" in capsys.readouterr().err
