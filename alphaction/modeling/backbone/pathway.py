"""One pathway: a 3D residual network from a specification."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alphaction.layers.nonlocal_block import NonLocalBlock, NonLocalSpec
from alphaction.modeling.backbone.blocks import EXPANSION, NormSpec, ResBlock, ResStage, make_conv
from alphaction.modeling.backbone.specs import PathwaySpec, StageSpec
from alphaction.structures.unit import Unit

STEM = "stem"
LAYERS = (STEM, "res2", "res3", "res4", "res5")
# (layer, position in it) -> {module name: module}, from input to output.
UnitModules: TypeAlias = dict[tuple[str, int], dict[str, nn.Module]]


class ResNet3d(nn.Module):
    """The stem and the stages of ``spec``, and how they follow each other.

    Args:
        spec: its shape.
        norm: its batch norms.
        nonlocal_spec: its non-local blocks, where ``spec`` asks for some.
    """

    def __init__(self, spec: PathwaySpec, *, norm: NormSpec, nonlocal_spec: NonLocalSpec | None = None) -> None:
        super().__init__()
        self.dim_out = spec.widths[-1]
        self.stem_pool = spec.stem_pool
        self.time_pools = tuple(stage.time_pool for stage in spec.stages)
        self.conv1 = make_conv(3, spec.width, (spec.stem_kernel, 7, 7), stride=2, time_stride=spec.stem_stride)
        self.bn1 = norm.make(spec.width)
        for index, stage in enumerate(spec.stages):
            module = _make_stage(
                stage,
                dim_in=spec.widths[index] + stage.lateral_width,
                dim_inner=spec.width * 2**index,
                norm=norm,
                nonlocal_spec=nonlocal_spec or NonLocalSpec(),
            )
            self.add_module(f"res_nl{index + 1}", module)

    def stem(self, x: Tensor) -> Tensor:
        """Returns [N, width, T', H/4, W/4] of [N, 3, T, H, W]; the pooling has no padding."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.max_pool3d(x, kernel_size=(self.stem_pool, 3, 3), stride=(self.stem_pool, 2, 2))

    def res_stages(self) -> list[ResStage]:
        """Returns res2, res3, res4, res5."""
        return [getattr(self, f"res_nl{index}") for index in range(1, len(LAYERS))]

    def run(self, x: Tensor, laterals: Sequence[Tensor] = ()) -> Tensor:
        """Returns [N, dim_out, T', H/16, W/16] of [N, 3, T, H, W].

        Args:
            x: the clip.
            laterals: for each stage the channels that are added to its input, where the specification has them.
        """
        x = self.stem(x)
        for index, (stage, time_pool) in enumerate(zip(self.res_stages(), self.time_pools, strict=True)):
            if time_pool > 1:
                x = F.max_pool3d(x, kernel_size=(time_pool, 1, 1))
            x = stage(torch.cat([x, laterals[index]], dim=1) if laterals else x)
        return x

    def unit_modules(self) -> UnitModules:
        """Returns the modules of each unit; together they hold every parameter once."""
        units: UnitModules = {(STEM, 0): {"conv1": self.conv1, "bn1": self.bn1}}
        for number, (layer, stage) in enumerate(zip(LAYERS[1:], self.res_stages(), strict=True), start=1):
            for index, modules in enumerate(stage.blocks()):
                units[layer, index] = {f"res_nl{number}.{name}": module for name, module in modules.items()}
        return units


class Pathway(ResNet3d):
    """A network that a backbone of several is made of."""

    def forward(self, x: Tensor, laterals: Sequence[Tensor] = ()) -> Tensor:
        """Returns the feature map; see :meth:`ResNet3d.run`."""
        return self.run(x, laterals)


def make_units(modules: UnitModules) -> list[Unit]:
    """Returns the units of the modules that :meth:`ResNet3d.unit_modules` gives, of one pathway or of several.

    A block is a unit, named by its layer and its position; a layer of one block is a unit by itself.
    """
    depths = Counter(layer for layer, _ in modules)
    return [
        Unit(f"{layer}.{index}", named, layer=layer)
        if depths[layer] > 1
        else Unit(layer, named, kind="stem" if layer == STEM else "block")
        for (layer, index), named in modules.items()
    ]


def _make_stage(
    spec: StageSpec,
    *,
    dim_in: int,
    dim_inner: int,
    norm: NormSpec,
    nonlocal_spec: NonLocalSpec,
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
    following = {
        index: NonLocalBlock(dim_out, dim_out // 2, spec=nonlocal_spec, group_frames=spec.nonlocal_frames)
        for index in spec.nonlocal_after
    }
    return ResStage(blocks, following)
