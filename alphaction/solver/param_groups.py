"""Which learning rate and weight decay each parameter gets."""

from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

# Every parameter below a module of this name belongs to the interaction structure.
_INTERACTION = "ia_structure"


@dataclass(frozen=True, slots=True)
class GroupRates:
    """The numbers the rules are made of.

    Attributes:
        base_lr: rate of ordinary weights at factor 1.
        weight_decay: of ordinary weights.
        bias_lr_factor: rate of biases over that of the weights beside them.
        weight_decay_bias: of biases.
        weight_decay_bn: of the weight and bias of batch-norm layers, whose rate is ``base_lr``.
        interaction_lr_factor: rate of the interaction structure over ``base_lr``, its biases included.
    """

    base_lr: float
    weight_decay: float
    bias_lr_factor: float = 1.0
    weight_decay_bias: float = 0.0
    weight_decay_bn: float = 0.0
    interaction_lr_factor: float = 1.0


def make_param_groups(model: nn.Module, rates: GroupRates) -> list[dict[str, Any]]:
    """Returns optimizer groups that hold every parameter of ``model`` once, frozen ones too.

    Parameters with equal factors share a group. Besides ``params``, ``lr`` and ``weight_decay`` a group holds
    ``names`` (qualified parameter names, in the order of ``params``) and ``lr_factor`` (its rate over BASE_LR).
    A frozen parameter has no gradient and so is not moved; it is here from the start because an optimizer that
    meets it only when it is released would lose the state of all others.
    """
    norm_names = batch_norm_parameters(model)
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        lr_factor, weight_decay = _factors(name, name in norm_names, rates)
        group = groups.setdefault(
            (lr_factor, weight_decay),
            {
                "params": [],
                "names": [],
                "lr": rates.base_lr * lr_factor,
                "weight_decay": weight_decay,
                "lr_factor": lr_factor,
            },
        )
        group["params"].append(parameter)
        group["names"].append(name)
    return list(groups.values())


def batch_norm_parameters(model: nn.Module) -> set[str]:
    """Returns the qualified names of the parameters that batch-norm layers of ``model`` own."""
    return {
        f"{module_name}.{name}" if module_name else name
        for module_name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        for name, _ in module.named_parameters(recurse=False)
    }


def _factors(name: str, is_norm: bool, rates: GroupRates) -> tuple[float, float]:
    if is_norm:
        return 1.0, rates.weight_decay_bn
    parts = name.split(".")
    lr_factor = rates.interaction_lr_factor if _INTERACTION in parts[:-1] else 1.0
    if parts[-1].endswith("bias"):
        return lr_factor * rates.bias_lr_factor, rates.weight_decay_bias
    return lr_factor, rates.weight_decay
