"""Attention of every place and time of a feature map to all others (Wang et al., Non-local Neural Networks, 2018)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d


@dataclass(frozen=True, slots=True)
class NonLocalSpec:
    """What the non-local blocks of a network have in common.

    Attributes:
        conv_init_std: standard deviation of the initial weights of the convolutions; their biases start at 0.
        use_scale: divide the affinities by the root of the inner width, where a softmax follows.
        has_bias: the convolutions have a bias.
        use_maxpool: halve height and width of keys and values by max pooling.
        use_softmax: softmax over the affinities (embedded Gaussian, eq. 3); False divides them by their number (dot
            product, eq. 4).
        zero_init_out: the output convolution starts at zero, except before a live batch norm that does: two zeros in
            a row would never learn.
        use_bn: a batch norm behind the output convolution.
        frozen_bn: its numbers never change.
        bn_momentum: share of the newest batch in its running statistics.
        bn_epsilon: added to its variance before the root.
        bn_init_gamma: its initial weight; 0 starts a block as the identity. A frozen one starts at 1, since a weight
            of 0 that nothing trains would switch the block off for good; the output convolution starts smaller by
            this factor instead, so that the block begins as asked and learns.
    """

    conv_init_std: float = 0.01
    use_scale: bool = True
    has_bias: bool = True
    use_maxpool: bool = True
    use_softmax: bool = True
    zero_init_out: bool = False
    use_bn: bool = True
    frozen_bn: bool = False
    bn_momentum: float = 0.1
    bn_epsilon: float = 1e-5
    bn_init_gamma: float = 0.0


class NonLocalBlock(nn.Module):
    """Gives ``x + bn(out(y))``, where y is a mean of ``g`` over all places and times, weighted by ``theta . phi``.

    Wang et al. (2018), eq. 1 and 6. The affinities of all pairs are never held at once, so that memory grows with
    the size of the map, not with its square (for a softmax: wherever torch has a fused attention).

    Args:
        dim: channels of the feature map.
        dim_inner: channels of queries, keys and values.
        spec: the rest.
        group_frames: attend within groups of this many time steps in a row; the last group may be shorter. 0 attends
            over all time.
    """

    def __init__(self, dim: int, dim_inner: int, *, spec: NonLocalSpec, group_frames: int = 0) -> None:
        super().__init__()
        self.use_maxpool = spec.use_maxpool
        self.use_softmax = spec.use_softmax
        self.affinity_scale = dim_inner**-0.5 if spec.use_scale else 1.0
        self.group_frames = group_frames
        self.theta = nn.Conv3d(dim, dim_inner, 1, bias=spec.has_bias)
        self.phi = nn.Conv3d(dim, dim_inner, 1, bias=spec.has_bias)
        self.g = nn.Conv3d(dim, dim_inner, 1, bias=spec.has_bias)
        self.out = nn.Conv3d(dim_inner, dim, 1, bias=spec.has_bias)
        self.bn = _make_norm(dim, spec) if spec.use_bn else None
        self._init_convs(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Returns [N, C, T, H, W] of the same shape as ``x``."""
        source = _halve(x) if self.use_maxpool else x
        y = self.out(self._aggregate(self.theta(x), self.phi(source), self.g(source)))
        return x + (y if self.bn is None else self.bn(y))

    def _aggregate(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Returns what each query gathers, [N, C', T, H, W]; keys and values may have smaller frames."""
        num_frames = queries.shape[2]
        group = min(self.group_frames or num_frames, num_frames)
        rest = num_frames % group
        if not rest:
            return self._attend(queries, keys, values, group)
        first = self._attend(queries[:, :, :-rest], keys[:, :, :-rest], values[:, :, :-rest], group)
        last = self._attend(queries[:, :, -rest:], keys[:, :, -rest:], values[:, :, -rest:], rest)
        return torch.cat([first, last], dim=2)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, group: int) -> Tensor:
        q, k, v = (_as_rows(part, group) for part in (queries, keys, values))  # [N, T / group, places, C']
        if self.use_softmax:
            y = F.scaled_dot_product_attention(q, k, v, scale=self.affinity_scale)
        else:
            y = q @ (k.mT @ (v / v.shape[2]))  # (q k') v, in the order that needs no affinities
        return y.mT.reshape(*y.shape[:2], -1, group, *queries.shape[3:]).transpose(1, 2).flatten(2, 3)

    def _init_convs(self, spec: NonLocalSpec) -> None:
        for conv in (self.theta, self.phi, self.g, self.out):
            nn.init.normal_(conv.weight, std=spec.conv_init_std)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        with torch.no_grad():
            self.out.weight.mul_(_first_out_factor(spec))


def _first_out_factor(spec: NonLocalSpec) -> float:
    is_live = spec.use_bn and not spec.frozen_bn
    if spec.zero_init_out and not (is_live and spec.bn_init_gamma == 0):
        return 0.0
    return spec.bn_init_gamma if spec.use_bn and spec.frozen_bn else 1.0


def _make_norm(dim: int, spec: NonLocalSpec) -> nn.Module:
    if spec.frozen_bn:
        return FrozenBatchNorm3d(dim, eps=spec.bn_epsilon)
    norm = nn.BatchNorm3d(dim, eps=spec.bn_epsilon, momentum=spec.bn_momentum)
    nn.init.constant_(norm.weight, spec.bn_init_gamma)
    return norm


def _halve(x: Tensor) -> Tensor:
    """Returns the maxima of 2 x 2 places; a side of one place keeps it."""
    size = (1, min(2, x.shape[3]), min(2, x.shape[4]))
    return F.max_pool3d(x, size, stride=size)


def _as_rows(x: Tensor, group: int) -> Tensor:
    """Returns [N, T / group, group * H * W, C] of [N, C, T, H, W]."""
    return x.unflatten(2, (-1, group)).transpose(1, 2).flatten(3).mT.contiguous()
