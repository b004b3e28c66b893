"""What every backbone takes, gives and publishes."""

from typing import NamedTuple

from torch import Tensor, nn

from alphaction.structures.unit import Unit


class Features(NamedTuple):
    """Feature maps of a backbone, [N, C, T, H, W]; a pathway that is off is None."""

    slow: Tensor | None
    fast: Tensor | None


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
