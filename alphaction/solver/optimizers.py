"""The registered optimizers (SOLVER.OPTIMIZER)."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from alphaction.utils.registry import Registry

Groups = list[dict[str, Any]]

# Each builder takes (groups with their rates and decay, SOLVER node).
OPTIMIZERS: Registry[Callable[[Groups, Any], Optimizer]] = Registry("optimizer (SOLVER.OPTIMIZER)")


@OPTIMIZERS.register("sgd")
def _build_sgd(groups: Groups, solver: Any) -> Optimizer:
    return torch.optim.SGD(groups, lr=solver.BASE_LR, momentum=solver.MOMENTUM)


@OPTIMIZERS.register("adam")
def _build_adam(groups: Groups, solver: Any) -> Optimizer:
    return torch.optim.Adam(groups, lr=solver.BASE_LR, betas=tuple(solver.BETAS), eps=solver.EPSILON)


@OPTIMIZERS.register("adamw")
def _build_adamw(groups: Groups, solver: Any) -> Optimizer:
    return torch.optim.AdamW(groups, lr=solver.BASE_LR, betas=tuple(solver.BETAS), eps=solver.EPSILON)
