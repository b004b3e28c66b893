"""The optimizer, its learning rates and their schedule."""

from alphaction.solver.build import build_optimizer, build_scheduler
from alphaction.solver.lr_scheduler import FactorScheduler
from alphaction.solver.optimizer_state import load_optimizer_state

__all__ = ["FactorScheduler", "build_optimizer", "build_scheduler", "load_optimizer_state"]
