"""Optimizer and schedule from the config."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from alphaction.solver.lr_scheduler import FactorScheduler
from alphaction.solver.optimizers import OPTIMIZERS
from alphaction.solver.param_groups import GroupRates, make_param_groups
from alphaction.solver.schedules import METRIC_SCHEDULES, SCHEDULERS, Span, build_warm_up
from alphaction.structures.unit import Unit
from alphaction.utils.plateau import Plateau


def build_optimizer(cfg: Any, model: nn.Module, units: Sequence[Unit] = ()) -> Optimizer:
    """Returns SOLVER.OPTIMIZER over every parameter of ``model``; see :func:`make_param_groups`.

    Args:
        cfg: the config.
        model: what is trained.
        units: its units from input to head, whose rates may be set apart later; () makes one of the whole model.

    Raises:
        UserError: unknown SOLVER.OPTIMIZER; the message offers the nearest name.
    """
    solver = cfg.SOLVER
    build = OPTIMIZERS.get(solver.OPTIMIZER)
    rates = GroupRates(
        base_lr=solver.BASE_LR,
        weight_decay=solver.WEIGHT_DECAY,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
        weight_decay_bn=solver.WEIGHT_DECAY_BN,
        interaction_lr_factor=solver.IA_LR_FACTOR,
    )
    return build(make_param_groups(model, rates, units), solver)


def build_scheduler(
    cfg: Any, optimizer: Optimizer, max_iter: int | None = None, epoch_length: int = 0
) -> FactorScheduler:
    """Returns the schedule SOLVER.SCHEDULER names, with the rates of iteration 0 set.

    Args:
        cfg: the config.
        optimizer: whose groups follow the schedule.
        max_iter: length of the run in iterations, where the data decide it; None takes SOLVER.MAX_ITER.
        epoch_length: iterations of an epoch of the training data, for lengths the config gives in epochs.

    Raises:
        UserError: unknown SOLVER.SCHEDULER; the message offers the nearest name.
        ConfigError: the schedule needs the length of an epoch, and there is none.
    """
    solver = cfg.SOLVER
    return FactorScheduler(
        optimizer,
        partial(SCHEDULERS.get(solver.SCHEDULER), solver),
        Span(0, max_iter or solver.MAX_ITER, epoch_length),
        make_warm_up=partial(build_warm_up, solver),
        plateau=_make_plateau(solver) if solver.SCHEDULER in METRIC_SCHEDULES else None,
    )


def _make_plateau(solver: Any) -> Plateau:
    return Plateau(
        patience=solver.PLATEAU_PATIENCE + 1,
        min_improvement=solver.PLATEAU_MIN_DELTA,
        smaller_is_better=solver.MONITOR_MODE == "min",
        metric=solver.MONITOR,
    )
