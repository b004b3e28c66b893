"""Shapes of 3D residual networks as data, and what a config says about them."""

from dataclasses import dataclass, replace

from yacs.config import CfgNode

from alphaction.layers.nonlocal_block import NonLocalSpec
from alphaction.modeling.backbone.blocks import EXPANSION, NormSpec
from alphaction.utils.errors import ConfigError

_GROUP_FRAMES = 4


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One residual stage.

    Attributes:
        temporal_kernels: the kernel through time of each block; as many blocks as entries.
        stride: spatial stride of the first block.
        dilation: spatial dilation of all blocks.
        lateral_width: channels that another pathway adds to the input.
        time_pool: so many frames become one, by their maximum, before the first block.
        nonlocal_after: positions of the blocks that a non-local block follows.
        nonlocal_frames: frames of a group that a non-local block looks within; 0 looks at all.
    """

    temporal_kernels: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    lateral_width: int = 0
    time_pool: int = 1
    nonlocal_after: tuple[int, ...] = ()
    nonlocal_frames: int = 0


@dataclass(frozen=True, slots=True)
class PathwaySpec:
    """One pathway: stem, then four stages, each twice as wide inside as the one before.

    Attributes:
        width: channels of the stem, and inner width of the first stage.
        stem_kernel: kernel of the stem through time.
        stages: res2, res3, res4, res5.
        stem_stride: stride of the stem's convolution through time.
        stem_pool: so many frames become one in the stem's pooling.
    """

    width: int
    stem_kernel: int
    stages: tuple[StageSpec, StageSpec, StageSpec, StageSpec]
    stem_stride: int = 1
    stem_pool: int = 1

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of channels behind the stem and behind each stage."""
        return self.width, *(self.width * 2**index * EXPANSION for index in range(len(self.stages)))

    def num_frames(self, num_frames: int) -> int:
        """Returns the frames of the feature map of a clip of ``num_frames``; 0: the clip is too short."""
        num_frames = -(-num_frames // self.stem_stride) // self.stem_pool
        for stage in self.stages:
            num_frames //= stage.time_pool
        return num_frames


def with_nonlocal_blocks(spec: PathwaySpec, keys: CfgNode) -> PathwaySpec:
    """Returns ``spec`` with the non-local blocks of ``keys``: CONV3_NONLOCAL, CONV3_GROUP_NL and CONV4_NONLOCAL.

    They follow every second block of res3 and of res4; in a stage of one block they follow that one.
    """
    res2, res3, res4, res5 = spec.stages
    if keys.CONV3_NONLOCAL:
        res3 = replace(
            res3,
            nonlocal_after=_every_second(res3),
            nonlocal_frames=_GROUP_FRAMES if keys.CONV3_GROUP_NL else 0,
        )
    if keys.CONV4_NONLOCAL:
        res4 = replace(res4, nonlocal_after=_every_second(res4))
    return replace(spec, stages=(res2, res3, res4, res5))


def build_norm_spec(cfg: CfgNode) -> NormSpec:
    """Returns the batch norms that MODEL.BACKBONE asks for."""
    keys = cfg.MODEL.BACKBONE
    return NormSpec(
        frozen=keys.FROZEN_BN,
        eps=keys.BN_EPSILON,
        momentum=keys.BN_MOMENTUM,
        last_gamma=keys.BN_INIT_GAMMA,
    )


def build_nonlocal_spec(cfg: CfgNode) -> NonLocalSpec:
    """Returns the non-local blocks that MODEL.NONLOCAL asks for.

    Raises:
        ConfigError: a negative CONV_INIT_STD.
    """
    keys = cfg.MODEL.NONLOCAL
    if keys.CONV_INIT_STD < 0:
        raise ConfigError(f"MODEL.NONLOCAL.CONV_INIT_STD is {keys.CONV_INIT_STD}; it must not be negative.")
    return NonLocalSpec(
        conv_init_std=keys.CONV_INIT_STD,
        use_scale=keys.USE_SCALE,
        has_bias=not keys.NO_BIAS,
        use_maxpool=keys.USE_MAXPOOL,
        use_softmax=keys.USE_SOFTMAX,
        zero_init_out=keys.USE_ZERO_INIT_CONV,
        use_bn=keys.USE_BN,
        frozen_bn=keys.FROZEN_BN,
        bn_momentum=keys.BN_MOMENTUM,
        bn_epsilon=keys.BN_EPSILON,
        bn_init_gamma=keys.BN_INIT_GAMMA,
    )


def _every_second(stage: StageSpec) -> tuple[int, ...]:
    return tuple(range(1, len(stage.temporal_kernels), 2)) or (0,)
