"""Whole runs in this process that look at a metric: best weights, early end, falling rate, mean of the weights."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import alphaction.engine.run
from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_test_flags, parse_train_flags
from alphaction.engine.metrics_file import MetricsFile
from alphaction.engine.run import test as run_test
from alphaction.engine.run import train

NAME = "mAP@0.5"
# The second value is the best; the rate falls after the fourth, and the training ends after the fifth.
VALUES = {1: 0.1, 2: 0.3, 3: 0.2, 4: 0.25, 5: 0.2, 6: 0.1}
FINAL_VALUE = 0.15
WATCHING = (
    *("SOLVER.MAX_ITER", "6", "SOLVER.EVAL_PERIOD", "1", "SOLVER.SAVE_BEST", "True", "SOLVER.EMA_DECAY", "0.5"),
    *("SOLVER.SCHEDULER", "plateau", "SOLVER.PLATEAU_PATIENCE", "1", "SOLVER.EARLY_STOP_PATIENCE", "3"),
    *("SOLVER.CHECKPOINTS_KEPT", "0"),
)


class Killed(BaseException):
    """Stands for a SIGKILL: nobody handles it."""


def run(*words: str) -> int:
    return run_tool(lambda: train(parse_train_flags(list(words))))


def lines(output: Path, kind: str) -> list[dict[str, Any]]:
    written = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [line for line in written if line["kind"] == kind]


def loaded(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def assert_same(one: Any, two: Any, where: str = "file") -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one.keys() - {"config"}:  # it names the folder
            assert_same(one[key], two[key], f"{where}[{key}]")
    elif isinstance(one, list):
        assert len(one) == len(two), where
        for place, entries in enumerate(zip(one, two, strict=True)):
            assert_same(*entries, f"{where}[{place}]")
    else:
        assert one == two, where


def scripted(sets: Any, task: Any, model: nn.Module, device: Any, folder: Path, limit: int) -> dict[str, float | None]:
    """An evaluation that gives the value of its iteration."""
    model.eval()
    name = folder.name
    return {NAME: VALUES[int(name.removeprefix("iter_"))] if name.startswith("iter_") else FINAL_VALUE}


@contextmanager
def replaced(place: object, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, make(getattr(place, name)))
        yield


@pytest.fixture(scope="module", autouse=True)
def _scripted_evaluations() -> Iterator[None]:
    with replaced(alphaction.engine.run, "evaluate", lambda real: scripted):
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("whole") / "run"
    assert run(*tiny_words, *WATCHING, "OUTPUT_DIR", str(output)) == 0
    return output


def test_best_weights_falling_rate_and_early_end_follow_the_metric(whole: Path) -> None:
    best, final = loaded(whole / "model_best.pth"), loaded(whole / "model_final.pth")
    assert best["iteration"] == 2 and best["metric"] == {"name": NAME, "value": 0.3} and "optimizer" not in best
    assert final["iteration"] == 5 and final["monitor"]["num_without_gain"] == 3
    rates = [line["lr"] for line in lines(whole, "train")]
    assert len(rates) == 5 and rates[3] > 0 and rates[4] == pytest.approx(0.2 * rates[3])
    assert [line[NAME] for line in lines(whole, "eval")] == [0.1, 0.3, 0.2, 0.25, FINAL_VALUE]
    assert "The training ends after 5 of 6 iterations" in (whole / "log.txt").read_text()


def test_the_best_weights_are_the_mean_at_their_evaluation(whole: Path) -> None:
    at_best, best = loaded(whole / "model_0000002.pth"), loaded(whole / "model_best.pth")
    assert_same(at_best["ema"], best["model"])
    assert not torch.equal(at_best["model"]["backbone.slow.conv1.weight"], best["model"]["backbone.slow.conv1.weight"])


def before_evaluation(iteration: int) -> Any:
    def make(evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def killed(*arguments: Any) -> Any:
            if arguments[4].name == f"iter_{iteration:07d}":
                raise Killed
            return evaluate(*arguments)

        return killed

    return replaced(alphaction.engine.run, "evaluate", make)


def after_its_line(iteration: int) -> Any:
    def make(write: Callable[..., None]) -> Callable[..., None]:
        def killed(file: MetricsFile, kind: str, at: int, values: Any) -> None:
            write(file, kind, at, values)
            if (kind, at) == ("eval", iteration):
                raise Killed

        return killed

    return replaced(MetricsFile, "write", make)


def after_the_best_weights(iteration: int) -> Any:
    def make(save: Callable[..., None]) -> Callable[..., None]:
        def killed(run: Any, trainer: Any, *more: Any) -> None:
            save(run, trainer, *more)
            if trainer.iteration == iteration:
                raise Killed

        return killed

    return replaced(alphaction.engine.run, "save_best", make)


@pytest.mark.parametrize(
    ("kill", "iteration"),
    [
        (before_evaluation, 2),
        (after_its_line, 2),
        (after_the_best_weights, 2),
        (after_its_line, 4),
        (before_evaluation, 5),
        (after_its_line, 5),
    ],
)
def test_a_kill_around_an_evaluation_changes_no_file(
    kill: Callable[[int], Any], iteration: int, whole: Path, tiny_words: list[str], tmp_path: Path
) -> None:
    words = (*tiny_words, *WATCHING, "OUTPUT_DIR", str(tmp_path))
    with kill(iteration), pytest.raises(Killed):
        run(*words)
    assert run(*words) == 0
    for name in ("model_final.pth", "model_best.pth", f"model_{iteration:07d}.pth"):
        assert_same(loaded(whole / name), loaded(tmp_path / name))
    assert lines(tmp_path, "eval") == lines(whole, "eval")
    assert [line["lr"] for line in lines(tmp_path, "train")] == [line["lr"] for line in lines(whole, "train")]


def test_an_ended_run_does_not_train_on_until_its_patience_is_raised(
    whole: Path, tiny_words: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(whole, output)
    words = (*tiny_words, *WATCHING, "OUTPUT_DIR", str(output))
    assert run(*words) == 0
    assert_same(loaded(whole / "model_final.pth"), loaded(output / "model_final.pth"))
    assert "raise SOLVER.EARLY_STOP_PATIENCE, which is 3" in (output / "log.txt").read_text().split("Continuing")[-1]
    assert run(*words, "SOLVER.EARLY_STOP_PATIENCE", "4") == 0
    assert loaded(output / "model_final.pth")["iteration"] == 6


def test_a_final_test_can_be_the_best(tiny_words: list[str], tmp_path: Path) -> None:
    best = ("SOLVER.MAX_ITER", "1", "SOLVER.SAVE_BEST", "True", "OUTPUT_DIR", str(tmp_path))
    assert run("--skip-val-in-train", *tiny_words, *best) == 0
    content = loaded(tmp_path / "model_best.pth")
    assert (content["iteration"], content["metric"]["value"]) == (1, FINAL_VALUE)
    assert_same(loaded(tmp_path / "model_final.pth")["model"], content["model"])


def test_best_weights_that_are_gone_are_replaced_by_the_best_from_here_on(
    whole: Path, tiny_words: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(whole, output)
    (output / "model_best.pth").unlink()
    words = (*tiny_words, *WATCHING, "SOLVER.EARLY_STOP_PATIENCE", "9", "OUTPUT_DIR", str(output))
    assert run(*words) == 0
    content = loaded(output / "model_best.pth")
    assert (content["iteration"], content["metric"]["value"]) == (6, FINAL_VALUE)
    assert "has no model_best.pth of the best mAP@0.5, 0.3000 after 2" in (output / "log.txt").read_text()


def test_a_transfer_takes_the_mean_and_says_so(whole: Path, tiny_words: list[str], tmp_path: Path) -> None:
    source = whole / "model_final.pth"
    length = ("SOLVER.MAX_ITER", "1", "SOLVER.BASE_LR", "0.0", "MODEL.WEIGHT", str(source))
    assert (
        run("--transfer", "--skip-val-in-train", "--skip-final-test", *tiny_words, *length, "OUTPUT_DIR", str(tmp_path))
        == 0
    )
    begun, content, key = loaded(tmp_path / "model_final.pth")["model"], loaded(source), "backbone.slow.conv1.weight"
    assert torch.equal(begun[key], content["ema"][key]) and not torch.equal(begun[key], content["model"][key])
    assert "taking the running mean of the weights" in (tmp_path / "log.txt").read_text()


def test_best_weights_give_in_a_test_what_they_gave_in_the_training(tiny_words: list[str], tmp_path: Path) -> None:
    real = alphaction.engine.evaluation.evaluate
    trained, tested = tmp_path / "trained", tmp_path / "tested"
    words = (*tiny_words, "SOLVER.EVAL_PERIOD", "1", "SOLVER.SAVE_BEST", "True", "SOLVER.EMA_DECAY", "0.5")
    with replaced(alphaction.engine.run, "evaluate", lambda fake: real):
        assert run(*words, "SOLVER.MAX_ITER", "3", "OUTPUT_DIR", str(trained)) == 0
        best = loaded(trained / "model_best.pth")
        weight = ("MODEL.WEIGHT", str(trained / "model_best.pth"), "OUTPUT_DIR", str(tested))
        assert run_tool(lambda: run_test(parse_test_flags([*words, *weight]))) == 0
        assert run_tool(lambda: run_test(parse_test_flags([*words, "OUTPUT_DIR", str(trained)]))) == 0
    by_iteration = {line["iteration"]: line[NAME] for line in lines(trained, "eval")}
    found = json.loads((tested / "inference/val/metrics.json").read_text())["metrics"][NAME]
    assert found == best["metric"]["value"] == by_iteration[best["iteration"]] == max(by_iteration.values()) > 0
    last = json.loads((trained / "inference/val/metrics.json").read_text())["metrics"][NAME]
    assert last == by_iteration[3]
    assert "with the running mean of its weights" in (trained / "log.txt").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--skip-val-in-train",), 'SOLVER.SCHEDULER "plateau" needs the evaluations'),
        (("SOLVER.EVAL_PERIOD", "6"), "would have no effect"),
        (("SOLVER.MONITOR", "top1"), 'no evaluation gives "top1"; choose one of mAP@0.5, mAP@0.5:0.95'),
    ],
)
def test_a_metric_that_never_comes_is_an_error_before_the_training(
    words: tuple[str, ...], said: str, tiny_words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, keys = [w for w in words if w.startswith("--")], [w for w in words if not w.startswith("--")]
    output = ("OUTPUT_DIR", str(tmp_path / "run"))
    assert run(*flags, *tiny_words, *WATCHING, *keys, *output) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()
