"""The one place where a run is put together from its config."""

import importlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader
from yacs.config import CfgNode

import alphaction.tasks
from alphaction.config import load_cfg
from alphaction.config.check import check_cfg
from alphaction.config.idle_settings import idle_settings
from alphaction.config.load import option_keys
from alphaction.config.scaling import describe_scaling, scale_schedule
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.build import concat_datasets, make_data_loader
from alphaction.dataset.doctor.check import log_quick_check
from alphaction.engine.flags import Flags
from alphaction.engine.launch import Process, world_size_from_env
from alphaction.finetune import planned_epochs
from alphaction.solver import OPTIMIZERS, SCHEDULERS, describe_solver
from alphaction.structures.unit import Unit
from alphaction.tasks.base import TASKS, Task
from alphaction.utils.comm import is_main_process
from alphaction.utils.errors import ConfigError, DataError
from alphaction.utils.logger import format_table
from alphaction.utils.registry import import_submodules

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResolvedConfig:
    """A config that can run, its task, and what the user should hear about how the schedule came to be."""

    cfg: CfgNode
    task_class: type[Task]
    scaling: str


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The training set and the length of the run on it, in iterations.

    Attributes:
        epoch_length: ceil(clips / VIDEOS_PER_BATCH).
        finetune_epoch: what FINETUNE calls an epoch.
    """

    dataset: Any
    epoch_length: int
    max_iter: int
    finetune_epoch: int


def resolve_config(flags: Flags, *, needs: Sequence[str] = (), trains: bool = False) -> ResolvedConfig:
    """Returns the config of the flags: scaled, completed from the label files, checked and frozen.

    Args:
        flags: what was typed.
        needs: lists of DATASETS that must not be empty.
        trains: whether the schedule is going to be used.

    Raises:
        ConfigError: everything that is wrong with it, before any data is opened.
    """
    typed = option_keys(flags.opts)
    given = load_given(flags)
    given.TEST.BOX_THRESH_OVERRULES |= "TEST.BOX_THRESH" in typed
    for module in given.CUSTOM_IMPORTS:
        _import_custom(module)
    import_submodules(alphaction.tasks)
    task_class = TASKS.get(given.TASK)
    OPTIMIZERS.get(given.SOLVER.OPTIMIZER)
    SCHEDULERS.get(given.SOLVER.SCHEDULER)
    scaled = scale_schedule(given, typed)
    check_cfg(scaled, world_size_from_env(), needs=needs, trains=trains)
    cfg = task_class.resolve_config(scaled)
    check_cfg(cfg, world_size_from_env(), trains=trains)
    for sentence in idle_settings(cfg) if trains else ():
        logger.warning("%s", sentence)
    cfg.freeze()
    return ResolvedConfig(cfg, task_class, describe_scaling(given, scaled, typed))


def load_given(flags: Flags) -> CfgNode:
    """Returns the config as it was given, before anything is scaled or completed."""
    return load_cfg(flags.config_file or None, flags.opts)


def open_training_data(cfg: CfgNode, task: Task) -> TrainingData:
    """Returns the joined training sets, and how many iterations MAX_EPOCHS or MAX_ITER ask for.

    What a quick check finds odd in the files of training and test sets is logged.

    Raises:
        DataError: a training set cannot be used.
        ConfigError: a step of the schedule lies behind its end.
    """
    try:
        dataset = concat_datasets([task.build_dataset(cfg, name, is_train=True) for name in cfg.DATASETS.TRAIN])
    except DataError as error:
        sets = " ".join(cfg.DATASETS.TRAIN)
        raise DataError(f"{error} To see all mistakes at once: python tools/check_dataset.py {sets}") from error
    if is_main_process():
        max_persons = cfg.MODEL.ROI_ACTION_HEAD.PROPOSAL_PER_CLIP
        threshold = BoxThreshold.from_cfg(cfg)
        log_quick_check(cfg.DATASETS.TRAIN, cfg.DATASETS.TEST, threshold=threshold, max_persons=max_persons)
    epoch_length = math.ceil(len(dataset) / cfg.SOLVER.VIDEOS_PER_BATCH)
    finetune_epoch = cfg.FINETUNE.EPOCH_ITERS or epoch_length
    given = cfg.SOLVER.MAX_EPOCHS * epoch_length
    max_iter = _planned_iterations(cfg, finetune_epoch, given) or given or cfg.SOLVER.MAX_ITER
    key, unit = ("STEP_EPOCHS", epoch_length) if cfg.SOLVER.STEP_EPOCHS else ("STEPS", 1)
    late = [step for step in cfg.SOLVER[key] if step * unit >= max_iter]
    if late and cfg.SOLVER.SCHEDULER == "warmup_multi_step":
        raise ConfigError(
            f"SOLVER.{key} {late} lie behind the last iteration: the run has {max_iter}, {max_iter / epoch_length:g} "
            f"epochs of {epoch_length}. Lower {key}, or write () for none."
        )
    return TrainingData(dataset, epoch_length, max_iter, finetune_epoch)


def _planned_iterations(cfg: CfgNode, finetune_epoch: int, given: int) -> int:
    """Returns the length that the fine-tuning strategy gives the run, 0 where it leaves it to SOLVER.

    Args:
        cfg: the config.
        finetune_epoch: iterations.
        given: length by SOLVER.MAX_EPOCHS in iterations, 0 for none.
    """
    epochs, name = planned_epochs(cfg), cfg.FINETUNE.STRATEGY
    planned = epochs * finetune_epoch
    if planned and given not in (0, planned):
        raise ConfigError(
            f"SOLVER.MAX_EPOCHS {cfg.SOLVER.MAX_EPOCHS} is {given} iterations, and the phases of FINETUNE.STRATEGY "
            f"{name} are {planned} long ({epochs} x {finetune_epoch}). Leave MAX_EPOCHS at 0, or give the last phase 0 "
            "epochs, so that it lasts to the end of the run."
        )
    if planned:
        logger.info(
            "The phases of FINETUNE.STRATEGY %s make the run %d iterations long; SOLVER.MAX_ITER %d is not used.",
            *(name, planned, cfg.SOLVER.MAX_ITER),
        )
    return planned


def make_train_loader(cfg: CfgNode, data: TrainingData, process: Process, *, seed: int, start_iter: int) -> DataLoader:
    """Returns the loader of the batches from ``start_iter`` on."""
    return make_data_loader(
        data.dataset,
        cfg,
        is_train=True,
        seed=seed,
        start_iter=start_iter,
        num_iterations=data.max_iter,
        rank=process.rank,
        world_size=process.world_size,
        pin_memory=process.pins_memory,
    )


def make_test_loader(cfg: CfgNode, dataset: Any, process: Process) -> DataLoader:
    """Returns the loader of this process's share of a test set."""
    return make_data_loader(
        dataset,
        cfg,
        is_train=False,
        seed=0,
        rank=process.rank,
        world_size=process.world_size,
        pin_memory=process.pins_memory,
    )


def describe_parameters(units: Sequence[Unit], factors: Mapping[str, float]) -> str:
    """Returns a table of the units and their parameters, and the sum.

    Args:
        units: of the model.
        factors: of the units' rates over SOLVER.BASE_LR; shown if they are not all 1.
    """
    rows = [(unit.name, f"{unit.num_parameters():,}", f"{factors[unit.name]:g}") for unit in units]
    rows.append(("all", f"{sum(unit.num_parameters() for unit in units):,}", ""))
    header = ("unit", "parameters", "rate over BASE_LR")
    if set(factors.values()) == {1.0}:
        return format_table(header[:2], [row[:2] for row in rows])
    return format_table(header, rows)


def describe_schedule(cfg: CfgNode, max_iter: int) -> str:
    """Returns length, rates and optimizer of the run in one sentence."""
    return describe_solver(cfg.SOLVER, max_iter)


def _import_custom(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f'CUSTOM_IMPORTS: cannot import "{module}": {error}. Write it as in an import statement, and put its '
            "folder on PYTHONPATH."
        ) from error
