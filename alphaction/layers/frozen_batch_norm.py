"""Batch norm whose statistics and weights never change."""

from typing import Any

import torch
from torch import Tensor, nn

_PER_CHANNEL = (1, -1, 1, 1, 1)


class FrozenBatchNorm3d(nn.Module):
    """Gives ``(x - running_mean) / sqrt(running_var + eps) * weight + bias``; all four are buffers.

    It starts as the identity (up to ``eps``); the numbers come from a weight file. A file written with a live batch
    norm loads too: its ``num_batches_tracked`` is passed over.

    Args:
        width: number of channels.
        eps: added to the variance before the root.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        # Unlike batch_norm in eval mode, this keeps no input for the backward pass.
        return (x * scale.view(_PER_CHANNEL).to(x.dtype)).add_(shift.view(_PER_CHANNEL).to(x.dtype))

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        kept = {key: value for key, value in state_dict.items() if key != f"{prefix}num_batches_tracked"}
        super()._load_from_state_dict(kept, prefix, *args)
