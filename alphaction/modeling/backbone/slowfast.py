"""SlowFast: a wide pathway that sees few frames and a narrow one that sees many (Feichtenhofer et al., 2019)."""

from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.layers.nonlocal_block import NonLocalSpec
from alphaction.modeling.backbone.base import Backbone, Features
from alphaction.modeling.backbone.blocks import NormSpec
from alphaction.modeling.backbone.pathway import LAYERS, Pathway, UnitModules, make_units
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

_STRIDES = (1, 2, 2, 1)
_DILATIONS = (1, 1, 1, 2)
_LATERAL_KERNEL = 5
_LATERAL_GAIN = 2  # width of a lateral connection over the fast width it reads


def slow_spec(*, depths: tuple[int, ...], width: int, fast_width: int = 0) -> PathwaySpec:
    """Returns the slow pathway: it looks through time in res4 and res5 only.

    Args:
        depths: blocks of res2 .. res5.
        width: channels of the stem.
        fast_width: channels of the fast pathway's stem, 0 without one.
    """
    fast_widths = fast_spec(depths=depths, width=fast_width).widths
    return _make_spec(
        depths=depths,
        width=width,
        stem_kernel=1,
        kernels=(1, 1, 3, 3),
        lateral_widths=tuple(_LATERAL_GAIN * fast for fast in fast_widths[:-1]),
    )


def fast_spec(*, depths: tuple[int, ...], width: int) -> PathwaySpec:
    """Returns the fast pathway: it looks through time everywhere."""
    return _make_spec(depths=depths, width=width, stem_kernel=5, kernels=(3, 3, 3, 3), lateral_widths=(0, 0, 0, 0))


def _make_spec(
    *,
    depths: tuple[int, ...],
    width: int,
    stem_kernel: int,
    kernels: tuple[int, ...],
    lateral_widths: tuple[int, ...],
) -> PathwaySpec:
    res2, res3, res4, res5 = (
        StageSpec((kernel,) * depth, stride=stride, dilation=dilation, lateral_width=lateral)
        for depth, kernel, stride, dilation, lateral in zip(
            depths, kernels, _STRIDES, _DILATIONS, lateral_widths, strict=True
        )
    )
    return PathwaySpec(width=width, stem_kernel=stem_kernel, stages=(res2, res3, res4, res5))


class Lateral(nn.Module):
    """A convolution through time that brings fast features to the slow frame rate, at twice the width."""

    def __init__(self, dim_in: int, *, alpha: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            dim_in,
            dim_in * _LATERAL_GAIN,
            (_LATERAL_KERNEL, 1, 1),
            stride=(alpha, 1, 1),
            padding=(_LATERAL_KERNEL // 2, 0, 0),
        )
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class FastPathway(Pathway):
    """The fast pathway; it owns the lateral connections, as the weight files have it."""

    def __init__(
        self, spec: PathwaySpec, *, norm: NormSpec, nonlocal_spec: NonLocalSpec | None = None, alpha: int
    ) -> None:
        super().__init__(spec, norm=norm, nonlocal_spec=nonlocal_spec)
        for index, width in enumerate(spec.widths[:-1], start=1):
            self.add_module(f"Tconv{index}", Lateral(width, alpha=alpha))

    def forward_with_laterals(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Returns the feature map, and for each stage what the slow pathway adds to its input there."""
        x = self.stem(x)
        laterals = []
        for index, stage in enumerate(self.res_stages(), start=1):
            laterals.append(getattr(self, f"Tconv{index}")(x))
            x = stage(x)
        return x, laterals

    def unit_modules(self) -> UnitModules:
        """Returns the modules of each unit; a lateral connection belongs to the block whose output it reads."""
        units = super().unit_modules()
        last_of = {layer: (layer, index) for layer, index in units}
        for number, layer in enumerate(LAYERS[:-1], start=1):
            units[last_of[layer]][f"Tconv{number}"] = getattr(self, f"Tconv{number}")
        return units


class SlowFast(Backbone):
    """Both pathways, or either one alone.

    Args:
        slow: the slow pathway, or None.
        fast: the fast pathway, or None.
        alpha: fast frames per slow frame.
        norm: the batch norms of both.
        nonlocal_spec: the non-local blocks of both, where the pathways ask for some.
    """

    def __init__(
        self,
        *,
        slow: PathwaySpec | None,
        fast: PathwaySpec | None,
        alpha: int,
        norm: NormSpec,
        nonlocal_spec: NonLocalSpec | None = None,
    ) -> None:
        super().__init__()
        self.slow = None if slow is None else Pathway(slow, norm=norm, nonlocal_spec=nonlocal_spec)
        self.fast: Pathway | None = None
        if fast is not None and slow is None:
            self.fast = Pathway(fast, norm=norm, nonlocal_spec=nonlocal_spec)
        elif fast is not None:
            self.fast = FastPathway(fast, norm=norm, nonlocal_spec=nonlocal_spec, alpha=alpha)
        self.dim_out = sum(pathway.dim_out for pathway in self._pathways().values())

    def forward(self, slow: Tensor, fast: Tensor) -> Features:
        """Returns the maps of both pathways at 1/16 of the input's height and width.

        Args:
            slow: [N, 3, T, H, W]; not looked at without a slow pathway.
            fast: [N, 3, alpha * T, H, W]; not looked at without a fast pathway.
        """
        if self.slow is None:
            assert self.fast is not None
            return Features(None, self.fast(fast))
        if not isinstance(self.fast, FastPathway):
            return Features(self.slow(slow), None)
        fast_map, laterals = self.fast.forward_with_laterals(fast)
        return Features(self.slow(slow, laterals), fast_map)

    def stages(self) -> list[Unit]:
        units: UnitModules = {}
        for prefix, pathway in self._pathways().items():
            for place, modules in pathway.unit_modules().items():
                units.setdefault(place, {}).update({f"{prefix}.{name}": module for name, module in modules.items()})
        return make_units(units)

    def _pathways(self) -> dict[str, Pathway]:
        named = {"slow": self.slow, "fast": self.fast}
        return {name: pathway for name, pathway in named.items() if pathway is not None}


@BACKBONES.register("Slowfast-Resnet50")
def build_slowfast_resnet50(cfg: CfgNode) -> SlowFast:
    return build_slowfast(cfg, depths=(3, 4, 6, 3), width=64)


@BACKBONES.register("Slowfast-Resnet101")
def build_slowfast_resnet101(cfg: CfgNode) -> SlowFast:
    return build_slowfast(cfg, depths=(3, 4, 23, 3), width=64)


@BACKBONES.register("Slowfast-Tiny")
def build_slowfast_tiny(cfg: CfgNode) -> SlowFast:
    """Returns a network of the same layout that trains on a CPU: one block a stage, a quarter of the width."""
    return build_slowfast(cfg, depths=(1, 1, 1, 1), width=16)


def build_slowfast(cfg: CfgNode, *, depths: tuple[int, ...], width: int) -> SlowFast:
    """Returns the SlowFast network of the config, with ``depths`` blocks in res2 .. res5.

    Raises:
        ConfigError: keys under MODEL.BACKBONE that cannot be built.
    """
    keys = cfg.MODEL.BACKBONE.SLOWFAST
    _check(keys)
    fast_width = _fast_width(width, keys.BETA) if keys.FAST.ACTIVE else 0
    slow = slow_spec(depths=depths, width=width, fast_width=fast_width)
    fast = fast_spec(depths=depths, width=fast_width)
    return SlowFast(
        slow=with_nonlocal_blocks(slow, keys.SLOW) if keys.SLOW.ACTIVE else None,
        fast=with_nonlocal_blocks(fast, keys.FAST) if keys.FAST.ACTIVE else None,
        alpha=cfg.INPUT.ALPHA,
        norm=build_norm_spec(cfg),
        nonlocal_spec=build_nonlocal_spec(cfg),
    )


def _check(keys: CfgNode) -> None:
    if not (keys.SLOW.ACTIVE or keys.FAST.ACTIVE):
        raise ConfigError("MODEL.BACKBONE.SLOWFAST: SLOW.ACTIVE and FAST.ACTIVE are both False; set one to True.")
    if keys.LATERAL != "tconv":
        raise ConfigError(
            f'MODEL.BACKBONE.SLOWFAST.LATERAL is "{keys.LATERAL}"; the one lateral connection is "tconv".'
        )


def _fast_width(width: int, beta: float) -> int:
    fast_width = round(width * beta)
    if fast_width < 1 or abs(fast_width - width * beta) > 1e-6:
        raise ConfigError(
            f"MODEL.BACKBONE.SLOWFAST.BETA is {beta}: the fast pathway would be {width * beta:g} channels wide; "
            f"choose a multiple of 1/{width} above 0."
        )
    return fast_width
