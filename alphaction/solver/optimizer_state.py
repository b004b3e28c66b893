"""Momentum and the like, put back by parameter name."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from alphaction.utils.errors import CheckpointError

_NAMED_AT_MOST = 5


def load_optimizer_state(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Restores what the optimizer remembers of each parameter; rates, decay and grouping stay as they were built.

    State is matched by the groups' ``names``, so the groups may have been cut differently when it was saved.

    Args:
        optimizer: of :func:`~alphaction.solver.build.build_optimizer`.
        saved: its ``state_dict()`` of an earlier run.

    Raises:
        CheckpointError: the saved optimizer holds other parameters, or has no names; nothing is changed then.
    """
    states = _states_by_name(saved)
    current = optimizer.state_dict()
    shapes = {
        name: parameter.shape
        for group in optimizer.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
    }
    _check_same_parameters(states, shapes)
    current["state"] = {
        index: states[name]
        for group in current["param_groups"]
        for index, name in zip(group["params"], group["names"], strict=True)
        if states[name]
    }
    optimizer.load_state_dict(current)


def _states_by_name(saved: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    groups = saved.get("param_groups", ())
    if not groups or any("names" not in group for group in groups):
        raise CheckpointError(
            "The saved optimizer does not name its parameters: another program wrote it, so a run cannot go on from "
            "it. Start a new run from its weights: --transfer with MODEL.WEIGHT set to the file and another OUTPUT_DIR."
        )
    return {
        name: saved["state"].get(index, {})
        for group in groups
        for index, name in zip(group["params"], group["names"], strict=True)
    }


def _check_same_parameters(states: Mapping[str, Mapping[str, Any]], shapes: Mapping[str, torch.Size]) -> None:
    reshaped = [
        name
        for name in states.keys() & shapes.keys()
        for value in states[name].values()
        if isinstance(value, torch.Tensor) and value.dim() and value.shape != shapes[name]
    ]
    found = {
        "only in the checkpoint": states.keys() - shapes.keys(),
        "only in this run": shapes.keys() - states.keys(),
        "of another shape": set(reshaped),
    }
    if any(found.values()):
        lines = [f"  {what}: {_some(names)}" for what, names in found.items() if names]
        raise CheckpointError(
            "The saved optimizer holds other parameters than this run:\n" + "\n".join(lines) + "\n"
            "Resume with the model settings of that run (FROZEN_BN decides whether batch norms have parameters), "
            "or start a new run with --transfer and another OUTPUT_DIR."
        )


def _some(names: set[str]) -> str:
    listed = sorted(names)
    more = len(listed) - _NAMED_AT_MOST
    return ", ".join(listed[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
