"""What happens around the steps: progress, checkpoints, evaluation. Their order is the list in ``run.py``."""

import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from alphaction.engine.launch import peak_memory_bytes
from alphaction.engine.trainer import Hook, Trainer
from alphaction.utils.comm import is_main_process, reduce_dict, synchronize
from alphaction.utils.meters import MeterGroup, format_duration

logger = logging.getLogger(__name__)


class MetricsFile:
    """``metrics.jsonl``: one JSON object a line, ``kind`` "train" or "eval", each with its ``iteration``.

    Args:
        path: the file; rank 0 alone writes it.
        first_iteration: lines of later iterations are what an earlier, cut-off run of this folder wrote after
            its last checkpoint; they are removed.
        tensorboard_dir: folder for TensorBoard events, None for none.
    """

    def __init__(self, path: Path, first_iteration: int, tensorboard_dir: Path | None) -> None:
        self._path = path if is_main_process() else None
        self._board = SummaryWriter(str(tensorboard_dir)) if tensorboard_dir and self._path else None
        if self._path is None:
            return
        kept = []
        if path.exists():
            lines = path.read_text().splitlines()
            kept = [line for line in lines if _iteration_of(line) <= first_iteration]
        path.write_text("".join(line + "\n" for line in kept))

    def write(self, kind: str, iteration: int, values: dict[str, float | None]) -> None:
        if self._path is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps({"kind": kind, "iteration": iteration, **values}) + "\n")
        if self._board:
            for name, value in values.items():
                if value is not None:
                    self._board.add_scalar(name, value, iteration)
            self._board.flush()

    def close(self) -> None:
        if self._board:
            self._board.close()


class LogMetrics(Hook):
    """Writes a line of progress, and its numbers to the metrics file, every ``period`` steps and at the last."""

    def __init__(self, *, period: int, epoch_length: int, file: MetricsFile) -> None:
        self._period, self._epoch_length, self._file = period, epoch_length, file
        self._meters = MeterGroup(window=period)
        self._started_at = 0.0
        self._first = 0

    def before_train(self, trainer: Trainer) -> None:
        self._started_at, self._first = time.perf_counter(), trainer.iteration

    def after_step(self, trainer: Trainer) -> None:
        record = trainer.record
        assert record is not None
        self._meters.update({"data_time": record.data_seconds, "time": record.step_seconds})
        if trainer.iteration % self._period and trainer.iteration != trainer.max_iter:
            return
        scalars = {**record.output.losses, "total_loss": record.total_loss, **record.output.metrics}
        values: dict[str, Any] = {"epoch": (trainer.iteration - 1) // self._epoch_length, **reduce_dict(scalars)}
        if record.grad_norm is not None:
            values["grad_norm"] = float(record.grad_norm)
        values |= {"lr": _base_rate(trainer), **self._meters.means(), "memory_mb": _memory_mb(trainer)}
        self._file.write("train", trainer.iteration, values)
        logger.info("%s", self._line(trainer, values))

    def after_train(self, trainer: Trainer) -> None:
        spent = time.perf_counter() - self._started_at
        steps = trainer.iteration - self._first
        logger.info("Finished %d iterations in %s.", steps, format_duration(spent))
        if trainer.skipped.summary():
            logger.warning("%s", trainer.skipped.summary())

    def _line(self, trainer: Trainer, values: dict[str, Any]) -> str:
        done = trainer.iteration - self._first
        remaining = (time.perf_counter() - self._started_at) / done * (trainer.max_iter - trainer.iteration)
        numbers = [f"{name} {value:.4f}" for name, value in values.items() if name.startswith(("total_loss", "loss_"))]
        numbers += [f"{name} {value:.3f}" for name, value in values.items() if name.startswith("accuracy_")]
        return "  ".join(
            [
                f"iter {trainer.iteration}/{trainer.max_iter}",
                f"eta {format_duration(remaining)}",
                *numbers,
                f"lr {values['lr']:.3g}",
                f"data {values['data_time']:.3f} s",
                f"step {values['time']:.3f} s",
                f"memory {values['memory_mb']:.0f} MB",
            ]
        )


class Checkpoint(Hook):
    """Saves the run every ``period`` steps, at the last step, and when it is interrupted.

    Args:
        save: writes the checkpoint of the steps finished so far; True writes it as the final one.
    """

    def __init__(self, *, period: int, save: Callable[[bool], None]) -> None:
        self._period, self._save = period, save
        self._saved_at = -1

    def before_train(self, trainer: Trainer) -> None:
        self._saved_at = trainer.iteration if trainer.iteration else -1

    def after_step(self, trainer: Trainer) -> None:
        if trainer.iteration % self._period == 0:
            self._write(trainer)

    def after_train(self, trainer: Trainer) -> None:
        self._write(trainer, is_final=True)

    def on_interrupt(self, trainer: Trainer) -> str:
        self._write(trainer)
        return "The run is saved; the same command continues it."

    def _write(self, trainer: Trainer, is_final: bool = False) -> None:
        if trainer.iteration != self._saved_at or is_final:
            self._save(is_final)
            self._saved_at = trainer.iteration
        synchronize()


class Evaluate(Hook):
    """Evaluates every ``period`` steps, but not after the last one: the final test does that.

    Args:
        evaluate: evaluates after a number of finished steps and returns flat metrics (on rank 0).
    """

    def __init__(self, *, period: int, evaluate: Callable[[int], dict[str, float | None]], file: MetricsFile) -> None:
        self._period, self._evaluate, self._file = period, evaluate, file

    def after_step(self, trainer: Trainer) -> None:
        if trainer.iteration % self._period or trainer.iteration == trainer.max_iter:
            return
        self._file.write("eval", trainer.iteration, self._evaluate(trainer.iteration))
        trainer.model.train()


def _base_rate(trainer: Trainer) -> float:
    """Returns the rate of a plain weight: that of the group without a factor, else the smallest."""
    groups = trainer.optimizer.param_groups
    plain = [group["lr"] for group in groups if group.get("lr_factor", 1.0) == 1.0]
    return float(plain[0] if plain else min(group["lr"] for group in groups))


def _memory_mb(trainer: Trainer) -> float:
    """Returns the peak memory of the accelerator, or of this process on a CPU."""
    on_accelerator = peak_memory_bytes(trainer.device)
    if on_accelerator is not None:
        return on_accelerator / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _iteration_of(line: str) -> int:
    """Returns the iteration of a metrics line; a line cut off by a kill counts as one to remove."""
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return sys.maxsize
