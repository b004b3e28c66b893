"""The epochs of a fine-tuning run before it is run."""

from alphaction.engine.finetune_report import parameter_counts, unit_lr
from alphaction.engine.finetuning import begin_epoch
from alphaction.finetune import Event, FineTuning
from alphaction.solver import FactorScheduler
from alphaction.utils.logger import format_table

_MOST_ROWS = 60
# What a strategy that looks at a metric is shown at every epoch: the first value is an improvement, no other one is.
_STANDS_STILL = 1.0


def describe_timeline(
    fine_tuning: FineTuning,
    scheduler: FactorScheduler,
    *,
    epoch_iters: int,
    max_iter: int,
    base_lr: float,
    start: int = 0,
) -> str:
    """Returns a row for each epoch: what is released, the parameters that train, and the rates at its start.

    The fine-tuning and the schedule are run through for it, and are of no use afterwards. A metric is taken to stand
    still after its first value.

    Args:
        fine_tuning: as a run would begin with it.
        scheduler: likewise.
        epoch_iters: length of an epoch of fine-tuning, in iterations.
        max_iter: of the run.
        base_lr: SOLVER.BASE_LR.
        start: iteration at which the run goes on.
    """
    rows = []
    first, end = start // epoch_iters, -(-max_iter // epoch_iters)
    num_epochs = max(end - first, 0)
    for epoch in range(first, end):
        iteration = max(epoch * epoch_iters, start)
        scheduler.jump_to(iteration)
        event = _enter(fine_tuning, scheduler, epoch, iteration, goes_on=iteration > epoch * epoch_iters)
        is_shown = num_epochs <= _MOST_ROWS or event.is_change or epoch in (first, end - 1)
        if is_shown:
            shortest = fine_tuning.layout.shortest
            changes = [f"+{name}" for name in shortest(event.released)] + [
                f"-{name}" for name in shortest(event.frozen)
            ]
            counts = parameter_counts(fine_tuning)
            rows.append(
                (
                    epoch,
                    iteration,
                    " ".join(changes if epoch > first else [*shortest(event.trained), *changes]),
                    f"{counts['total_trainable']:,}",
                    f"{counts['backbone_trainable']:,}",
                    *_rates(fine_tuning, scheduler, base_lr),
                )
            )
    left_out = num_epochs - len(rows)
    table = format_table(
        (
            "epoch",
            "iteration",
            "trains (+ released, - frozen)",
            "trainable",
            "of the backbone",
            "lr head",
            "lr backbone",
        ),
        rows,
    )
    return table + (f"\n({left_out} epochs in which nothing is released are left out)" if left_out else "")


def _enter(fine_tuning: FineTuning, scheduler: FactorScheduler, epoch: int, iteration: int, *, goes_on: bool) -> Event:
    """Returns what happens at ``iteration``; within an epoch nothing does, unless the settings have changed."""
    if not (goes_on and fine_tuning.goes_on):
        return begin_epoch(fine_tuning, scheduler, epoch, iteration, lambda _: _STANDS_STILL)
    fine_tuning.apply()
    scheduler.set_units(fine_tuning.rates())
    return Event(fine_tuning.trained, (), (), ())


def _rates(fine_tuning: FineTuning, scheduler: FactorScheduler, base_lr: float) -> tuple[str, str]:
    """Returns the rates of the heads and of the trained backbone, as one number or from the first unit to the last."""
    layout = fine_tuning.layout
    texts = []
    for names in (layout.heads, layout.backbone):
        rates = [unit_lr(scheduler, name, base_lr) for name in names if name in fine_tuning.trained]
        shown = [f"{rate:.3g}" for rate in rates]
        texts.append("-" if not shown else shown[0] if len(set(shown)) == 1 else f"{shown[0]} .. {shown[-1]}")
    return texts[0], texts[1]
