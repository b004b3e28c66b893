"""What a schedule has set in its optimizer."""

from alphaction.solver import FactorScheduler


def rates_of(scheduler: FactorScheduler) -> list[float]:
    """Returns the rate now in force for each group."""
    return [group["lr"] for group in scheduler.optimizer.param_groups]
