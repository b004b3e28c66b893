"""Which parts of a model train at what time and how fast."""

from alphaction.finetune import strategies
from alphaction.finetune.control import Event, FineTuning, build_fine_tuning, needs_epoch_metric, planned_epochs
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.strategies.base import STRATEGIES, Strategy
from alphaction.utils.registry import import_submodules

import_submodules(strategies)

__all__ = [
    "STRATEGIES",
    "Clock",
    "Event",
    "FineTuning",
    "FreezePlan",
    "Strategy",
    "build_fine_tuning",
    "needs_epoch_metric",
    "planned_epochs",
]
