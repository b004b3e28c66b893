"""One pathway: a 3D residual network from a specification."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alphaction.modeling.backbone.blocks import (
    EXPANSION,
    NormSpec,
    ResBlock,
    ResStage,
    make_conv,
)

UNIT_NAMES = ("stem", "res2", "res3", "res4", "res5")


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One residual stage.

    Attributes:
        temporal_kernels: the kernel through time of each block; as many blocks as entries.
        stride: spatial stride of the first block.
        dilation: spatial dilation of all blocks.
        lateral_width: channels that another pathway adds to the input.
        nonlocal_after: positions of the blocks that a non-local block follows.
    """

    temporal_kernels: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    lateral_width: int = 0
    nonlocal_after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PathwaySpec:
    """One pathway: stem, then four stages, each twice as wide inside as the one before.

    Attributes:
        width: channels of the stem, and inner width of the first stage.
        stem_kernel: kernel of the stem through time.
        stages: res2, res3, res4, res5.
    """

    width: int
    stem_kernel: int
    stages: tuple[StageSpec, StageSpec, StageSpec, StageSpec]

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of channels behind the stem and behind each stage."""
        return self.width, *(self.width * 2**index * EXPANSION for index in range(len(self.stages)))


class Pathway(nn.Module):
    """The 3D residual network of ``spec``; time keeps its length, space shrinks by 4 and the stages' strides.

    Args:
        spec: its shape.
        norm: its batch norms.
        make_nonlocal: from a number of channels to a non-local block, where ``spec`` asks for some.
    """

    def __init__(
        self,
        spec: PathwaySpec,
        *,
        norm: NormSpec,
        make_nonlocal: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.dim_out = spec.widths[-1]
        self.conv1 = make_conv(3, spec.width, (spec.stem_kernel, 7, 7), stride=2)
        self.bn1 = norm.make(spec.width)
        for index, stage in enumerate(spec.stages):
            module = _make_stage(
                stage,
                dim_in=spec.widths[index] + stage.lateral_width,
                dim_inner=spec.width * 2**index,
                norm=norm,
                make_nonlocal=make_nonlocal,
            )
            self.add_module(f"res_nl{index + 1}", module)

    def stem(self, x: Tensor) -> Tensor:
        """Returns [N, width, T, H/4, W/4] of [N, 3, T, H, W]; the pooling has no padding."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.max_pool3d(x, kernel_size=(1, 3, 3), stride=(1, 2, 2))

    def res_stages(self) -> list[nn.Module]:
        """Returns res2, res3, res4, res5."""
        return [getattr(self, f"res_nl{index}") for index in range(1, len(UNIT_NAMES))]

    def forward(self, x: Tensor, laterals: Sequence[Tensor] = ()) -> Tensor:
        """Returns [N, dim_out, T, H/16, W/16] of [N, 3, T, H, W].

        Args:
            x: the clip.
            laterals: for each stage the channels that are added to its input, where ``spec`` has them.
        """
        x = self.stem(x)
        for index, stage in enumerate(self.res_stages()):
            x = stage(torch.cat([x, laterals[index]], dim=1) if laterals else x)
        return x

    def unit_modules(self) -> dict[str, dict[str, nn.Module]]:
        """Returns unit name -> {module name: module}; together they hold every parameter once."""
        units: dict[str, dict[str, nn.Module]] = {"stem": {"conv1": self.conv1, "bn1": self.bn1}}
        for index, (unit, stage) in enumerate(zip(UNIT_NAMES[1:], self.res_stages(), strict=True), start=1):
            units[unit] = {f"res_nl{index}": stage}
        return units


def _make_stage(
    spec: StageSpec,
    *,
    dim_in: int,
    dim_inner: int,
    norm: NormSpec,
    make_nonlocal: Callable[[int], nn.Module] | None,
) -> ResStage:
    dim_out = dim_inner * EXPANSION
    blocks = [
        ResBlock(
            dim_in if index == 0 else dim_out,
            dim_inner,
            temporal_kernel=kernel,
            stride=spec.stride if index == 0 else 1,
            dilation=spec.dilation,
            norm=norm,
        )
        for index, kernel in enumerate(spec.temporal_kernels)
    ]
    if make_nonlocal is None:
        assert not spec.nonlocal_after, "the specification asks for non-local blocks and nothing makes them"
        return ResStage(blocks)
    return ResStage(blocks, {index: make_nonlocal(dim_out) for index in spec.nonlocal_after})
