import json
import logging
from pathlib import Path

import pytest
from toy import make_toy_trainer

from alphaction.engine.hooks import LogMetrics
from alphaction.engine.metrics_file import MetricsFile
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


def test_a_line_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsFile(path, 0, None).write("eval", 2, {"mAP@0.5": 0.1 + 0.2, "other": None, "why": "no boxes"})
    file = MetricsFile(path, 2, None)
    assert file.get("eval", 2) == {"mAP@0.5": 0.1 + 0.2, "other": None, "why": "no boxes"}
    assert file.get("eval", 1) is None and file.get("train", 2) is None


def test_text_goes_to_tensorboard_as_text(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl", 0, tmp_path / "tb")
    file.write("finetune", 3, {"phase": "head and res5", "share": 0.5})
    file.close()
    content = next((tmp_path / "tb").glob("events.out.tfevents.*")).read_bytes()
    assert b"head and res5" in content and b"phase" in content and b"share" in content
    assert lines(tmp_path / "metrics.jsonl") == [
        {"kind": "finetune", "iteration": 3, "phase": "head and res5", "share": 0.5}
    ]


def test_a_run_that_is_ended_early_has_a_line_of_its_last_steps(tmp_path: Path) -> None:
    class StopAtThree(Hook):
        def after_step(self, trainer: Trainer) -> None:
            if trainer.iteration == 3:
                trainer.stop("enough")

    file = MetricsFile(tmp_path / "m.jsonl", 0, None)
    make_toy_trainer([LogMetrics(period=2, epoch_length=3, file=file), StopAtThree()], max_iter=6).train()
    assert [line["iteration"] for line in lines(tmp_path / "m.jsonl")] == [2, 3]


def test_a_line_holds_the_mean_of_the_steps_since_the_last(tmp_path: Path) -> None:
    losses: list[float] = []

    class Remember(Hook):
        def after_step(self, trainer: Trainer) -> None:
            losses.append(float(trainer.record.total_loss))

    file = MetricsFile(tmp_path / "m.jsonl", 0, None)
    make_toy_trainer([Remember(), LogMetrics(period=2, epoch_length=3, file=file)], max_iter=5).train()
    expected = [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2, losses[4]]
    assert [line["total_loss"] for line in lines(tmp_path / "m.jsonl")] == pytest.approx(expected)
