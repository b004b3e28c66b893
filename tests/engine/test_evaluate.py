"""The evaluations of a toy run, whose metrics are written down beforehand."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from processes import run_in_processes
from toy import make_toy_trainer

from alphaction.engine.cli import Interrupted
from alphaction.engine.hooks import Checkpoint, Evaluate
from alphaction.engine.metrics_file import MetricsFile
from alphaction.engine.monitor import Monitor
from alphaction.engine.trainer import Hook, Trainer


class Script:
    """Runs with these values of the metric at iterations 1, 2, ...; remembers what was evaluated and saved."""

    def __init__(self, folder: Path, *values: float | None, **options: Any) -> None:
        self.folder, self.values = folder, values
        self.periods, self.patience = options.get("periods", [1]), options.get("patience", 0)
        self.evaluated: list[int] = []
        self.best: list[int] = []
        self.checkpoints: dict[int, dict[str, Any]] = {}

    def run(self, start: int = 0, more: tuple[Hook, ...] = (), **changed: Any) -> Trainer:
        """Trains to iteration 6 from the checkpoint of ``start``, if there is one."""
        monitor = Monitor("mAP")
        if start in self.checkpoints:
            monitor.load_state_dict(self.checkpoints[start])
        trainer = make_toy_trainer([], max_iter=6, start=start)
        file = MetricsFile(self.folder / "metrics.jsonl", start, None)

        def evaluate(iteration: int, is_final: bool) -> dict[str, float | None]:
            self.evaluated.append(iteration)
            trainer.model.eval()
            return {"mAP": self.values[iteration - 1]}

        self.monitor, self.evaluation = (
            monitor,
            Evaluate(
                periods=changed.get("periods", self.periods),
                evaluate=evaluate,
                file=file,
                monitor=monitor,
                save_best=lambda: self.best.append(trainer.iteration),
                patience=changed.get("patience", self.patience),
            ),
        )

        def save(is_final: bool) -> None:
            self.checkpoints[trainer.iteration] = monitor.state_dict()

        trainer.hooks = [Checkpoint(periods=self.periods, save=save), self.evaluation, *more]
        trainer.train()
        return trainer

    def lines(self) -> list[int]:
        return [json.loads(line)["iteration"] for line in (self.folder / "metrics.jsonl").read_text().splitlines()]


class KillAt(Hook):
    """A kill after all hooks of an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_step(self, trainer: Trainer) -> None:
        if trainer.iteration == self.iteration:
            raise RuntimeError("killed")


def test_evaluations_come_at_all_rhythms_but_not_at_the_end(tmp_path: Path) -> None:
    script = Script(tmp_path, *[0.1] * 6, periods=[2, 3])
    trainer = script.run()
    assert script.evaluated == script.lines() == [2, 3, 4]
    assert trainer.model.training and sorted(script.checkpoints) == [2, 3, 4, 6]


def test_the_best_are_saved_and_the_final_test_can_be_one(tmp_path: Path) -> None:
    script = Script(tmp_path, 0.1, 0.3, 0.2, 0.3, 0.1, 0.5)
    trainer = script.run()
    assert script.best == [1, 2]
    script.evaluation.final_test(trainer)
    assert script.best == [1, 2, 6] and script.lines() == [1, 2, 3, 4, 5, 6]


def test_a_run_without_gain_ends_with_the_final_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="alphaction")
    script = Script(tmp_path, 0.1, 0.3, 0.3, 0.2, 0.9, 0.9, patience=2)
    assert script.run().iteration == 4
    assert sorted(script.checkpoints) == [1, 2, 3, 4] and script.checkpoints[4]["last_iteration"] == 4
    (said,) = [r.getMessage() for r in caplog.records if "ends after" in r.getMessage()]
    assert "4 of 6 iterations: 2 evaluations in a row have not made mAP better (the best is 0.3000 after 2" in said
    assert "raise SOLVER.EARLY_STOP_PATIENCE, which is 2" in said


def test_the_same_command_does_not_train_on_and_a_larger_patience_does(tmp_path: Path) -> None:
    script = Script(tmp_path, 0.1, 0.3, 0.3, 0.2, 0.2, 0.9, patience=2)
    script.run()
    assert script.run(start=4).iteration == 4
    assert script.run(start=4, patience=3).iteration == 5
    assert script.evaluated == [1, 2, 3, 4, 5]


def test_evaluations_without_a_number_end_a_run_too(tmp_path: Path) -> None:
    script = Script(tmp_path, *[None] * 6, patience=3)
    assert script.run().iteration == 3 and script.best == []


@pytest.mark.parametrize("killed_at", [1, 2, 3])
@pytest.mark.parametrize("has_line", [True, False])
def test_a_kill_around_an_evaluation_changes_nothing(tmp_path: Path, killed_at: int, has_line: bool) -> None:
    """Killed between checkpoint and evaluation, or between the evaluation and the next step."""
    values = (0.1, 0.3, 0.2, 0.25, 0.2, 0.2)
    (tmp_path / "whole").mkdir()
    whole = Script(tmp_path / "whole", *values, patience=3)
    whole.run()
    cut = Script(tmp_path, *values, patience=3)
    with pytest.raises(RuntimeError, match="killed"):
        cut.run(more=(KillAt(killed_at),))
    if not has_line:  # the state of the files before that evaluation
        path = tmp_path / "metrics.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        cut.evaluated.pop()
        cut.best = [iteration for iteration in cut.best if iteration < killed_at]
    assert cut.run(start=killed_at).iteration == 5
    assert cut.checkpoints == whole.checkpoints
    assert cut.evaluated == whole.evaluated == cut.lines() == whole.lines() == [1, 2, 3, 4, 5]
    assert sorted(set(cut.best)) == whole.best == [1, 2]


def test_a_signal_leaves_the_evaluation_to_the_next_start_however_often_it_comes(tmp_path: Path) -> None:
    script = Script(tmp_path, 0.1, 0.3, 0.2, 0.25, 0.2, 0.2)

    class SignalBefore(Hook):
        def __init__(self, event: str, iteration: int) -> None:
            setattr(self, event, lambda trainer: trainer.iteration == iteration and os.kill(os.getpid(), 15))

    with pytest.raises(Interrupted, match="SIGTERM after iteration 2"):
        script.run(more=(SignalBefore("before_step", 1),))
    assert script.evaluated == [1] and sorted(script.checkpoints) == [1, 2]

    trainer_hook = SignalBefore("on_train_mode", 2)
    with pytest.raises(Interrupted, match=f"{signal.Signals.SIGTERM.name} after iteration 2"):
        script.run(start=2, more=(trainer_hook,))
    assert script.evaluated == [1] and sorted(script.checkpoints) == [1, 2]
    script.run(start=2)
    assert script.evaluated == [1, 2, 3, 4, 5]


def test_the_schedule_is_told_each_value_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr("alphaction.solver.FactorScheduler.needs_metric", True)
    monkeypatch.setattr("alphaction.solver.FactorScheduler.report", lambda self, value: told.append(value))
    script = Script(tmp_path, 0.1, None, 0.2, 0.25, 0.2, 0.2)
    with pytest.raises(RuntimeError, match="killed"):
        script.run(more=(KillAt(3),))
    told.pop()  # what the schedule was told after its state was saved
    script.run(start=3)
    script.evaluation.final_test(make_toy_trainer([], start=6))
    assert told == [0.1, pytest.approx(float("nan"), nan_ok=True), 0.2, 0.25, 0.2]


def stop_alike(rank: int, folder: str) -> None:
    values = (0.1, 0.3, 0.3, 0.2, 0.9, 0.9) if rank == 0 else (0.9, 0.1, 0.2, 0.3, 0.4, 0.5)
    script = Script(Path(folder), *values, patience=2)
    assert script.run().iteration == 4
    assert [script.monitor.value_at(4), script.monitor.best] == [0.2, 0.3] and script.best == [1, 2]
    again = Script(Path(folder), *values, patience=2)
    again.checkpoints = {2: script.checkpoints[2]}
    assert again.run(start=2).iteration == 4
    assert again.monitor.state_dict() == script.monitor.state_dict() and again.evaluated == [3, 4]


def test_two_processes_stop_at_the_same_iteration(tmp_path: Path) -> None:
    run_in_processes(stop_alike, str(tmp_path))
