"""What a run is going to do, in the log."""

import logging

from alphaction.config.load import changed_keys
from alphaction.engine.assembly import Run, make_solver
from alphaction.engine.finetune_timeline import describe_timeline
from alphaction.engine.setup import describe_parameters, describe_schedule, open_training_data
from alphaction.finetune import needs_epoch_metric
from alphaction.utils.env import describe_environment
from alphaction.utils.logger import format_table
from alphaction.utils.words import counted

logger = logging.getLogger(__name__)


def describe_run(run: Run, scaling: str, max_iter: int) -> None:
    """Logs the environment, the config, the schedule and the model.

    Args:
        run: before its first step.
        scaling: what the linear rule did to the schedule, "" for nothing.
        max_iter: length of the run.
    """
    logger.info("Environment:\n%s", describe_environment())
    changed = format_table(("key", "value"), [(key, str(value)) for key, value in changed_keys(run.cfg).items()])
    logger.info("Config where it is not the default (config.yaml has all of it):\n%s", changed)
    if scaling:
        logger.info("%s", scaling)
    logger.info("Schedule: %s", describe_schedule(run.cfg, max_iter))
    logger.info("Model:\n%s", describe_parameters(run.task, run.model))


def describe_dry_run(run: Run, scaling: str) -> None:
    """Logs what a training would begin with, and its epochs if parts of the model are frozen in some of them.

    Raises:
        UserError: the annotations of the training sets, whose number of clips makes an epoch, cannot be used.
    """
    fine_tuning, base_lr = run.fine_tuning, run.cfg.SOLVER.BASE_LR
    if fine_tuning.name == "none":
        describe_run(run, scaling, run.cfg.SOLVER.MAX_ITER)
        logger.info("Dry run: the videos and annotations were not read, nothing was trained or written.")
        return
    data = open_training_data(run.cfg, run.task)
    describe_run(run, scaling, data.max_iter)
    _, scheduler = make_solver(run, data)
    timeline = describe_timeline(
        fine_tuning, scheduler, epoch_iters=data.finetune_epoch, max_iter=data.max_iter, base_lr=base_lr
    )
    assumed = ", if the monitored metric stands still after its first value" if needs_epoch_metric(run.cfg) else ""
    tag = fine_tuning.name.upper()
    logger.info("[%s] Epochs of %s%s:\n%s", tag, counted(data.finetune_epoch, "iteration"), assumed, timeline)
    logger.info("Dry run: the videos were not read, nothing was trained or written.")
