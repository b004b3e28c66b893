"""One interaction: persons gather what matters to them from others (Tang et al. 2020, section 3.2)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """What the blocks of a structure share.

    Attributes:
        dim_inner: width of queries, keys and values, and of what a block takes.
        init_std: standard deviation of the initial weights.
        starts_as_shortcut: the last projection starts at zero.
        dropout: probability that an entry is left out in training.
        layer_norm: normalise what was gathered over its channels; nothing of it is learnt.
    """

    dim_inner: int
    init_std: float
    starts_as_shortcut: bool
    dropout: float
    layer_norm: bool


class Projection(nn.Module):
    """A linear map of the last dimension; its weight has the shape of a 1x1x1 convolution, as the weight files have."""

    def __init__(self, dim_in: int, dim_out: int, *, init_std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim_out, dim_in, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(dim_out))
        nn.init.normal_(self.weight, std=init_std)

    def forward(self, x: Tensor) -> Tensor:
        """Returns [..., dim_out] of [..., dim_in]."""
        return F.linear(x, self.weight.flatten(1), self.bias)


class InteractionBlock(nn.Module):
    """Scaled dot-product attention of persons over others, and a shortcut.

    Slots without an entry are not masked: released weights have learnt with them.

    Args:
        dim_out: width of the result.
        num_seconds: seconds that the others come from, each with a learnt position; 0 for others without one.
    """

    def __init__(self, spec: BlockSpec, *, dim_out: int, num_seconds: int = 0) -> None:
        super().__init__()
        dim = spec.dim_inner
        self._spec = spec
        self.temporal_position_k: nn.Parameter | None = None
        self.temporal_position_v: nn.Parameter | None = None
        if num_seconds:
            self.temporal_position_k = nn.Parameter(torch.zeros(num_seconds, 1, dim, 1, 1, 1))
            self.temporal_position_v = nn.Parameter(torch.zeros(num_seconds, 1, dim, 1, 1, 1))
        self.query = Projection(dim, dim, init_std=spec.init_std)
        self.key = Projection(dim, dim, init_std=spec.init_std)
        self.value = Projection(dim, dim, init_std=spec.init_std)
        self.out = Projection(dim, dim_out, init_std=0.0 if spec.starts_as_shortcut else spec.init_std)
        self.shortcut = Projection(dim, dim_out, init_std=spec.init_std) if dim_out != dim else None

    def forward(self, persons: Tensor, others: Tensor) -> Tensor:
        """Returns [N, n, dim_out].

        Args:
            persons: [N, n, dim_inner].
            others: [N, S, dim_inner]; with positions, S is the seconds times the slots of each.
        """
        keys = _placed_in_time(self.key(others), self.temporal_position_k)
        values = _placed_in_time(self.value(others), self.temporal_position_v)
        gathered = F.scaled_dot_product_attention(self.query(persons), keys, values)  # [N, n, dim_inner]
        if self._spec.layer_norm:
            gathered = F.layer_norm(gathered, gathered.shape[-1:])
        result = F.dropout(self.out(F.relu(gathered)), self._spec.dropout, self.training)
        return result + (persons if self.shortcut is None else self.shortcut(persons))


def _placed_in_time(values: Tensor, position: Tensor | None) -> Tensor:
    """Returns [N, S, C] with the position [T, 1, C, 1, 1, 1] of its second added to each slot."""
    if position is None:
        return values
    by_second = values.unflatten(1, (len(position), -1))  # [N, T, S / T, C]
    return (by_second + position.flatten(1)[:, None]).flatten(1, 2)
