"""One training and the test of its last weights, in a process of its own."""

import json
import logging
import multiprocessing
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from alphaction.benchmark.finetuning_table import Outcome, read_outcome, read_training
from alphaction.config import load_cfg
from alphaction.engine.cli import run_tool
from alphaction.engine.flags import Flags
from alphaction.engine.run import test, train
from alphaction.modeling import build_detector
from alphaction.utils.errors import UserError
from alphaction.utils.files import write_text

logger = logging.getLogger(__name__)

_OUTCOME, _SECONDS = "outcome.json", "seconds.json"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done.

    Attributes:
        strategy: its name in the table.
        seed: of its data and its initial head.
        folder: for all files of the run.
        train: flags of the training.
        test: flags of the test of its last weights.
        tested: names of the data sets of the test; the first is for ``Outcome.validation``, the last for
            ``Outcome.test``.
    """

    strategy: str
    seed: int
    folder: Path
    train: Flags
    test: Flags
    tested: tuple[str, ...]


def finish(job: Job) -> Outcome:
    """Returns what the run has come to, and does it first unless that was done before.

    A run that was cut off is done anew, so that its CPU seconds are those of a whole training.

    Raises:
        UserError: it cannot be done; its own message is above.
    """
    file = job.folder / _OUTCOME
    if not file.exists():
        shutil.rmtree(job.folder, ignore_errors=True)
        _do_in_a_process(job)
        model = build_detector(load_cfg(job.folder / "config.yaml"))
        trained, releases = read_training(job.folder / "metrics.jsonl", sum(p.numel() for p in model.parameters()))
        scores = [_score(job.folder / "inference" / name / "metrics.json") for name in job.tested]
        seconds = json.loads((job.folder / _SECONDS).read_text(encoding="utf-8"))
        Outcome(job.strategy, job.seed, scores[-1], scores[0], seconds, trained, releases).write(file)
    outcome = read_outcome(file)
    logger.info("%s: mAP %.4f, %.0f CPU seconds.", job.folder.name, outcome.test, outcome.cpu_seconds)
    return outcome


def _do_in_a_process(job: Job) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_do, args=(job,), name=job.folder.name)
    process.start()
    process.join()
    if process.exitcode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    if process.exitcode:
        raise UserError(f"The run {job.folder.name} ended with exit code {process.exitcode}; see its message above.")


def _do(job: Job) -> None:
    """Trains, notes the CPU seconds of that, tests, and leaves with the exit code of a tool."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)

    def work() -> None:
        before = _cpu_seconds()
        train(job.train)
        write_text(job.folder / _SECONDS, json.dumps(_cpu_seconds() - before))
        test(job.test)

    sys.exit(run_tool(work))


def _cpu_seconds() -> float:
    """Returns the CPU seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


def _score(metrics_file: Path) -> float:
    found = json.loads(metrics_file.read_text(encoding="utf-8"))
    return float(found["metrics"][found["primary"]])
