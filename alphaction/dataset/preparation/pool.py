"""Jobs shared by several processes; what fails is named, the rest goes on."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

import cv2

from alphaction.dataset.video_file import VideoError
from alphaction.utils.errors import UserError

J = TypeVar("J")
R = TypeVar("R")

_SECONDS_BETWEEN_TELLS = 0.5
# Adds to what all processes have done together: work, deep inside a decoder, does not know whose process it is in.
_add: Callable[[float], None] | None = None


def advance(amount: float) -> None:
    """Notes that the job of this process has come further, in the units of ``tell``."""
    if _add is not None:
        _add(amount)


def run_jobs(
    work: Callable[[J], R],
    jobs: Sequence[J],
    num_processes: int,
    tell: Callable[[float], None] = lambda amount: None,
) -> Iterator[tuple[J, R | None, VideoError | None]]:
    """Yields (job, result, error) of each job as it ends; of result and error one is None.

    Args:
        work: a function of a module; a ``VideoError`` is the job's error, any other one ends the run.
        jobs: its arguments.
        num_processes: how many jobs run at the same time, each in a process; 0 runs them in this one.
        tell: called now and then with the sum of what all jobs passed to :func:`advance`.

    Raises:
        UserError: a process died, or what ``work`` raised.
    """
    if num_processes < 1:
        with _told_at_once(tell):
            for job in jobs:
                yield job, *_outcome(lambda job=job: work(job))  # type: ignore[misc]
        return
    context = _context(work.__module__)
    done = context.Value("d")
    pool = ProcessPoolExecutor(min(num_processes, max(len(jobs), 1)), context, _start_process, (done,))
    try:
        job_of: dict[Future[R], J] = {pool.submit(work, job): job for job in jobs}
        waiting = set(job_of)
        while waiting:
            ended, waiting = wait(waiting, _SECONDS_BETWEEN_TELLS, FIRST_COMPLETED)
            tell(done.get_obj().value)  # without its lock, which a process that was killed would keep
            for future in ended:
                yield job_of[future], *_outcome(future.result)
    except BrokenProcessPool:
        raise UserError(
            "A process that read videos was ended from outside, or by a fault of a decoder. What is finished is kept: "
            "start again, with fewer processes if memory ran out; --process_num 0 shows which video it is."
        ) from None
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _context(module: str) -> BaseContext:
    """Returns how processes are started: from one that has read ``module`` and has no threads, where there is a way.

    A fork of this process may wait for ever for a thread of a library that was not forked with it.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def _outcome(result: Callable[[], R]) -> tuple[R | None, VideoError | None]:
    try:
        return result(), None
    except VideoError as error:
        return None, error


@contextlib.contextmanager
def _told_at_once(tell: Callable[[float], None]) -> Iterator[None]:
    """Passes on what the jobs of this process have done together while the block lasts."""
    global _add
    total = 0.0

    def add(amount: float) -> None:
        nonlocal total
        total += amount
        tell(total)

    _add = add
    try:
        yield
    finally:
        _add = None


def _start_process(done: Any) -> None:
    """Leaves Ctrl-C to the main process and threads to the processes, and ends when the main process is gone."""
    global _add

    def add(amount: float) -> None:
        with done.get_lock():
            done.value += amount

    _add = add
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A main process that is killed cannot end its pool, whose processes would wait for work for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
