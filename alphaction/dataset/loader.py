"""A loader whose failures say which file they are about: workers that hang, die, or meet a user's mistake."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from alphaction.dataset.reading_notes import ReadingNotes
from alphaction.structures.clip import ClipBatch
from alphaction.utils.errors import LocalError, UserError

# How torch begins the message of an exception about a worker that died, or gave nothing in time.
_DIED, _TIMED_OUT = "DataLoader worker", "DataLoader timed out"


@dataclass(frozen=True, slots=True)
class _Failed:
    """A user's mistake that a worker met, on its way to the main process."""

    error: UserError


class ClipLoader(DataLoader[Any]):
    """Batches of a dataset, read by worker processes.

    Args:
        dataset: where the clips come from.
        batch_sampler: which clips come together.
        collate: joins samples to a batch.
        num_workers: processes that read; 0 reads in this one.
        timeout: seconds to wait for a batch before the run ends, 0 for ever; without workers there is none.
        start_method: how workers are started: "fork", "spawn", "forkserver", or "" for the platform's way.
        pin_memory: for transfers to an accelerator.
        keeps_workers: leave them running between two passes.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        *,
        batch_sampler: Iterable[Sequence[Any]],
        collate: Callable[[Sequence[Any]], ClipBatch],
        num_workers: int,
        timeout: float = 0.0,
        start_method: str = "",
        pin_memory: bool = False,
        keeps_workers: bool = False,
    ) -> None:
        context = multiprocessing.get_context(start_method or None)
        self._notes = ReadingNotes(num_workers, context)
        super().__init__(
            _FailuresAsItems(dataset),
            batch_sampler=batch_sampler,  # type: ignore[arg-type]
            num_workers=num_workers,
            collate_fn=_CollateUnlessFailed(collate),
            worker_init_fn=_WorkerStart(self._notes),
            pin_memory=pin_memory,
            timeout=timeout if num_workers else 0,
            multiprocessing_context=context if num_workers else None,
            persistent_workers=num_workers > 0 and keeps_workers,
        )

    def __iter__(self) -> Any:
        return _Batches(super().__iter__(), self._explained)

    def _explained(self, error: RuntimeError) -> Exception:
        """Returns an error that names the files, for what torch says of hanging and of dead workers."""
        message = str(error)
        if message.startswith(_TIMED_OUT):
            return LocalError(
                f"No batch of clips came within DATALOADER.TIMEOUT {self.timeout:g} s. {self._describe_readers()} "
                "Look at the file, and at the disk or network it comes from. If reading is just slow, raise "
                "DATALOADER.TIMEOUT (0 waits for ever) or DATALOADER.NUM_WORKERS."
            )
        if message.startswith(_DIED):
            return LocalError(
                f"A worker that reads clips was ended from outside, or by a fault of a decoder. "
                f"{self._describe_readers()} If the machine ran out of memory, lower DATALOADER.NUM_WORKERS or the "
                f"batch. ({message.splitlines()[0]})"
            )
        return error

    def _describe_readers(self) -> str:
        found = sorted(self._notes.current().items(), key=lambda entry: -entry[1][1])
        listed = "; ".join(f"worker {worker}: {name}, for {seconds:.0f} s" for worker, (name, seconds) in found)
        return f"Being read: {listed}." if found else "No worker is reading a video."


class _Batches(Iterator[ClipBatch]):
    """The batches of one pass."""

    def __init__(self, batches: Iterator[Any], explained: Callable[[RuntimeError], Exception]) -> None:
        self._batches, self._explained = batches, explained

    def __next__(self) -> ClipBatch:
        try:
            batch = next(self._batches)
        except RuntimeError as error:
            explained = self._explained(error)
            self._stop(hangs=str(error).startswith(_TIMED_OUT))
            if explained is error:
                raise
            raise explained from error
        if isinstance(batch, _Failed):
            self._stop()
            raise batch.error
        result: ClipBatch = batch
        return result

    def _stop(self, hangs: bool = False) -> None:
        """Ends the workers now: left to the garbage collector, torch waits seconds for each, and complains."""
        if hangs:
            for worker in getattr(self._batches, "_workers", ()):
                worker.terminate()
        getattr(self._batches, "_shutdown_workers", lambda: None)()


class _FailuresAsItems(Dataset[Any]):
    """The dataset, with a user's mistake as an item: torch would give it back as a traceback in words."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self._dataset = dataset

    def __getitem__(self, item: Any) -> Any:
        try:
            return self._dataset[item]
        except UserError as error:
            return _Failed(error)


@dataclass(frozen=True, slots=True)
class _CollateUnlessFailed:
    collate: Callable[[Sequence[Any]], ClipBatch]

    def __call__(self, samples: Sequence[Any]) -> Any:
        return next((sample for sample in samples if isinstance(sample, _Failed)), None) or self.collate(samples)


@dataclass(frozen=True, slots=True)
class _WorkerStart:
    """One thread a worker: the workers themselves are the parallel part.

    A session of its own keeps signals to the process group (Ctrl-C, a scheduler's or torchrun's SIGTERM) away, so that
    the main process can finish its step and save; torch ends workers whose parent is gone.
    """

    notes: ReadingNotes

    def __call__(self, worker: int) -> None:
        if hasattr(os, "setsid"):
            os.setsid()
        torch.set_num_threads(1)
        # 0 is "no threads". 1 waits for ever in a forked process: it stops threads that only its parent has.
        cv2.setNumThreads(0)
        self.notes.open_slot(worker)
