"""The epochs of a fine-tuning run before it is run."""

from alphaction.engine.finetune_report import parameter_counts, unit_lr
from alphaction.engine.finetuning import begin_epoch
from alphaction.finetune import FineTuning
from alphaction.solver import FactorScheduler
from alphaction.utils.logger import format_table

_MOST_ROWS = 60
# What a strategy that looks at a metric is shown at every epoch: the first value is an improvement, no other one is.
_STANDS_STILL = 1.0


def describe_timeline(
    fine_tuning: FineTuning, scheduler: FactorScheduler, *, epoch_iters: int, max_iter: int, base_lr: float
) -> str:
    """Returns a row for each epoch: what is released, the parameters that train, and the rates at its start.

    The fine-tuning and the schedule are run through for it, and are of no use afterwards. A metric is taken to stand
    still after its first value.
    """
    rows = []
    num_epochs = -(-max_iter // epoch_iters)
    for epoch in range(num_epochs):
        iteration = epoch * epoch_iters
        scheduler.jump_to(iteration)
        event = begin_epoch(fine_tuning, scheduler, epoch, iteration, lambda _: _STANDS_STILL)
        is_shown = num_epochs <= _MOST_ROWS or event.is_change or epoch in (0, num_epochs - 1)
        if is_shown:
            changes = [f"+{name}" for name in event.released] + [f"-{name}" for name in event.frozen]
            counts = parameter_counts(fine_tuning)
            rows.append(
                (
                    epoch,
                    iteration,
                    " ".join(changes if epoch else event.trained),
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


def _rates(fine_tuning: FineTuning, scheduler: FactorScheduler, base_lr: float) -> tuple[str, str]:
    """Returns the rates of the heads and of the trained backbone, as one number or from the first unit to the last."""
    layout = fine_tuning.layout
    texts = []
    for names in (layout.heads, layout.backbone):
        rates = [unit_lr(scheduler, name, base_lr) for name in names if name in fine_tuning.trained]
        shown = [f"{rate:.3g}" for rate in rates]
        texts.append("-" if not shown else shown[0] if len(set(shown)) == 1 else f"{shown[0]} .. {shown[-1]}")
    return texts[0], texts[1]
