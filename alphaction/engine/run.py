"""Training and testing: the order of events."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from alphaction.config.load import dump_cfg, option_keys
from alphaction.engine.assembly import Run, make_mean, make_monitor, make_trainer, prepare_run, save_best, save_run
from alphaction.engine.describe import describe_dry_run, describe_run, dry_run_needs_data
from alphaction.engine.ema import AverageWeights
from alphaction.engine.evaluation import OpenTestSet, evaluate, monitored_metric, open_test_sets
from alphaction.engine.finetuning import FinetunePhases
from alphaction.engine.flags import Flags
from alphaction.engine.hooks import Checkpoint, Evaluate, LogMetrics
from alphaction.engine.launch import launched, rank_from_env
from alphaction.engine.metrics_file import MetricsFile
from alphaction.engine.monitor import Monitor, check_monitoring, check_periods, evaluation_periods
from alphaction.engine.setup import (
    TrainingData,
    open_training_data,
    resolve_config,
)
from alphaction.engine.start import load_for_test
from alphaction.engine.trainer import Hook
from alphaction.utils.logger import setup_logger

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
    check_monitoring(resolved.cfg, flags)
    with launched(resolved.cfg.DEVICE) as process:
        run = prepare_run(resolved, flags, process)
        if flags.dry_run and not dry_run_needs_data(run):
            describe_dry_run(run, resolved.scaling, None)
            return
        data = open_training_data(run.cfg, run.task)
        if not flags.skip_val_in_train:
            check_periods(run.cfg, data.finetune_epoch, data.max_iter)
        test_sets = open_test_sets(run.cfg, run.task, process, data.dataset) if evaluates else []
        monitored = monitored_metric(run.cfg, run.task, test_sets)
        if flags.dry_run:
            describe_dry_run(run, resolved.scaling, data)
            return
        setup_logger(run.cfg.OUTPUT_DIR, process.rank)
        run.checkpointer.remove_leftovers()
        if process.rank == 0:
            dump_cfg(run.cfg, run.cfg.OUTPUT_DIR)
        describe_run(run, resolved.scaling, data)
        _train(run, data, test_sets, make_monitor(run, monitored))


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


def _train(run: Run, data: TrainingData, test_sets: Sequence[OpenTestSet], monitor: Monitor) -> None:
    solver, flags, output_dir = run.cfg.SOLVER, run.flags, Path(run.cfg.OUTPUT_DIR)
    trainer, mean = make_trainer(run, data), make_mean(run)
    file = MetricsFile(
        output_dir / "metrics.jsonl", trainer.iteration, output_dir / "tb" if flags.use_tfboard else None
    )

    def evaluate_after(iteration: int, is_final: bool) -> dict[str, float | None]:
        folder = output_dir / "inference" / ("" if is_final else f"iter_{iteration:07d}")
        limit = run.cfg.DATALOADER.MAX_BAD_VIDEOS
        with mean.in_place_of(run.model) if mean else nullcontext():
            return evaluate(test_sets, run.task, run.model, run.process.device, folder, limit)

    periods = [] if flags.skip_val_in_train else evaluation_periods(run.cfg, data.finetune_epoch)
    evaluation = Evaluate(
        periods=periods,
        evaluate=evaluate_after,
        file=file,
        monitor=monitor,
        save_best=(lambda: save_best(run, trainer, monitor, mean)) if solver.SAVE_BEST else None,
        patience=solver.EARLY_STOP_PATIENCE,
    )
    hooks: list[Hook] = [
        FinetunePhases(
            run.fine_tuning,
            epoch_iters=data.finetune_epoch,
            base_lr=solver.BASE_LR,
            metric_at=monitor.value_at,
            file=file,
            norms_period=solver.LOG_PERIOD if run.cfg.FINETUNE.LOG_GRAD_NORMS else 0,
        ),
        *([AverageWeights(mean, run.model)] if mean else []),
        LogMetrics(period=solver.LOG_PERIOD, epoch_length=data.epoch_length, file=file),
        Checkpoint(
            periods=[solver.CHECKPOINT_PERIOD, *periods],
            save=lambda is_final: save_run(run, trainer, monitor, mean, is_final=is_final),
        ),
        *([evaluation] if periods else []),
    ]
    trainer.hooks = hooks
    trainer.train()
    if not flags.skip_final_test:
        evaluation.final_test(trainer)
    file.close()
