"""A run put together: the model with its weights, then the trainer, and what a checkpoint holds of them."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from yacs.config import CfgNode

from alphaction.checkpoint import Checkpointer, compare_configs
from alphaction.checkpoint.reading import MEAN
from alphaction.engine.ema import WeightMean
from alphaction.engine.flags import Flags
from alphaction.engine.launch import Process
from alphaction.engine.monitor import Monitor
from alphaction.engine.setup import ResolvedConfig, TrainingData, make_train_loader
from alphaction.engine.skipped import SkippedClips
from alphaction.engine.start import find_run, load_start
from alphaction.engine.trainer import Trainer
from alphaction.finetune import FineTuning, build_fine_tuning
from alphaction.solver import FactorScheduler, build_optimizer, build_scheduler, load_optimizer_state
from alphaction.tasks.base import Task
from alphaction.utils.comm import broadcast_object, synchronize_buffers
from alphaction.utils.seed import seed_everything

logger = logging.getLogger(__name__)

_AMP_TYPES = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its model, before its data.

    Attributes:
        model: on its device, not wrapped for several processes.
        fine_tuning: which of its parts train when, before the first epoch or as the checkpoint has it.
        parts: of the run to continue but for the model, None for a new one.
        folder: of the checkpoint that ``parts`` come from.
    """

    cfg: CfgNode
    flags: Flags
    process: Process
    checkpointer: Checkpointer
    task: Task
    model: nn.Module
    fine_tuning: FineTuning
    parts: dict[str, Any] | None
    folder: Path
    seed: int


def prepare_run(resolved: ResolvedConfig, flags: Flags, process: Process) -> Run:
    """Returns the run with its weights loaded; it has opened no data and written nothing.

    Raises:
        CheckpointError: OUTPUT_DIR holds another run, or the weights do not fit.
    """
    cfg = resolved.cfg
    checkpointer = Checkpointer(cfg.OUTPUT_DIR, kept=cfg.SOLVER.CHECKPOINTS_KEPT)
    parts, folder = find_run(cfg, flags, checkpointer)
    seed = flags.seed if parts is None else int(parts.get("rng", {}).get("seed", flags.seed))
    if seed != flags.seed:
        logger.warning("The run goes on with the seed it was started with, %d, not with %d.", seed, flags.seed)
    seed_everything(seed)
    task = resolved.task_class.from_cfg(cfg)
    model = task.build_model(cfg)
    unloaded = load_start(cfg, flags, task, model, parts)
    if parts is not None:  # the weights are in the model now: their copy need not stay
        parts = {name: part for name, part in parts.items() if name != "model"}
    model = model.to(process.device)
    fine_tuning = build_fine_tuning(cfg, task.stages(model), unloaded)
    return Run(cfg, flags, process, checkpointer, task, model, fine_tuning, parts, folder, seed)


def make_trainer(run: Run, data: TrainingData) -> Trainer:
    """Returns the trainer at the iteration where the run begins, without hooks."""
    cfg, process = run.cfg, run.process
    optimizer, scheduler = make_solver(run, data)
    scaler = torch.amp.GradScaler(process.device.type) if cfg.SOLVER.AMP == "fp16" else None
    start_iter = _restore(run, optimizer, scheduler, scaler)
    run.task.start_training(run.model, data.dataset, None if run.parts is None else run.parts["task"], run.folder)
    return Trainer(
        task=run.task,
        model=run.model,
        wrapper=partial(_wrapped, process=process),
        optimizer=optimizer,
        scheduler=scheduler,
        loader=make_train_loader(cfg, data, process, seed=run.seed, start_iter=start_iter),
        device=process.device,
        hooks=(),
        max_iter=data.max_iter,
        seed=run.seed,
        rank=process.rank,
        skipped=SkippedClips(cfg.DATALOADER.MAX_BAD_VIDEOS),
        amp_dtype=_AMP_TYPES[cfg.SOLVER.AMP],
        scaler=scaler,
        clip_grad_norm=cfg.SOLVER.CLIP_GRAD_NORM,
        iteration=start_iter,
    )


def make_solver(run: Run, data: TrainingData) -> tuple[torch.optim.Optimizer, FactorScheduler]:
    """Returns optimizer and schedule at iteration 0."""
    optimizer = build_optimizer(run.cfg, run.model, run.task.stages(run.model))
    return optimizer, build_scheduler(run.cfg, optimizer, data.max_iter, data.epoch_length)


def make_monitor(run: Run, name: str) -> Monitor:
    """Returns the monitor where the run begins; without a name it keeps what the checkpoint knows."""
    solver, saved = run.cfg.SOLVER, (run.parts or {}).get("monitor")
    mode = solver.MONITOR_MODE
    if saved is not None and not name:
        name, mode = saved["name"], saved["mode"]
    monitor = Monitor(name, mode=mode, min_delta=solver.EARLY_STOP_MIN_DELTA)
    if saved is not None:
        monitor.load_state_dict(saved)
    if solver.SAVE_BEST and monitor.best is not None and not broadcast_object(run.checkpointer.has_best()):
        logger.warning(
            "%s has no model_best.pth of the best %s, %.4f after %d iterations: the best from here on is saved.",
            *(run.checkpointer.output_dir, monitor.name, monitor.best, monitor.best_iteration),
        )
        monitor.forget_best()
    return monitor


def make_mean(run: Run) -> WeightMean | None:
    """Returns the running mean of the weights where the run begins, None if there is to be none."""
    decay, saved = run.cfg.SOLVER.EMA_DECAY, (run.parts or {}).get(MEAN)
    if not decay:
        if saved is not None:
            logger.warning("SOLVER.EMA_DECAY is 0: the running mean of the weights is not continued.")
        return None
    mean = WeightMean(run.model, decay)
    if saved is not None:
        mean.load_state_dict(saved)
    elif run.parts is not None:
        logger.warning("The checkpoint has no running mean of the weights: it begins with the weights of now.")
    return mean


def save_run(run: Run, trainer: Trainer, monitor: Monitor, mean: WeightMean | None, *, is_final: bool) -> None:
    """Writes the checkpoint of ``trainer.iteration`` finished steps; on rank 0 alone."""
    synchronize_buffers(run.model)
    run.task.save_files(run.checkpointer.output_dir, f"{trainer.iteration:07d}")
    parts = {
        "model": run.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": trainer.scheduler.state_dict(),
        "task": run.task.state_dict(),
        "finetune": run.fine_tuning.state_dict(),
        # Every draw comes from the seed and a number of the step or the clip, so this is the whole state.
        "rng": {"seed": run.seed},
        "config": run.cfg.dump(),
        "monitor": monitor.state_dict(),
    }
    if mean:
        parts[MEAN] = mean.state_dict()
    if trainer.scaler:
        parts["scaler"] = trainer.scaler.state_dict()
    run.checkpointer.save(trainer.iteration, parts, is_final=is_final)


def save_best(run: Run, trainer: Trainer, monitor: Monitor, mean: WeightMean | None) -> None:
    """Writes the weights that have just been evaluated as the best so far; on rank 0 alone."""
    parts = {
        "model": mean.state_dict() if mean else run.model.state_dict(),
        "task": run.task.state_dict(),
        "config": run.cfg.dump(),
        "metric": {"name": monitor.name, "value": monitor.best},
    }
    path = run.checkpointer.save_best(trainer.iteration, parts)
    logger.info(
        "%s %.4f after %d iterations is the best so far: saved %s.",
        *(monitor.name, monitor.best, trainer.iteration, path),
    )


def _restore(
    run: Run, optimizer: torch.optim.Optimizer, scheduler: FactorScheduler, scaler: torch.amp.GradScaler | None
) -> int:
    """Puts back what a checkpoint holds besides the model, and returns the number of finished steps."""
    if run.parts is None:
        return 0
    load_optimizer_state(optimizer, run.parts["optimizer"])
    restore_fine_tuning(run)
    scheduler.load_state_dict(run.parts["scheduler"])
    if scaler and "scaler" in run.parts:
        scaler.load_state_dict(run.parts["scaler"])
    return int(run.parts["iteration"])


def restore_fine_tuning(run: Run) -> None:
    """Puts back what the checkpoint knows of what trains."""
    saved = (run.parts or {}).get("finetune")
    if saved is None:
        return
    assert run.parts is not None
    rows = compare_configs(run.parts["config"], run.cfg.dump())
    run.fine_tuning.load_state_dict(saved, [key for key, _, _ in rows if key.startswith("FINETUNE.")])
    if not run.fine_tuning.goes_on:  # --adjust-lr was given: otherwise another FINETUNE is refused
        logger.info(
            "FINETUNE has changed from here on (strategy %s, now %s): what it asks for by now takes place at once.",
            *(saved["strategy"], run.fine_tuning.name),
        )


def _wrapped(model: nn.Module, process: Process) -> nn.Module:
    if process.world_size == 1:
        return model
    return DistributedDataParallel(model, device_ids=[process.device] if process.pins_memory else None)
