"""The test sets of a run, opened once and evaluated as often as asked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from yacs.config import CfgNode

from alphaction.engine.inference import run_inference
from alphaction.engine.launch import Process
from alphaction.engine.monitor import keys_that_look, unknown_metric
from alphaction.engine.setup import make_test_loader
from alphaction.evaluation.base import Evaluator
from alphaction.tasks.base import Task
from alphaction.utils.comm import synchronize, synchronize_buffers
from alphaction.utils.errors import ConfigError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenTestSet:
    """A test set with this process's share of its clips and the evaluator of all."""

    name: str
    loader: DataLoader
    evaluator: Evaluator


def open_test_sets(cfg: CfgNode, task: Task, process: Process, training_set: Any = None) -> list[OpenTestSet]:
    """Returns the sets of DATASETS.TEST; their reports say what of the training set, if it is open, they need.

    Raises:
        ConfigError: two of them would write to one folder.
        UserError: a set cannot be read.
    """
    names = [Path(name).stem if name.endswith((".yaml", ".yml")) else name for name in cfg.DATASETS.TEST]
    if len(set(names)) < len(names):
        raise ConfigError(f"DATASETS.TEST {tuple(cfg.DATASETS.TEST)}: two sets are called alike; rename a YAML file.")
    sets = []
    for name, entry in zip(names, cfg.DATASETS.TEST, strict=True):
        dataset = task.build_dataset(cfg, entry, is_train=False)
        evaluator = task.make_evaluator(cfg, dataset, training_set)
        sets.append(OpenTestSet(name, make_test_loader(cfg, dataset, process), evaluator))
    return sets


def evaluate(
    sets: Sequence[OpenTestSet],
    task: Task,
    model: nn.Module,
    device: torch.device,
    output_dir: Path,
    max_bad_videos: int,
) -> dict[str, float | None]:
    """Evaluates every set, logs its report and writes its files to ``output_dir/<set>``.

    Returns:
        Flat metrics on rank 0, named ``<set>/<metric>`` when there are several sets; nothing on other ranks.

    Raises:
        LocalError: clips of more than ``max_bad_videos`` videos cannot be read.
    """
    synchronize_buffers(model)
    metrics: dict[str, float | None] = {}
    for test_set in sets:
        found = run_inference(task, model, test_set.loader, device, max_bad_videos)
        if found is not None:
            result = test_set.evaluator.evaluate(list(found.predictions.values()))
            folder = output_dir / test_set.name
            result.write(folder)
            metrics |= {_flat_name(name, test_set, sets): value for name, value in result.metrics.items()}
            logger.info("Evaluation of %s, written to %s:\n%s", test_set.name, folder, result.report)
        synchronize()
    return metrics


def monitored_metric(cfg: CfgNode, task: Task, sets: Sequence[OpenTestSet]) -> str:
    """Returns the name of the metric to monitor, in the metrics of :func:`evaluate`; "" where none is.

    SOLVER.MONITOR says which; if it is "", the task's main metric of the first set is taken.

    Raises:
        ConfigError: the sets are known not to give such a metric, or there is none and one is needed.
    """
    if not sets:
        return ""
    name = cfg.SOLVER.MONITOR or (_flat_name(task.main_metric, sets[0], sets) if task.main_metric else "")
    by_set = [(test_set, test_set.evaluator.metric_names()) for test_set in sets]
    known = tuple(_flat_name(metric, test_set, sets) for test_set, names in by_set for metric in names)
    if name and name not in known and all(names for _, names in by_set):
        raise unknown_metric(name, known)
    if not name and (needing := keys_that_look(cfg)):
        raise ConfigError(f"{' and '.join(needing)}: this task has no main metric; name one in SOLVER.MONITOR.")
    return name


def _flat_name(metric: str, test_set: OpenTestSet, sets: Sequence[OpenTestSet]) -> str:
    return f"{test_set.name}/{metric}" if len(sets) > 1 else metric
