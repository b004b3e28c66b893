"""The named parts a model is made of, from input to head."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

UnitKind = Literal["stem", "block", "norm", "head"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A named part of a model, from input to head, that fine-tuning freezes and releases as a whole.

    Attributes:
        name: ``stem``, ``res5.2``, ``layer4.1``, ``blocks.15`` or ``head``.
        modules: qualified module name (relative to the model that publishes the unit) -> module. All parameters
            and buffers below these modules belong to the unit, and to no other one.
        kind: ``stem`` is what the input meets first, ``block`` one of the parts that are released one after the
            other, ``norm`` a normalisation behind the last block, ``head`` what is new for the task.
        layer: the larger part that the unit is a block of, such as ``res5``; "" where the unit is one itself.
    """

    name: str
    modules: dict[str, nn.Module]
    kind: UnitKind = "block"
    layer: str = ""

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for module in self.modules.values() for parameter in module.parameters()]

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())
