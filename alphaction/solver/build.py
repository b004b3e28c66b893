"""Optimizer and schedule from the config."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from alphaction.solver.lr_scheduler import FactorScheduler, half_period_cosine, warmup_multi_step
from alphaction.solver.param_groups import GroupRates, make_param_groups
from alphaction.utils.registry import Registry

LrFactor = Callable[[int], float]

# Each builder takes (SOLVER node, total iterations) and returns the factor of an iteration.
SCHEDULERS: Registry[Callable[[Any, int], LrFactor]] = Registry("schedule (SOLVER.SCHEDULER)")


def build_optimizer(cfg: Any, model: nn.Module) -> torch.optim.SGD:
    """Returns SGD with momentum over every parameter of ``model``; see :func:`make_param_groups`."""
    solver = cfg.SOLVER
    rates = GroupRates(
        base_lr=solver.BASE_LR,
        weight_decay=solver.WEIGHT_DECAY,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
        weight_decay_bn=solver.WEIGHT_DECAY_BN,
        interaction_lr_factor=solver.IA_LR_FACTOR,
    )
    return torch.optim.SGD(make_param_groups(model, rates), lr=solver.BASE_LR, momentum=solver.MOMENTUM)


def build_scheduler(cfg: Any, optimizer: torch.optim.Optimizer, max_iter: int | None = None) -> FactorScheduler:
    """Returns the schedule SOLVER.SCHEDULER names, with the rates of iteration 0 set.

    Args:
        cfg: the config.
        optimizer: whose groups follow the schedule.
        max_iter: length of the run in iterations, where the data decide it; None takes SOLVER.MAX_ITER.

    Raises:
        UserError: unknown SOLVER.SCHEDULER; the message offers the nearest name.
    """
    solver = cfg.SOLVER
    make_factor = SCHEDULERS.get(solver.SCHEDULER)
    return FactorScheduler(optimizer, make_factor(solver, max_iter or solver.MAX_ITER))


@SCHEDULERS.register("warmup_multi_step")
def _build_warmup_multi_step(solver: Any, max_iter: int) -> LrFactor:
    steps = tuple(solver.STEPS)
    return partial(warmup_multi_step, milestones=steps, gamma=solver.GAMMA, **_warmup(solver))


@SCHEDULERS.register("half_period_cosine")
def _build_half_period_cosine(solver: Any, max_iter: int) -> LrFactor:
    return partial(half_period_cosine, max_iters=max_iter, **_warmup(solver))


def _warmup(solver: Any) -> dict[str, Any]:
    return {
        "warmup_iters": solver.WARMUP_ITERS if solver.WARMUP_ON else 0,
        "warmup_factor": solver.WARMUP_FACTOR,
        "warmup_method": solver.WARMUP_METHOD,
    }
