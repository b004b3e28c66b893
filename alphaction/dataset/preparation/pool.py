"""Jobs shared by several processes; what fails is named, the rest goes on."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import TypeVar

import cv2

from alphaction.dataset.video_file import VideoError
from alphaction.utils.errors import UserError

J = TypeVar("J")
R = TypeVar("R")


def run_jobs(
    work: Callable[[J], R], jobs: Sequence[J], num_processes: int
) -> Iterator[tuple[J, R | None, VideoError | None]]:
    """Yields (job, result, error) of each job as it ends; of result and error one is None.

    Args:
        work: a function of a module; a ``VideoError`` is the job's error, any other one ends the run.
        jobs: its arguments.
        num_processes: how many jobs run at the same time, each in a process; 0 runs them in this one.

    Raises:
        UserError: a process died, or what ``work`` raised.
    """
    if num_processes < 1:
        for job in jobs:
            yield job, *_outcome(lambda job=job: work(job))  # type: ignore[misc]
        return
    pool = ProcessPoolExecutor(min(num_processes, max(len(jobs), 1)), _context(work.__module__), _start_process)
    try:
        job_of: dict[Future[R], J] = {pool.submit(work, job): job for job in jobs}
        for future in as_completed(job_of):
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


def _start_process() -> None:
    """Leaves Ctrl-C to the main process and threads to the processes, and ends when the main process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A main process that is killed cannot end its pool, whose processes would wait for work for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
