"""The training loop."""

import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import torch
from torch import Tensor, nn

from alphaction.engine.cli import Interrupted
from alphaction.engine.skipped import SkippedClips
from alphaction.solver import FactorScheduler
from alphaction.structures.clip import ClipBatch, StepOutput
from alphaction.tasks.base import Task
from alphaction.utils.comm import any_rank
from alphaction.utils.errors import LocalError, UserError
from alphaction.utils.seed import derived_seed

logger = logging.getLogger(__name__)


class Hook:
    """Something that happens around the steps. ``trainer.iteration`` counts finished steps."""

    def before_train(self, trainer: "Trainer") -> None: ...

    def before_step(self, trainer: "Trainer") -> None: ...

    def after_step(self, trainer: "Trainer") -> None: ...

    def after_train(self, trainer: "Trainer") -> None: ...

    def on_train_mode(self, trainer: "Trainer") -> None:
        """Called each time the model has entered train mode, as before the first step and after an evaluation."""

    def on_interrupt(self, trainer: "Trainer") -> str:
        """Called when the run was asked to stop, after a whole step; returns a sentence for the user."""
        return ""


@dataclass(slots=True)
class StepRecord:
    """What hooks can say about the step that has just finished."""

    output: StepOutput
    total_loss: Tensor
    lr: float
    data_seconds: float
    step_seconds: float
    grad_norm: Tensor | None


@dataclass
class Trainer:
    """Runs a task's steps over a loader until ``max_iter`` steps are finished.

    Attributes:
        model: on its device; :meth:`wrap` makes of it what runs in several processes.
        wrapper: returns the model as it runs; None runs it as it is.
        loader: gives the batches from step ``iteration`` on.
        amp_dtype: type of autocast's arithmetic, None for none.
        scaler: scales the loss of fp16 runs.
        clip_grad_norm: largest norm of all gradients together, 0 for no limit.
        iteration: finished steps.
        is_stopped: the training was ended before ``max_iter``; see :meth:`stop`.
    """

    task: Task
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: FactorScheduler
    loader: Iterable[ClipBatch]
    device: torch.device
    hooks: Sequence[Hook]
    max_iter: int
    seed: int
    rank: int
    skipped: SkippedClips
    amp_dtype: torch.dtype | None = None
    scaler: torch.amp.GradScaler | None = None
    clip_grad_norm: float = 0.0
    iteration: int = 0
    wrapper: Callable[[nn.Module], nn.Module] | None = None
    record: StepRecord | None = field(default=None, init=False)
    is_stopped: bool = field(default=False, init=False)
    _signal: int = field(default=0, init=False)
    _running: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self._running = self.model

    def train(self) -> None:
        """Runs all steps that are left.

        Raises:
            Interrupted: SIGTERM or Ctrl-C came; the step was finished and the hooks have saved the run.
            UserError: a loss is not finite, or too many clips cannot be read.
        """
        with self._catching_signals():
            self.wrap()
            self.enter_train_mode()
            self._each_hook("before_train")
            self._stop_if_asked()
            batches = iter(self.loader)
            while self.iteration < self.max_iter and not self.is_stopped:
                self._each_hook("before_step")
                started = time.perf_counter()
                batch = next(batches)
                data_seconds = time.perf_counter() - started
                self._note_skipped(batch)
                self._step(batch.to(self.device, non_blocking=True), started, data_seconds)
                self.iteration += 1
                self._each_hook("after_step")
                self._stop_if_asked()
            self._each_hook("after_train")

    def wrap(self) -> None:
        """Wraps the model anew, with the parameters that have a gradient now.

        A parameter that is released after the wrapping would not be averaged over the processes
        (https://github.com/Lightning-AI/pytorch-lightning/issues/20340).
        """
        self._running = self.model  # lets go of the wrapper before
        if self.wrapper:
            self._running = self.wrapper(self.model)

    def stop(self, reason: str) -> None:
        """Ends the training after the running step, as if it were the last; every process calls it."""
        self.is_stopped = True
        logger.info("The training ends after %d of %d iterations: %s", self.iteration, self.max_iter, reason)

    def enter_train_mode(self) -> None:
        """Puts the model into train mode, and lets the hooks say which parts of it stay out."""
        self._running.train()
        self._each_hook("on_train_mode")

    def _note_skipped(self, batch: ClipBatch) -> None:
        self.skipped.add(batch.skipped)
        if not len(batch):
            raise LocalError(f"No clip for iteration {self.iteration + 1} can be read. {self.skipped.summary()}")

    def _step(self, batch: ClipBatch, started: float, data_seconds: float) -> None:
        torch.manual_seed(derived_seed(self.seed, self.iteration, self.rank))
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.iteration, self.rank, 1))
        with torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=self.amp_dtype is not None):
            output = self.task.train_step(self._running, batch, generator)
        total = sum(output.losses.values(), start=torch.zeros((), device=self.device))
        self._refuse_non_finite(batch, output, total)
        self.optimizer.zero_grad(set_to_none=True)
        (self.scaler.scale(total) if self.scaler else total).backward()
        grad_norm = self._update()
        lr = self.scheduler.plain_rate()
        self.scheduler.step()
        self.task.after_step(output)
        seconds = time.perf_counter() - started
        self.record = StepRecord(output, total.detach(), lr, data_seconds, seconds, grad_norm)

    def _update(self) -> Tensor | None:
        grad_norm = None
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        if self.clip_grad_norm:
            grad_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        return grad_norm

    def _refuse_non_finite(self, batch: ClipBatch, output: StepOutput, total: Tensor) -> None:
        """Stops every process when the loss of one of them is not finite, before any weight is changed."""
        broken = not bool(torch.isfinite(total))
        if not any_rank(broken, self.device):
            return
        if not broken:
            raise UserError(f"The loss of another process is not finite in iteration {self.iteration + 1}.")
        terms = ", ".join(f"{name} {value.item():g}" for name, value in output.losses.items())
        raise LocalError(
            f"The loss is not finite in iteration {self.iteration + 1} ({terms}), on the clips "
            f"{', '.join(map(str, batch.keys))}. Look at these clips; if they are sound, lower SOLVER.BASE_LR, "
            "lengthen SOLVER.WARMUP_ITERS or set SOLVER.CLIP_GRAD_NORM. No weight was changed by this step."
        )

    def _each_hook(self, event: str) -> None:
        for hook in self.hooks:
            getattr(hook, event)(self)

    def is_asked_to_stop(self) -> bool:
        """Returns, on every process alike, whether one of them was sent a signal."""
        return any_rank(bool(self._signal), self.device)

    def _stop_if_asked(self) -> None:
        if not self.is_asked_to_stop():
            return
        number = self._signal or signal.SIGTERM
        sentences = [sentence for hook in self.hooks if (sentence := hook.on_interrupt(self))]
        name = signal.Signals(number).name
        raise Interrupted(f"{name} after iteration {self.iteration}. {' '.join(sentences)}", number)

    @contextmanager
    def _catching_signals(self) -> Iterator[None]:
        """Turns the first SIGTERM or SIGINT into a stop after the running step; a second one acts at once."""

        def note(number: int, frame: FrameType | None) -> None:
            self._signal = number
            for caught, handler in previous.items():
                signal.signal(caught, handler)

        previous = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
