"""Whole runs under the optimizers and schedules: cut off and resumed, or adjusted."""

from pathlib import Path

import pytest
import torch

from tests.engine.test_run import QUIET, metrics, run


def model_of(output: Path) -> dict[str, torch.Tensor]:
    return torch.load(output / "model_final.pth", weights_only=True)["model"]


@pytest.mark.parametrize(
    "options",
    [
        ("SOLVER.OPTIMIZER", "adamw", "SOLVER.SCHEDULER", "exponential", "SOLVER.EVAL_PERIOD", "100"),
        ("SOLVER.OPTIMIZER", "adam", "SOLVER.SCHEDULER", "plateau", "SOLVER.EVAL_PERIOD", "1"),
    ],
)
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    options: tuple[str, ...], tiny_words: list[str], tmp_path: Path
) -> None:
    words = ("--skip-final-test", *tiny_words, *options, "SOLVER.PLATEAU_PATIENCE", "0", "SOLVER.BASE_LR", "0.001")
    for name, lengths in (("whole", (4,)), ("cut", (2, 4))):
        for length in lengths:
            assert run(*words, "SOLVER.MAX_ITER", str(length), "OUTPUT_DIR", str(tmp_path / name)) == 0
    whole, cut = (metrics(tmp_path / name) for name in ("whole", "cut"))
    rates = [[line["lr"] for line in lines if line["kind"] == "train"] for lines in (whole, cut)]
    assert rates[0] == rates[1] and len(set(rates[0])) > 2
    expected, found = model_of(tmp_path / "whole"), model_of(tmp_path / "cut")
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_adjust_lr_goes_on_with_another_schedule_but_not_with_another_optimizer(
    tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*QUIET, *tiny_words, "OUTPUT_DIR", str(tmp_path))
    assert run(*words, "SOLVER.MAX_ITER", "2") == 0
    changed = ("--adjust-lr", *words, "SOLVER.SCHEDULER", "polynomial", "SOLVER.BASE_LR", "0.008")
    assert run(*changed, "SOLVER.OPTIMIZER", "adamw") == 2
    assert "SOLVER.OPTIMIZER" in capsys.readouterr().err
    assert run(*changed) == 0
    assert [line["lr"] for line in metrics(tmp_path)][2:] == pytest.approx([0.004, 0.002])
