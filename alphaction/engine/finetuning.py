"""Fine-tuning while a run goes on: the start of each of its epochs, and what the gradients then look like."""

import logging
from collections.abc import Callable

from torch import nn

from alphaction.engine.finetune_report import parameter_counts, parameter_line, parameter_table, unit_lr
from alphaction.engine.metrics_file import MetricsFile
from alphaction.engine.trainer import Hook, Trainer
from alphaction.finetune import Clock, Event, FineTuning
from alphaction.solver import FactorScheduler
from alphaction.utils.comm import all_gather_objects

logger = logging.getLogger(__name__)

_NAMED_AT_MOST = 5


class FinetunePhases(Hook):
    """Asks for a plan at the start of each epoch of fine-tuning, and sees to it that it is kept.

    Args:
        fine_tuning: of the model, with what a checkpoint remembers of it.
        epoch_iters: length of its epochs in iterations.
        base_lr: SOLVER.BASE_LR.
        metric_at: returns the monitored metric of the evaluation after so many iterations, None without one.
        file: gets a line at each epoch.
        norms_period: iterations between lines with the norm of each unit's gradients, 0 for none.
    """

    def __init__(
        self,
        fine_tuning: FineTuning,
        *,
        epoch_iters: int,
        base_lr: float,
        metric_at: Callable[[int], float | None],
        file: MetricsFile,
        norms_period: int = 0,
    ) -> None:
        self._fine_tuning, self._epoch_iters, self._base_lr = fine_tuning, epoch_iters, base_lr
        self._metric_at, self._file, self._norms_period = metric_at, file, norms_period
        self._has_entered = False
        self._checks_gradients = False

    def before_train(self, trainer: Trainer) -> None:
        if trainer.iteration % self._epoch_iters:
            self._enter_epoch(trainer)  # elsewhere the first step does

    def before_step(self, trainer: Trainer) -> None:
        if trainer.iteration % self._epoch_iters == 0:
            self._enter_epoch(trainer)

    def on_train_mode(self, trainer: Trainer) -> None:
        self._fine_tuning.set_modes()

    def after_step(self, trainer: Trainer) -> None:
        if self._checks_gradients:
            self._checks_gradients = False
            _check_gradients(trainer)
        if self._norms_period and trainer.iteration % self._norms_period == 0:
            self._file.write("gradients", trainer.iteration, _gradient_norms(self._fine_tuning))

    def _enter_epoch(self, trainer: Trainer) -> None:
        is_first = not self._has_entered
        event = enter_epoch(self._fine_tuning, trainer.scheduler, trainer.iteration, self._epoch_iters, self._metric_at)
        if is_first or (event and event.is_change):
            self._enter(trainer)
        if event:
            self._report(trainer, trainer.iteration // self._epoch_iters, event, is_first)

    def _enter(self, trainer: Trainer) -> None:
        trainer.wrap()
        trainer.enter_train_mode()
        self._has_entered = True
        self._checks_gradients = True

    def _report(self, trainer: Trainer, epoch: int, event: Event, is_first: bool) -> None:
        fine_tuning, tag = self._fine_tuning, f"[{self._fine_tuning.name.upper()}]"
        for what, names in (("Unfroze", event.released), ("Froze", event.frozen)):
            for name in names:
                count = fine_tuning.layout.num_parameters([name])
                logger.info("%s Epoch %d: %s %s (%s parameters)", tag, epoch, what, name, f"{count:,}")
        if fine_tuning.name == "none" and not (is_first or event.is_change):  # the schedule alone changes something
            logger.info("[PARAMS] Epoch %d: %s", epoch, parameter_line(fine_tuning))
            return
        for note in event.notes:
            logger.info("%s %s", tag, note)
        scheduler = trainer.scheduler
        logger.info("[PARAMS] Epoch %d:\n%s", epoch, parameter_table(fine_tuning, scheduler, self._base_lr))
        if fine_tuning.name == "none" and not event.is_change:
            return
        if is_first or event.released:
            _warn_of_stored_norms(fine_tuning)
        counts = parameter_counts(fine_tuning)
        values: dict[str, float | str | None] = {
            "epoch": epoch,
            "trained": " ".join(event.trained),
            "released": " ".join(event.released),
        }
        values |= {f"parameters_{name}": count for name, count in counts.items()}
        values |= {f"lr/{name}": unit_lr(scheduler, name, self._base_lr) for name in event.trained}
        self._file.write("finetune", trainer.iteration, values)


def enter_epoch(
    fine_tuning: FineTuning,
    scheduler: FactorScheduler,
    iteration: int,
    epoch_iters: int,
    metric_at: Callable[[int], float | None],
) -> Event | None:
    """Returns what the epoch brings that ``iteration`` lies in; gradients and rates are set, modes are not.

    Within an epoch of a run that goes on with the settings it had, that is nothing new: None.
    """
    epoch, is_within = divmod(iteration, epoch_iters)
    if is_within and fine_tuning.goes_on:
        fine_tuning.apply()
        scheduler.set_units(fine_tuning.rates())
        return None
    scheduler.set_units(fine_tuning.rates())
    layout = fine_tuning.layout
    last = (layout.heads or layout.names)[-1]
    clock = Clock(epoch, metric_at(iteration) if iteration else None, scheduler.unit_rate(last))
    event = fine_tuning.begin_epoch(clock, iteration)
    scheduler.set_units(fine_tuning.rates())
    return event


def _warn_of_stored_norms(fine_tuning: FineTuning) -> None:
    count = fine_tuning.num_stored_norms()
    if count:
        logger.info(
            "%d batch norms of the parts that train keep their statistics and weights: MODEL.BACKBONE.FROZEN_BN is "
            "True.",
            count,
        )


def _check_gradients(trainer: Trainer) -> None:
    """Warns of parameters that train without a gradient on any process, and of frozen ones that have one."""
    named = list(trainer.model.named_parameters())
    with_gradient = {
        name for names in all_gather_objects([n for n, p in named if p.grad is not None]) for name in names
    }
    idle = [name for name, parameter in named if parameter.requires_grad and name not in with_gradient]
    moved = [name for name, parameter in named if not parameter.requires_grad and name in with_gradient]
    if idle:
        logger.warning("%d parameters train but have no gradient in this step: %s.", len(idle), _some(idle))
    if moved:
        logger.warning("%d parameters are frozen but have a gradient: %s.", len(moved), _some(moved))


def _gradient_norms(fine_tuning: FineTuning) -> dict[str, float | str | None]:
    """Returns the norm of the gradients of each unit that trains, as the step of the optimizer saw them."""
    norms: dict[str, float | str | None] = {}
    for unit in fine_tuning.layout.units:
        gradients = [p.grad for p in unit.parameters() if p.grad is not None]
        if gradients:
            norms[f"grad_norm/{unit.name}"] = nn.utils.get_total_norm(gradients).item()
    return norms


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
