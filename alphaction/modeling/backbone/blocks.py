"""The blocks of a 3D residual network. Attribute names are part of the weight files' format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d

EXPANSION = 4  # width of a block over its inner width


@dataclass(frozen=True, slots=True)
class NormSpec:
    """The batch norms of a network.

    Attributes:
        frozen: True gives buffers that never change, False live batch norms.
        eps: added to the variance before the root.
        momentum: share of the newest batch in the running statistics.
        last_gamma: initial weight of the last live norm of a block; 0 starts a block as its shortcut. A frozen norm
            starts at 1, since a weight of 0 that nothing trains would switch the block off for good.
    """

    frozen: bool = False
    eps: float = 1e-5
    momentum: float = 0.1
    last_gamma: float = 0.0

    def make(self, width: int, *, is_last: bool = False) -> nn.Module:
        if self.frozen:
            return FrozenBatchNorm3d(width, eps=self.eps)
        norm = nn.BatchNorm3d(width, eps=self.eps, momentum=self.momentum)
        if is_last:
            nn.init.constant_(norm.weight, self.last_gamma)
        return norm


def make_conv(
    dim_in: int,
    dim_out: int,
    kernel: tuple[int, int, int],
    *,
    stride: int = 1,
    time_stride: int = 1,
    dilation: int = 1,
) -> nn.Conv3d:
    """Returns a convolution without a bias that keeps the size at strides of 1; ``dilation`` is spatial."""
    padding = (kernel[0] // 2, dilation * (kernel[1] // 2), dilation * (kernel[2] // 2))
    conv = nn.Conv3d(
        dim_in,
        dim_out,
        kernel,
        stride=(time_stride, stride, stride),
        padding=padding,
        dilation=(1, dilation, dilation),
        bias=False,
    )
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


class ConvNorm(nn.Module):
    """A convolution and its batch norm."""

    def __init__(self, conv: nn.Conv3d, norm: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.bn = norm

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Bottleneck(nn.Module):
    """Three convolutions: through time (t, 1, 1), through space (1, 3, 3) with the stride, and to the full width."""

    def __init__(
        self,
        dim_in: int,
        dim_inner: int,
        *,
        temporal_kernel: int,
        stride: int,
        dilation: int,
        norm: NormSpec,
    ) -> None:
        super().__init__()
        dim_out = dim_inner * EXPANSION
        self.conv1 = ConvNorm(make_conv(dim_in, dim_inner, (temporal_kernel, 1, 1)), norm.make(dim_inner))
        spatial = make_conv(dim_inner, dim_inner, (1, 3, 3), stride=stride, dilation=dilation)
        self.conv2 = ConvNorm(spatial, norm.make(dim_inner))
        self.conv3 = ConvNorm(make_conv(dim_inner, dim_out, (1, 1, 1)), norm.make(dim_out, is_last=True))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x), inplace=True)
        x = F.relu(self.conv2(x), inplace=True)
        return self.conv3(x)


class ResBlock(nn.Module):
    """A bottleneck and its shortcut, which is a convolution where width or size change."""

    def __init__(
        self,
        dim_in: int,
        dim_inner: int,
        *,
        temporal_kernel: int,
        stride: int = 1,
        dilation: int = 1,
        norm: NormSpec,
    ) -> None:
        super().__init__()
        dim_out = dim_inner * EXPANSION
        self.btnk = Bottleneck(
            dim_in, dim_inner, temporal_kernel=temporal_kernel, stride=stride, dilation=dilation, norm=norm
        )
        self.shortcut: ConvNorm | None = None
        if dim_in != dim_out or stride != 1:
            self.shortcut = ConvNorm(make_conv(dim_in, dim_out, (1, 1, 1), stride=stride), norm.make(dim_out))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.btnk(x)
        return residual.add_(x if self.shortcut is None else self.shortcut(x)).relu_()


class ResStage(nn.Module):
    """Residual blocks ``res_<i>``, with a non-local block ``nonlocal_<i>`` behind those that have one.

    Args:
        blocks: in order.
        nonlocal_blocks: position in ``blocks`` -> the module that follows it.
    """

    def __init__(self, blocks: Sequence[nn.Module], nonlocal_blocks: Mapping[int, nn.Module] | None = None) -> None:
        super().__init__()
        following = nonlocal_blocks or {}
        for index, block in enumerate(blocks):
            self.add_module(f"res_{index}", block)
            if index in following:
                self.add_module(f"nonlocal_{index}", following[index])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.children():
            x = block(x)
        return x

    def blocks(self) -> list[dict[str, nn.Module]]:
        """Returns for each residual block its name and module, and those of the non-local block behind it."""
        blocks: list[dict[str, nn.Module]] = []
        for name, module in self.named_children():
            if isinstance(module, ResBlock):
                blocks.append({})
            blocks[-1][name] = module
        return blocks
