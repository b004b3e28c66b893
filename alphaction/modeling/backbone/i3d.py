"""I3D: one pathway that sees all frames (inflated ResNet of Wang et al., Non-local Neural Networks, 2018, table 1)."""

from itertools import cycle, islice

from torch import Tensor
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Backbone, Features
from alphaction.modeling.backbone.pathway import ResNet3d, make_units
from alphaction.modeling.backbone.specs import (
    PathwaySpec,
    StageSpec,
    build_nonlocal_spec,
    build_norm_spec,
    with_nonlocal_blocks,
)
from alphaction.modeling.registry import BACKBONES
from alphaction.structures.unit import Unit
from alphaction.utils.errors import ConfigError

_WIDTH = 64
_STEM_KERNEL = 5
_KERNELS = ((3,), (3, 1), (3, 1), (1, 3))  # of the blocks of a stage, in turn


def i3d_spec(*, depths: tuple[int, ...], is_sparse: bool = False) -> PathwaySpec:
    """Returns the network that shortens time to an eighth, or to a half.

    Args:
        depths: blocks of res2 .. res5.
        is_sparse: the frames are far apart already, so that the stem keeps them all.
    """
    res2, res3, res4, res5 = (
        tuple(islice(cycle(kernels), depth)) for kernels, depth in zip(_KERNELS, depths, strict=True)
    )
    return PathwaySpec(
        width=_WIDTH,
        stem_kernel=_STEM_KERNEL,
        stages=(
            StageSpec(res2),
            StageSpec(res3, stride=2, time_pool=2),
            StageSpec(res4, stride=2),
            StageSpec(res5, dilation=2),
        ),
        stem_stride=1 if is_sparse else 2,
        stem_pool=1 if is_sparse else 2,
    )


class I3D(ResNet3d, Backbone):
    """The network of ``spec`` on the fast clip; it is itself the pathway, as the weight files have it."""

    def forward(self, slow: Tensor, fast: Tensor) -> Features:
        """Returns the map as ``fast``, at 1/16 of the input's height and width.

        Args:
            slow: not looked at.
            fast: [N, 3, T, H, W].
        """
        return Features(None, self.run(fast))

    def stages(self) -> list[Unit]:
        return make_units(self.unit_modules())


@BACKBONES.register("I3D-Resnet50")
def build_i3d_resnet50(cfg: CfgNode) -> I3D:
    return build_i3d(cfg, i3d_spec(depths=(3, 4, 6, 3)))


@BACKBONES.register("I3D-Resnet101")
def build_i3d_resnet101(cfg: CfgNode) -> I3D:
    return build_i3d(cfg, i3d_spec(depths=(3, 4, 23, 3)))


@BACKBONES.register("I3D-Resnet50-Sparse")
def build_i3d_resnet50_sparse(cfg: CfgNode) -> I3D:
    return build_i3d(cfg, i3d_spec(depths=(3, 4, 6, 3), is_sparse=True))


@BACKBONES.register("I3D-Resnet101-Sparse")
def build_i3d_resnet101_sparse(cfg: CfgNode) -> I3D:
    return build_i3d(cfg, i3d_spec(depths=(3, 4, 23, 3), is_sparse=True))


def build_i3d(cfg: CfgNode, spec: PathwaySpec) -> I3D:
    """Returns the network of ``spec`` with the norms and non-local blocks of the config.

    Raises:
        ConfigError: keys that cannot be built, or clips that are too short.
    """
    num_frames = cfg.INPUT.FRAME_NUM * cfg.INPUT.ALPHA // cfg.INPUT.TAU
    if not spec.num_frames(num_frames):
        least = next(count for count in range(num_frames, 64) if spec.num_frames(count))
        raise ConfigError(
            f"MODEL.BACKBONE.CONV_BODY {cfg.MODEL.BACKBONE.CONV_BODY} shortens time and needs {least} frames at "
            f"least; INPUT.FRAME_NUM {cfg.INPUT.FRAME_NUM}, TAU {cfg.INPUT.TAU} and ALPHA {cfg.INPUT.ALPHA} give it "
            f"{num_frames} (FRAME_NUM x ALPHA / TAU)."
        )
    return I3D(
        with_nonlocal_blocks(spec, cfg.MODEL.BACKBONE.I3D),
        norm=build_norm_spec(cfg),
        nonlocal_spec=build_nonlocal_spec(cfg),
    )
