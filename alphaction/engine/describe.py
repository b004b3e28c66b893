"""What a run is going to do, in the log."""

import logging

from alphaction.config.load import changed_keys
from alphaction.engine.assembly import Run, make_solver, restore_fine_tuning
from alphaction.engine.finetune_timeline import describe_timeline
from alphaction.engine.monitor import evaluation_periods, keys_that_look, learning_follows_metric
from alphaction.engine.setup import TrainingData, describe_parameters, describe_schedule
from alphaction.finetune import planned_epochs
from alphaction.utils.env import describe_environment
from alphaction.utils.logger import format_table
from alphaction.utils.words import counted

logger = logging.getLogger(__name__)


def describe_run(run: Run, scaling: str, data: TrainingData | None) -> None:
    """Logs the environment, the config, the schedule and the model, and warns of what will not come about.

    Args:
        run: before its first step.
        scaling: what the linear rule did to the schedule, "" for nothing.
        data: of the training; None where nobody has read it.
    """
    max_iter = data.max_iter if data else run.cfg.SOLVER.MAX_ITER
    logger.info("Environment:\n%s", describe_environment())
    changed = format_table(("key", "value"), [(key, str(value)) for key, value in changed_keys(run.cfg).items()])
    logger.info("Config where it is not the default (config.yaml has all of it):\n%s", changed)
    if scaling:
        logger.info("%s", scaling)
    logger.info("Schedule: %s", describe_schedule(run.cfg, max_iter))
    factors = {name: rate.factor for name, rate in run.fine_tuning.rates().items()}
    logger.info("Model:\n%s", describe_parameters(run.fine_tuning.layout.units, factors))
    _warn_of_end(run, max_iter, data.finetune_epoch if data else 0)


def dry_run_needs_data(run: Run) -> bool:
    """Returns whether a dry run has to read annotations: for the length of an epoch, or the name of a metric."""
    solver = run.cfg.SOLVER
    decays_by_epoch = solver.SCHEDULER == "exponential" and not solver.DECAY_ITERS
    speaks_of_epochs = run.fine_tuning.name != "none" or solver.MAX_EPOCHS or solver.STEP_EPOCHS or decays_by_epoch
    return bool(speaks_of_epochs or keys_that_look(run.cfg)) or run.parts is not None


def describe_dry_run(run: Run, scaling: str, data: TrainingData | None) -> None:
    """Logs what a training would begin with, and its epochs where its data are open."""
    fine_tuning, base_lr = run.fine_tuning, run.cfg.SOLVER.BASE_LR
    describe_run(run, scaling, data)
    if data is None:
        logger.info("Dry run: the videos and annotations were not read, nothing was trained or written.")
        return
    _, scheduler = make_solver(run, data)
    start, monitored = 0, {}
    if run.parts is not None:
        start, monitored = int(run.parts["iteration"]), run.parts.get("monitor", {})
        restore_fine_tuning(run)
        scheduler.load_state_dict(run.parts["scheduler"])
    follows_metric = learning_follows_metric(run.cfg)
    if start < data.max_iter:
        timeline = describe_timeline(
            fine_tuning,
            scheduler,
            epoch_iters=data.finetune_epoch,
            start=start,
            max_iter=data.max_iter,
            base_lr=base_lr,
            eval_periods=evaluation_periods(run.cfg, data.finetune_epoch) if follows_metric else (),
            last_metric=monitored.get("last"),
            evaluated_at=monitored.get("last_iteration", -1),
        )
        assumed = ", if the monitored metric stands still after its first value" if follows_metric else ""
        tag = fine_tuning.name.upper()
        logger.info("[%s] Epochs of %s%s:\n%s", tag, counted(data.finetune_epoch, "iteration"), assumed, timeline)
    logger.info("Dry run: the videos were not read, nothing was trained or written.")


def _warn_of_end(run: Run, max_iter: int, finetune_epoch: int) -> None:
    """Warns of a run that has nothing left to do, or ends before it has done what the config says."""
    if run.parts is not None and int(run.parts["iteration"]) >= max_iter:
        key = "SOLVER.MAX_EPOCHS" if run.cfg.SOLVER.MAX_EPOCHS else "SOLVER.MAX_ITER"
        key = f"the epochs of FINETUNE.STRATEGY {run.fine_tuning.name}" if planned_epochs(run.cfg) else key
        logger.warning("All %d iterations are finished: raise %s to train longer.", max_iter, key)
        return
    solver, strategy = run.cfg.SOLVER, run.fine_tuning.strategy
    has_one_warm_up = run.cfg.FINETUNE.RESTART_SCHEDULE == "none" and not planned_epochs(run.cfg)
    if has_one_warm_up and solver.WARMUP_ON and solver.WARMUP_ITERS >= max_iter and solver.SCHEDULER != "one_cycle":
        logger.warning(
            "The run of %d iterations ends within its warm-up of %d: the learning rate never reaches what is asked "
            "for. Lower SOLVER.WARMUP_ITERS.",
            *(max_iter, solver.WARMUP_ITERS),
        )
    due = strategy.due_by() * finetune_epoch
    if due >= max_iter:
        logger.warning(
            "The run ends after %d iterations, before FINETUNE.STRATEGY %s has done what its keys say: epoch %d would "
            "begin at iteration %d.",
            *(max_iter, run.fine_tuning.name, strategy.due_by(), due),
        )
