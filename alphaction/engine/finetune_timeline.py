"""The epochs of a fine-tuning run before it is run."""

from collections.abc import Sequence

from alphaction.engine.finetune_report import parameter_counts, unit_lr
from alphaction.engine.finetuning import enter_epoch
from alphaction.finetune import Event, FineTuning
from alphaction.solver import FactorScheduler
from alphaction.utils.logger import format_table

_MOST_ROWS = 60
# What is shown of the metric where nobody has seen it: the first value is an improvement, no other one is.
_FIRST_METRIC = 1.0


def describe_timeline(
    fine_tuning: FineTuning,
    scheduler: FactorScheduler,
    *,
    epoch_iters: int,
    max_iter: int,
    base_lr: float,
    start: int = 0,
    eval_periods: Sequence[int] = (),
    last_metric: float | None = None,
    evaluated_at: int = -1,
) -> str:
    """Returns a row for each epoch: what is released, the parameters that train, and the rates at its start.

    The fine-tuning and the schedule are run through for it, and are of no use afterwards. A metric is taken to stand
    still after its first value, or after the last one of the run that goes on.

    Args:
        fine_tuning: as a run would begin with it.
        scheduler: likewise.
        epoch_iters: length of an epoch of fine-tuning, in iterations.
        max_iter: of the run.
        base_lr: SOLVER.BASE_LR.
        start: iteration at which the run goes on.
        eval_periods: iterations between evaluations that the schedule may look at.
        last_metric: of the run that goes on.
        evaluated_at: iteration of its last evaluation.
    """
    metric = _FIRST_METRIC if last_metric is None else last_metric
    seen = max(evaluated_at, start - 1, 0)
    rows = []
    first, end = start // epoch_iters, -(-max_iter // epoch_iters)
    num_epochs = max(end - first, 0)
    for epoch in range(first, end):
        iteration = max(epoch * epoch_iters, start)
        _evaluate(scheduler, range(seen + 1, iteration + 1), eval_periods, metric)
        seen = max(seen, iteration)
        scheduler.jump_to(iteration)
        event = enter_epoch(fine_tuning, scheduler, iteration, epoch_iters, lambda _: metric)
        event = event or Event(fine_tuning.trained, (), (), ())
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


def _evaluate(scheduler: FactorScheduler, iterations: range, periods: Sequence[int], metric: float) -> None:
    """Tells the schedule the metric at those of the iterations that end one of the periods."""
    for iteration in iterations:
        if scheduler.needs_metric and any(iteration % period == 0 for period in periods):
            scheduler.jump_to(iteration)
            scheduler.report(metric)


def _rates(fine_tuning: FineTuning, scheduler: FactorScheduler, base_lr: float) -> tuple[str, str]:
    """Returns the rates of the heads and of the trained backbone, as one number or from the first unit to the last."""
    layout = fine_tuning.layout
    texts = []
    for names in (layout.heads, layout.backbone):
        rates = [unit_lr(scheduler, name, base_lr) for name in names if name in fine_tuning.trained]
        shown = [f"{rate:.3g}" for rate in rates]
        texts.append("-" if not shown else shown[0] if len(set(shown)) == 1 else f"{shown[0]} .. {shown[-1]}")
    return texts[0], texts[1]
