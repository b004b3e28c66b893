"""Training and testing: the order of events."""

import logging
from collections.abc import Sequence
from pathlib import Path

from alphaction.config.load import changed_keys, dump_cfg, option_keys
from alphaction.engine.assembly import Run, make_trainer, prepare_run, save_run
from alphaction.engine.evaluation import OpenTestSet, evaluate, open_test_sets
from alphaction.engine.flags import Flags
from alphaction.engine.hooks import Checkpoint, Evaluate, LogMetrics, MetricsFile
from alphaction.engine.launch import launched, rank_from_env
from alphaction.engine.setup import (
    TrainingData,
    describe_parameters,
    describe_schedule,
    open_training_data,
    resolve_config,
)
from alphaction.engine.start import load_for_test
from alphaction.engine.trainer import Hook
from alphaction.utils.env import describe_environment
from alphaction.utils.logger import format_table, setup_logger

logger = logging.getLogger(__name__)


def train(flags: Flags) -> None:
    """Trains what the flags say, from where an earlier start of the same command stopped.

    Raises:
        UserError: config, data, weights or folder cannot be used.
        Interrupted: the run was stopped and has been saved.
    """
    setup_logger(None, rank_from_env())
    evaluates = not (flags.skip_val_in_train and flags.skip_final_test)
    resolved = resolve_config(flags, needs=("TRAIN", "TEST") if evaluates else ("TRAIN",), trains=True)
    with launched(resolved.cfg.DEVICE) as process:
        run = prepare_run(resolved, flags, process)
        if flags.dry_run:
            _describe(run, resolved.scaling, run.cfg.SOLVER.MAX_ITER)
            logger.info("Dry run: the videos and annotations were not read, nothing was trained or written.")
            return
        data = open_training_data(run.cfg, run.task)
        test_sets = open_test_sets(run.cfg, run.task, process) if evaluates else []
        setup_logger(run.cfg.OUTPUT_DIR, process.rank)
        run.checkpointer.remove_leftovers()
        if process.rank == 0:
            dump_cfg(run.cfg, run.cfg.OUTPUT_DIR)
        _describe(run, resolved.scaling, data.max_iter)
        _train(run, data, test_sets)


def test(flags: Flags) -> None:
    """Evaluates a trained model on DATASETS.TEST.

    Raises:
        UserError: config, data or weights cannot be used.
    """
    setup_logger(None, rank_from_env())
    resolved = resolve_config(flags, needs=("TEST",))
    cfg = resolved.cfg
    with launched(cfg.DEVICE) as process:
        task = resolved.task_class.from_cfg(cfg)
        model = task.build_model(cfg)
        load_for_test(cfg, task, model, is_typed="MODEL.WEIGHT" in option_keys(flags.opts))
        test_sets = open_test_sets(cfg, task, process)
        setup_logger(cfg.OUTPUT_DIR, process.rank)
        folder = Path(cfg.OUTPUT_DIR) / "inference"
        model = model.to(process.device)
        evaluate(test_sets, task, model, process.device, folder, cfg.DATALOADER.MAX_BAD_VIDEOS)


def _train(run: Run, data: TrainingData, test_sets: Sequence[OpenTestSet]) -> None:
    solver, flags, output_dir = run.cfg.SOLVER, run.flags, Path(run.cfg.OUTPUT_DIR)
    trainer = make_trainer(run, data)
    if trainer.iteration >= data.max_iter:
        logger.warning("All %d iterations are finished: raise SOLVER.MAX_ITER to train longer.", data.max_iter)
    file = MetricsFile(
        output_dir / "metrics.jsonl", trainer.iteration, output_dir / "tb" if flags.use_tfboard else None
    )

    def evaluate_after(iteration: int) -> dict[str, float | None]:
        is_last = iteration == data.max_iter
        folder = output_dir / "inference" / ("" if is_last else f"iter_{iteration:07d}")
        limit = run.cfg.DATALOADER.MAX_BAD_VIDEOS
        return evaluate(test_sets, run.task, run.model, run.process.device, folder, limit)

    hooks: list[Hook] = [
        LogMetrics(period=solver.LOG_PERIOD, epoch_length=data.epoch_length, file=file),
        Checkpoint(
            periods=[solver.CHECKPOINT_PERIOD, *([] if flags.skip_val_in_train else [solver.EVAL_PERIOD])],
            save=lambda is_final: save_run(run, trainer, is_final=is_final),
        ),
    ]
    if not flags.skip_val_in_train:
        hooks.append(Evaluate(period=solver.EVAL_PERIOD, evaluate=evaluate_after, file=file))
    trainer.hooks = hooks
    trainer.train()
    if not flags.skip_final_test:
        file.write("eval", trainer.iteration, evaluate_after(trainer.iteration))
    file.close()


def _describe(run: Run, scaling: str, max_iter: int) -> None:
    logger.info("Environment:\n%s", describe_environment())
    changed = format_table(("key", "value"), [(key, str(value)) for key, value in changed_keys(run.cfg).items()])
    logger.info("Config where it is not the default (config.yaml has all of it):\n%s", changed)
    if scaling:
        logger.info("%s", scaling)
    logger.info("Schedule: %s", describe_schedule(run.cfg, max_iter))
    logger.info("Model:\n%s", describe_parameters(run.task, run.model))
