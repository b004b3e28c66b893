"""The optimizer, its learning rates and their schedule."""

from alphaction.solver.build import build_optimizer, build_scheduler
from alphaction.solver.describe import describe_solver
from alphaction.solver.lr_scheduler import FactorScheduler
from alphaction.solver.optimizer_state import load_optimizer_state
from alphaction.solver.optimizers import OPTIMIZERS
from alphaction.solver.schedules import METRIC_SCHEDULES, SCHEDULERS, Span

__all__ = [
    "METRIC_SCHEDULES",
    "OPTIMIZERS",
    "SCHEDULERS",
    "FactorScheduler",
    "Span",
    "build_optimizer",
    "build_scheduler",
    "describe_solver",
    "load_optimizer_state",
]
