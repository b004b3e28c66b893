"""What every backbone takes, gives and publishes."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn


class Features(NamedTuple):
    """Feature maps of a backbone, [N, C, T, H, W]; a pathway that is off is None."""

    slow: Tensor | None
    fast: Tensor | None


@dataclass(frozen=True, slots=True)
class Unit:
    """A named part of a model, from input to head, that fine-tuning freezes and releases as a whole.

    Attributes:
        name: ``stem``, ``res2`` .. ``res5`` or ``head``.
        modules: qualified module name (relative to the model that publishes the unit) -> module. All parameters
            and buffers below these modules belong to the unit, and to no other one.
    """

    name: str
    modules: dict[str, nn.Module]

    def num_parameters(self) -> int:
        return sum(p.numel() for module in self.modules.values() for p in module.parameters())


class Backbone(nn.Module):
    """Contract of a backbone.

    ``forward(slow, fast)`` takes [N, 3, T, H, W] float clips, normalised, one for each pathway (a network with one
    pathway reads ``fast``), and returns :class:`Features`. ``dim_out`` is the number of channels of all pathways
    together. ``stages()`` lists the units from input to output; they cover every parameter exactly once.
    """

    dim_out: int

    def forward(self, slow: Tensor, fast: Tensor) -> Features:
        raise NotImplementedError

    def stages(self) -> list[Unit]:
        raise NotImplementedError
