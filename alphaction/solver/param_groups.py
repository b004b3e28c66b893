"""Which learning rate and weight decay each parameter gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from alphaction.structures.unit import Unit

# Every parameter below a module of this name belongs to the interaction structure.
_INTERACTION = "ia_structure"
_OTHER_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, _InstanceNorm)


@dataclass(frozen=True, slots=True)
class GroupRates:
    """The numbers the rules are made of.

    Attributes:
        base_lr: rate of ordinary weights at factor 1.
        weight_decay: of ordinary weights.
        bias_lr_factor: rate of biases over that of the weights beside them.
        weight_decay_bias: of biases.
        weight_decay_bn: of the weights of normalisation layers, and of the biases of batch norms. Both have the rate
            ``base_lr`` in a batch norm; a layer norm's bias is a bias like others.
        interaction_lr_factor: rate of the interaction structure over ``base_lr``, its biases included.
    """

    base_lr: float
    weight_decay: float
    bias_lr_factor: float = 1.0
    weight_decay_bias: float = 0.0
    weight_decay_bn: float = 0.0
    interaction_lr_factor: float = 1.0


def make_param_groups(model: nn.Module, rates: GroupRates, units: Sequence[Unit] = ()) -> list[dict[str, Any]]:
    """Returns optimizer groups that hold every parameter of ``model`` once, frozen ones too.

    Parameters of one unit with equal factors share a group; groups stand in the order of the units, within them in the
    order in which the model names their parameters. Besides ``params``, ``lr`` and ``weight_decay`` a group holds
    ``names`` (qualified parameter names, in the order of ``params``), ``unit`` (name of its unit, "" without units) and
    ``lr_factor`` (its rate over that of a plain weight of the unit). A frozen parameter has no gradient and so is not
    moved; it is here from the start because an optimizer that meets it only when it is released would lose the state
    of all others.

    Position tables and class tokens decay like weights, as in the recipes of MViT (Kinetics, ZERO_DECAY_POS_CLS off).

    Raises:
        ValueError: the units leave a parameter out.
    """
    unit_of = {id(parameter): unit.name for unit in units for parameter in unit.parameters()}
    batch_norms, norms = batch_norm_parameters(model), _parameters_of(model, _OTHER_NORMS)
    groups: dict[tuple[str, float, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if units and id(parameter) not in unit_of:
            raise ValueError(f"{name} belongs to none of the units {', '.join(unit.name for unit in units)}.")
        unit = unit_of.get(id(parameter), "")
        lr_factor, weight_decay = _factors(name, name in batch_norms, name in norms, rates)
        group = groups.setdefault(
            (unit, lr_factor, weight_decay),
            {
                "params": [],
                "names": [],
                "unit": unit,
                "lr": rates.base_lr * lr_factor,
                "weight_decay": weight_decay,
                "lr_factor": lr_factor,
            },
        )
        group["params"].append(parameter)
        group["names"].append(name)
    order = {unit.name: number for number, unit in enumerate(units)}
    return sorted(groups.values(), key=lambda group: order.get(group["unit"], 0))


def batch_norm_parameters(model: nn.Module) -> set[str]:
    """Returns the qualified names of the parameters that batch-norm layers of ``model`` own."""
    return _parameters_of(model, (_BatchNorm,))


def _parameters_of(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> set[str]:
    return {
        f"{module_name}.{name}" if module_name else name
        for module_name, module in model.named_modules()
        if isinstance(module, kinds)
        for name, _ in module.named_parameters(recurse=False)
    }


def _factors(name: str, is_batch_norm: bool, is_norm: bool, rates: GroupRates) -> tuple[float, float]:
    if is_batch_norm:
        return 1.0, rates.weight_decay_bn
    parts = name.split(".")
    lr_factor = rates.interaction_lr_factor if _INTERACTION in parts[:-1] else 1.0
    if parts[-1].endswith("bias"):
        return lr_factor * rates.bias_lr_factor, rates.weight_decay_bias
    return lr_factor, rates.weight_decay_bn if is_norm else rates.weight_decay
