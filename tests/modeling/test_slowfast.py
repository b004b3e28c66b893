from collections.abc import Callable

import pytest
import torch
from torch import nn

from alphaction.config import get_cfg
from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d
from alphaction.layers.nonlocal_block import NonLocalBlock
from alphaction.modeling.backbone.blocks import NormSpec
from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.backbone.pathway import Pathway
from alphaction.modeling.backbone.slowfast import slow_spec
from alphaction.modeling.backbone.specs import with_nonlocal_blocks
from alphaction.utils.errors import ConfigError

SLOWFAST = "MODEL.BACKBONE.SLOWFAST"


def clips(size: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 3, 2, size, size, generator=generator), torch.randn(1, 3, 8, size, size, generator=generator)


def test_both_pathways_give_maps_at_one_sixteenth(make_cfg: Callable) -> None:
    slow, fast = build_backbone(make_cfg())(*clips(112))
    assert slow.shape == (1, 512, 2, 7, 7)
    assert fast.shape == (1, 64, 8, 7, 7)


def test_the_slow_pathway_sees_the_fast_frames(make_cfg: Callable) -> None:
    backbone = build_backbone(make_cfg("MODEL.BACKBONE.FROZEN_BN", True)).eval()
    slow, fast = clips()
    with torch.no_grad():
        assert not torch.equal(backbone(slow, fast).slow, backbone(slow, fast.flip(2)).slow)
        assert torch.equal(backbone(slow, fast).fast, backbone(slow.flip(2), fast).fast)


@pytest.mark.parametrize(("off", "dim_out"), [("SLOW", 64), ("FAST", 512)])
def test_a_pathway_that_is_off_is_not_built(make_cfg: Callable, off: str, dim_out: int) -> None:
    backbone = build_backbone(make_cfg(f"{SLOWFAST}.{off}.ACTIVE", False))
    features = backbone(*clips())
    assert backbone.dim_out == dim_out == next(f for f in features if f is not None).shape[1]
    assert getattr(features, off.lower()) is None
    assert not [key for key in backbone.state_dict() if key.startswith(off.lower()) or "Tconv" in key]


def test_the_width_of_a_fast_pathway_that_is_off_does_not_matter(make_cfg: Callable) -> None:
    build_backbone(make_cfg(f"{SLOWFAST}.FAST.ACTIVE", False, f"{SLOWFAST}.BETA", 0.0))


def build_resnet50(make_cfg: Callable, *opts: object) -> nn.Module:
    with torch.device("meta"):
        return build_backbone(make_cfg("MODEL.BACKBONE.CONV_BODY", "Slowfast-Resnet50", *opts))


def test_lateral_connections_belong_to_the_block_they_read(make_cfg: Callable) -> None:
    units = {unit.name: list(unit.modules) for unit in build_resnet50(make_cfg).stages()}
    assert units["stem"] == ["slow.conv1", "slow.bn1", "fast.conv1", "fast.bn1", "fast.Tconv1"]
    assert units["res4.4"] == ["slow.res_nl3.res_4", "fast.res_nl3.res_4"]
    assert units["res4.5"] == ["slow.res_nl3.res_5", "fast.res_nl3.res_5", "fast.Tconv4"]
    assert units["res5.2"] == ["slow.res_nl4.res_2", "fast.res_nl4.res_2"]


def test_a_non_local_block_belongs_to_the_block_in_front_of_it(make_cfg: Callable) -> None:
    backbone = build_resnet50(make_cfg, f"{SLOWFAST}.FAST.CONV3_NONLOCAL", True)
    units = {unit.name: list(unit.modules) for unit in backbone.stages()}
    assert units["res3.1"] == ["slow.res_nl2.res_1", "fast.res_nl2.res_1", "fast.res_nl2.nonlocal_1"]
    assert units["res3.2"] == ["slow.res_nl2.res_2", "fast.res_nl2.res_2"]


def test_keys_of_the_batch_norm_are_used(make_cfg: Callable) -> None:
    prefix = "MODEL.BACKBONE"
    cfg = make_cfg(f"{prefix}.BN_EPSILON", 1e-3, f"{prefix}.BN_MOMENTUM", 0.3, f"{prefix}.BN_INIT_GAMMA", 0.5)
    backbone = build_backbone(cfg)
    assert {(norm.eps, norm.momentum) for norm in backbone.modules() if isinstance(norm, nn.BatchNorm3d)} == {
        (1e-3, 0.3)
    }
    block = backbone.slow.res_nl1.res_0
    assert set(block.btnk.conv3.bn.weight.tolist()) == {0.5}
    assert set(block.btnk.conv2.bn.weight.tolist()) == set(block.shortcut.bn.weight.tolist()) == {1.0}


def test_frozen_batch_norms_start_as_the_identity(make_cfg: Callable) -> None:
    backbone = build_backbone(make_cfg("MODEL.BACKBONE.FROZEN_BN", True, "MODEL.BACKBONE.BN_EPSILON", 1e-3))
    norms = [module for module in backbone.modules() if isinstance(module, FrozenBatchNorm3d)]
    assert {norm.eps for norm in norms} == {1e-3}
    assert all(bool((norm.weight == 1).all()) for norm in norms)


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        ((f"{SLOWFAST}.LATERAL", "avg"), 'LATERAL is "avg"'),
        ((f"{SLOWFAST}.SLOW.ACTIVE", False, f"{SLOWFAST}.FAST.ACTIVE", False), "both False"),
        (("MODEL.NONLOCAL.CONV_INIT_STD", -1.0), "NONLOCAL.CONV_INIT_STD is -1.0; it must not be negative"),
        ((f"{SLOWFAST}.BETA", 0.01), "choose a multiple of 1/16"),
    ],
)
def test_keys_that_cannot_be_built_are_refused(make_cfg: Callable, opts: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(make_cfg(*opts))


def test_an_unknown_name_is_answered_with_the_nearest_one(make_cfg: Callable) -> None:
    with pytest.raises(ValueError, match='did you mean "Slowfast-Resnet50"'):
        build_backbone(make_cfg("MODEL.BACKBONE.CONV_BODY", "Slowfast-Resnet5"))


def nonlocal_blocks(module: nn.Module) -> dict[str, int]:
    """Returns the name of each non-local block -> frames of its groups."""
    return {name: m.group_frames for name, m in module.named_modules() if isinstance(m, NonLocalBlock)}


def test_the_bare_defaults_build_a_network_with_nonlocal_blocks_in_the_slow_pathway() -> None:
    with torch.device("meta"):
        backbone = build_backbone(get_cfg())
    assert list(nonlocal_blocks(backbone)) == [
        *(f"slow.res_nl2.nonlocal_{index}" for index in (1, 3)),
        *(f"slow.res_nl3.nonlocal_{index}" for index in (1, 3, 5)),
    ]


@pytest.mark.parametrize(("stage", "key", "grouped"), [(2, "CONV3", 4), (3, "CONV4", 0)])
@pytest.mark.parametrize("pathway", ["slow", "fast"])
def test_each_key_adds_nonlocal_blocks_to_its_own_stage(
    make_cfg: Callable, pathway: str, stage: int, key: str, grouped: int
) -> None:
    node = f"{SLOWFAST}.{pathway.upper()}"
    asked = (f"{node}.{key}_NONLOCAL", True)
    name = f"{pathway}.res_nl{stage}.nonlocal_0"  # behind the only block of the stage
    assert nonlocal_blocks(build_backbone(make_cfg(*asked))) == {name: 0}
    assert nonlocal_blocks(build_backbone(make_cfg(*asked, f"{node}.CONV3_GROUP_NL", True))) == {name: grouped}


@pytest.mark.parametrize("off", ["SLOW", "FAST"])
def test_a_pathway_alone_runs_with_nonlocal_blocks(make_cfg: Callable, off: str) -> None:
    on = "FAST" if off == "SLOW" else "SLOW"
    keys = [(f"{SLOWFAST}.{on}.{key}", True) for key in ("CONV3_NONLOCAL", "CONV3_GROUP_NL", "CONV4_NONLOCAL")]
    backbone = build_backbone(make_cfg(f"{SLOWFAST}.{off}.ACTIVE", False, *(word for key in keys for word in key)))
    assert list(nonlocal_blocks(backbone)) == [f"{on.lower()}.res_nl{stage}.nonlocal_0" for stage in (2, 3)]
    sum(features.square().mean() for features in backbone(*clips()) if features is not None).backward()
    assert not [name for name, p in backbone.named_parameters() if p.grad is None]


def test_nonlocal_blocks_are_half_as_wide_inside_and_stand_in_the_unit_of_their_stage() -> None:
    keys = get_cfg().MODEL.BACKBONE.I3D
    pathway = Pathway(with_nonlocal_blocks(slow_spec(depths=(1, 2, 5, 1), width=4), keys), norm=NormSpec())
    assert [name for name, _ in pathway.res_nl2.named_children()] == ["res_0", "res_1", "nonlocal_1"]
    assert [name for name, _ in pathway.res_nl3.named_children() if name.startswith("non")] == [
        "nonlocal_1",
        "nonlocal_3",
    ]
    assert pathway.res_nl2.nonlocal_1.theta.weight.shape == (16, 32, 1, 1, 1)
    assert pathway(clips()[0]).shape[1] == pathway.dim_out


def test_a_new_network_keeps_the_scale_of_its_input(make_cfg: Callable) -> None:
    torch.manual_seed(0)
    slow, fast = build_backbone(make_cfg())(*clips(112))
    assert 0.1 < slow.std() < 10 and 0.1 < fast.std() < 10
