"""What happens around the steps: progress, checkpoints, evaluation. Their order is the list in ``run.py``."""

import logging
import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from alphaction.engine.launch import peak_memory_bytes
from alphaction.engine.metrics_file import MetricsFile
from alphaction.engine.monitor import Metrics, Monitor
from alphaction.engine.trainer import Hook, Trainer
from alphaction.utils.comm import broadcast_object, reduce_dict, synchronize
from alphaction.utils.meters import MeterGroup, format_duration

logger = logging.getLogger(__name__)


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
        if trainer.iteration % self._period == 0 or trainer.iteration == trainer.max_iter:
            self._report(trainer)

    def after_train(self, trainer: Trainer) -> None:
        if trainer.iteration > self._last:  # the run was ended early, between two lines
            self._report(trainer)
        spent = time.perf_counter() - self._started_at
        steps = trainer.iteration - self._first
        logger.info("Finished %d iterations in %s.", steps, format_duration(spent))
        if trainer.skipped.summary():
            logger.warning("%s", trainer.skipped.summary())

    def _report(self, trainer: Trainer) -> None:
        record = trainer.record
        assert record is not None
        num_steps = trainer.iteration - self._last
        means = reduce_dict({name: value / num_steps for name, value in self._sums.items()})
        self._sums, self._last = {}, trainer.iteration
        values: dict[str, Any] = {"epoch": (trainer.iteration - 1) // self._epoch_length, **means}
        if record.grad_norm is not None:
            values["grad_norm"] = float(record.grad_norm)
        values |= {"lr": record.lr, **self._meters.means(), "memory_mb": _memory_mb(trainer)}
        self._file.write("train", trainer.iteration, values)
        logger.info("%s", self._line(trainer, values))

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
    """Evaluates at the given rhythms, but not after the last step: the final test does that.

    What looks at the monitored metric is told of each evaluation exactly once. As a checkpoint is written before the
    evaluation at its iteration, a run that goes on from it begins with that evaluation, or with its line in the metrics
    file; a run that is asked to stop leaves its evaluation to the next start.

    Args:
        periods: steps between evaluations; there may be several rhythms.
        evaluate: evaluates after a number of finished steps and returns flat metrics (on rank 0); True makes it the
            final test.
        monitor: is told the metrics.
        save_best: saves the weights of an evaluation that was the best so far; None saves none.
        patience: evaluations in a row without a gain after which the training ends; 0 for never.
    """

    def __init__(
        self,
        *,
        periods: Sequence[int],
        evaluate: Callable[[int, bool], Metrics],
        file: MetricsFile,
        monitor: Monitor,
        save_best: Callable[[], None] | None = None,
        patience: int = 0,
    ) -> None:
        self._periods, self._evaluate, self._file = tuple(periods), evaluate, file
        self._monitor, self._save_best, self._patience = monitor, save_best, patience

    def before_train(self, trainer: Trainer) -> None:
        iteration = trainer.iteration
        if iteration and self._monitor.last_iteration != iteration:
            written = broadcast_object(self._file.get("eval", iteration))
            if written is None:
                self.after_step(trainer)
            else:
                self._take(trainer, written, counts=self._is_due(trainer))
        if iteration < trainer.max_iter:
            self._stop_if_in_vain(trainer)

    def after_step(self, trainer: Trainer) -> None:
        if not self._is_due(trainer) or trainer.is_asked_to_stop():
            return
        metrics = self._evaluate(trainer.iteration, False)
        self._file.write("eval", trainer.iteration, metrics)
        self._take(trainer, metrics, counts=True)
        trainer.enter_train_mode()
        self._stop_if_in_vain(trainer)

    def final_test(self, trainer: Trainer) -> None:
        """Evaluates the finished run; its value may be the best, and nothing else comes of it."""
        metrics = self._evaluate(trainer.iteration, True)
        self._file.write("eval", trainer.iteration, metrics)
        self._take(trainer, metrics, counts=False)

    def _is_due(self, trainer: Trainer) -> bool:
        iteration = trainer.iteration
        return iteration < trainer.max_iter and any(iteration % period == 0 for period in self._periods)

    def _take(self, trainer: Trainer, metrics: Metrics, *, counts: bool) -> None:
        is_best = self._monitor.tell(trainer.iteration, metrics, counts=counts)
        if counts and trainer.scheduler.needs_metric:
            trainer.scheduler.report(math.nan if self._monitor.last is None else self._monitor.last)
        if is_best and self._save_best:
            self._save_best()

    def _stop_if_in_vain(self, trainer: Trainer) -> None:
        monitor, count = self._monitor, self._monitor.num_without_gain
        if trainer.is_stopped or not self._patience or count < self._patience:
            return
        best = "none had one"
        if monitor.best is not None:
            best = f"the best is {monitor.best:.4f} after {monitor.best_iteration} iterations"
        trainer.stop(
            f"{count} evaluations in a row have not made {monitor.name} better ({best}). To train on, raise "
            f"SOLVER.EARLY_STOP_PATIENCE, which is {self._patience}, and start the same command again."
        )


def _memory_mb(trainer: Trainer) -> float:
    """Returns the peak memory of the accelerator, or of this process on a CPU."""
    on_accelerator = peak_memory_bytes(trainer.device)
    if on_accelerator is not None:
        return on_accelerator / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
