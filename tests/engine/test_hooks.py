import json
import logging
from pathlib import Path

import pytest
from toy import make_toy_trainer

from alphaction.engine.hooks import Evaluate, LogMetrics, MetricsFile
from alphaction.engine.trainer import Hook, Trainer


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_progress_goes_to_the_log_and_to_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="alphaction")
    file = MetricsFile(tmp_path / "metrics.jsonl", 0, tmp_path / "tb")
    logging.getLogger("alphaction").propagate = True
    make_toy_trainer([LogMetrics(period=2, epoch_length=3, file=file)], max_iter=5).train()
    file.close()
    written = lines(tmp_path / "metrics.jsonl")
    assert [(entry["iteration"], entry["epoch"]) for entry in written] == [(2, 0), (4, 1), (5, 1)]
    assert {"kind", "loss_toy", "total_loss", "accuracy_toy", "lr", "data_time", "time", "memory_mb"} <= set(written[0])
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "iter 4/5" in text and "eta " in text and "Finished 5 iterations" in text
    assert list((tmp_path / "tb").glob("events.out.tfevents.*"))


def test_lines_behind_the_resumed_iteration_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"kind": "train", "iteration": 2}\n{"kind": "train", "iteration": 4}\n{"kind": "tra')
    MetricsFile(path, 2, None).write("eval", 2, {"mAP@0.5": 0.5, "other": None})
    assert lines(path) == [
        {"kind": "train", "iteration": 2},
        {"kind": "eval", "iteration": 2, "mAP@0.5": 0.5, "other": None},
    ]


def test_evaluation_comes_every_period_but_not_at_the_end(tmp_path: Path) -> None:
    calls: list[int] = []

    def evaluate(iteration: int) -> dict[str, float | None]:
        calls.append(iteration)
        trainer.model.eval()
        return {"mAP@0.5": 0.1}

    trainer = make_toy_trainer([], max_iter=6)
    trainer.hooks = [Evaluate(period=2, evaluate=evaluate, file=MetricsFile(tmp_path / "m.jsonl", 0, None))]
    trainer.train()
    assert calls == [2, 4] and trainer.model.training
    assert [entry["iteration"] for entry in lines(tmp_path / "m.jsonl")] == [2, 4]


def test_a_line_holds_the_mean_of_the_steps_since_the_last(tmp_path: Path) -> None:
    losses: list[float] = []

    class Remember(Hook):
        def after_step(self, trainer: Trainer) -> None:
            losses.append(float(trainer.record.total_loss))

    file = MetricsFile(tmp_path / "m.jsonl", 0, None)
    make_toy_trainer([Remember(), LogMetrics(period=2, epoch_length=3, file=file)], max_iter=5).train()
    expected = [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2, losses[4]]
    assert [line["total_loss"] for line in lines(tmp_path / "m.jsonl")] == pytest.approx(expected)
