"""What happens around the steps: progress, checkpoints, evaluation. Their order is the list in ``run.py``."""

import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from torch import Tensor

from alphaction.engine.launch import peak_memory_bytes
from alphaction.engine.trainer import Hook, Trainer
from alphaction.utils.comm import any_rank, is_main_process, reduce_dict, synchronize
from alphaction.utils.files import write_text
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
        self._board = None
        self._lines: dict[tuple[str, int], str] = {}
        if self._path is None:
            return
        if tensorboard_dir:
            self._board = SummaryWriter(str(tensorboard_dir), purge_step=first_iteration + 1)
        written = path.read_text().splitlines() if path.exists() else []
        keyed = ((_key_of(line), line) for line in written)
        self._lines = {key: line for key, line in keyed if key is not None and key[1] <= first_iteration}
        if list(self._lines.values()) != written:
            self._rewrite()

    def has(self, kind: str, iteration: int) -> bool:
        return (kind, iteration) in self._lines

    def write(self, kind: str, iteration: int, values: dict[str, float | None]) -> None:
        """Adds a line, in place of one of the same kind and iteration."""
        if self._path is None:
            return
        is_new = not self.has(kind, iteration)
        self._lines[kind, iteration] = json.dumps({"kind": kind, "iteration": iteration, **values})
        if is_new:
            with self._path.open("a") as file:
                file.write(self._lines[kind, iteration] + "\n")
        else:
            self._rewrite()
        if self._board:
            for name, value in values.items():
                if value is not None:
                    self._board.add_scalar(name, value, iteration)
            self._board.flush()

    def close(self) -> None:
        if self._board:
            self._board.close()

    def _rewrite(self) -> None:
        assert self._path is not None
        write_text(self._path, "".join(line + "\n" for line in self._lines.values()))


class LogMetrics(Hook):
    """Writes a line of progress, and its numbers to the metrics file, every ``period`` steps and at the last.

    Losses, accuracies and times are means of the steps since the line before, over all processes; the first line of a
    resumed run is about the steps since the resume. The rate is that of the line's own step.
    """

    def __init__(self, *, period: int, epoch_length: int, file: MetricsFile) -> None:
        self._period, self._epoch_length, self._file = period, epoch_length, file
        self._meters = MeterGroup(window=period)
        self._sums: dict[str, Tensor] = {}
        self._started_at = 0.0
        self._first = self._last = 0

    def before_train(self, trainer: Trainer) -> None:
        self._started_at = time.perf_counter()
        self._first = self._last = trainer.iteration

    def after_step(self, trainer: Trainer) -> None:
        record = trainer.record
        assert record is not None
        self._meters.update({"data_time": record.data_seconds, "time": record.step_seconds})
        scalars = {**record.output.losses, "total_loss": record.total_loss, **record.output.metrics}
        self._sums = {name: self._sums.get(name, 0) + value.detach() for name, value in scalars.items()}
        if trainer.iteration % self._period and trainer.iteration != trainer.max_iter:
            return
        num_steps = trainer.iteration - self._last
        means = reduce_dict({name: value / num_steps for name, value in self._sums.items()})
        self._sums, self._last = {}, trainer.iteration
        values: dict[str, Any] = {"epoch": (trainer.iteration - 1) // self._epoch_length, **means}
        if record.grad_norm is not None:
            values["grad_norm"] = float(record.grad_norm)
        values |= {"lr": record.lr, **self._meters.means(), "memory_mb": _memory_mb(trainer)}
        self._file.write("train", trainer.iteration, values)
        logger.info("%s", self._line(trainer, values))

    def after_train(self, trainer: Trainer) -> None:
        spent = time.perf_counter() - self._started_at
        steps = trainer.iteration - self._first
        logger.info("Finished %d iterations in %s.", steps, format_duration(spent))
        if trainer.skipped.summary():
            logger.warning("%s", trainer.skipped.summary())

    def _line(self, trainer: Trainer, values: dict[str, Any]) -> str:
        remaining = values["time"] * (trainer.max_iter - trainer.iteration)
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
        periods: steps between checkpoints; there may be several rhythms, such as that of the evaluation, which takes
            long enough to be cut off.
        save: writes the checkpoint of the steps finished so far; True writes it as the final one.
    """

    def __init__(self, *, periods: Sequence[int], save: Callable[[bool], None]) -> None:
        self._periods, self._save = tuple(periods), save
        self._saved_at = -1

    def before_train(self, trainer: Trainer) -> None:
        self._saved_at = trainer.iteration if trainer.iteration else -1

    def after_step(self, trainer: Trainer) -> None:
        is_last = trainer.iteration == trainer.max_iter
        if not is_last and any(trainer.iteration % period == 0 for period in self._periods):
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

    A run that was cut off during an evaluation begins with it; one that is asked to stop leaves it to the next start.

    Args:
        evaluate: evaluates after a number of finished steps and returns flat metrics (on rank 0).
    """

    def __init__(self, *, period: int, evaluate: Callable[[int], dict[str, float | None]], file: MetricsFile) -> None:
        self._period, self._evaluate, self._file = period, evaluate, file

    def before_train(self, trainer: Trainer) -> None:
        is_missing = trainer.iteration > 0 and not self._file.has("eval", trainer.iteration)
        if any_rank(is_missing and is_main_process(), trainer.device):
            self.after_step(trainer)

    def after_step(self, trainer: Trainer) -> None:
        is_due = trainer.iteration % self._period == 0 and trainer.iteration < trainer.max_iter
        if not is_due or trainer.is_asked_to_stop():
            return
        self._file.write("eval", trainer.iteration, self._evaluate(trainer.iteration))
        trainer.model.train()


def _memory_mb(trainer: Trainer) -> float:
    """Returns the peak memory of the accelerator, or of this process on a CPU."""
    on_accelerator = peak_memory_bytes(trainer.device)
    if on_accelerator is not None:
        return on_accelerator / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _key_of(line: str) -> tuple[str, int] | None:
    """Returns kind and iteration of a metrics line, None for a line cut off by a kill."""
    try:
        values = json.loads(line)
        return str(values["kind"]), int(values["iteration"])
    except (ValueError, KeyError, TypeError):
        return None
