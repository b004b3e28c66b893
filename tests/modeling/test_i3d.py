from collections.abc import Callable

import pytest
import torch
from torch import nn

from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d
from alphaction.layers.nonlocal_block import NonLocalBlock
from alphaction.modeling import build_detector
from alphaction.modeling.backbone.blocks import NormSpec
from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.backbone.i3d import I3D, i3d_spec
from alphaction.structures.boxes import Boxes
from alphaction.utils.errors import ConfigError

I3D_KEYS = "MODEL.BACKBONE.I3D"
NAMES = ("I3D-Resnet50", "I3D-Resnet101", "I3D-Resnet50-Sparse", "I3D-Resnet101-Sparse")
PLAIN = (f"{I3D_KEYS}.CONV3_NONLOCAL", False, f"{I3D_KEYS}.CONV4_NONLOCAL", False)


def build(make_cfg: Callable, name: str, *opts: object, frames: int = 32) -> nn.Module:
    clip = ("INPUT.FRAME_NUM", frames, "INPUT.TAU", 8, "INPUT.ALPHA", 8)
    with torch.device("meta"):
        return build_backbone(make_cfg("MODEL.BACKBONE.CONV_BODY", name, *clip, *opts))


def nonlocal_blocks(backbone: nn.Module) -> dict[str, int]:
    """Returns the name of each non-local block -> frames of its groups."""
    return {name: m.group_frames for name, m in backbone.named_modules() if isinstance(m, NonLocalBlock)}


@pytest.mark.parametrize("name", NAMES)
def test_time_shrinks_to_an_eighth_or_for_sparse_frames_to_a_half(make_cfg: Callable, name: str) -> None:
    backbone = build(make_cfg, name)
    with torch.device("meta"):
        features = backbone(torch.zeros(2, 3, 4, 96, 128), torch.zeros(2, 3, 32, 96, 128))
    assert features.slow is None
    assert features.fast.shape == (2, backbone.dim_out, 16 if name.endswith("Sparse") else 4, 6, 8)
    assert backbone.dim_out == 2048


@pytest.mark.parametrize("name", NAMES)
def test_every_second_block_of_res3_and_res4_has_a_nonlocal_block(make_cfg: Callable, name: str) -> None:
    last = 23 if "101" in name else 6
    expected = [f"res_nl2.nonlocal_{i}" for i in (1, 3)] + [f"res_nl3.nonlocal_{i}" for i in range(1, last, 2)]
    assert list(nonlocal_blocks(build(make_cfg, name))) == expected


def test_groups_are_those_of_res3_only(make_cfg: Callable) -> None:
    backbone = build(make_cfg, "I3D-Resnet50", f"{I3D_KEYS}.CONV3_GROUP_NL", True)
    assert {name[:7]: frames for name, frames in nonlocal_blocks(backbone).items()} == {"res_nl2": 4, "res_nl3": 0}
    assert not nonlocal_blocks(build(make_cfg, "I3D-Resnet50", *PLAIN, f"{I3D_KEYS}.CONV3_GROUP_NL", True))


def test_nonlocal_blocks_take_their_norm_from_their_own_keys(make_cfg: Callable) -> None:
    backbone = build(make_cfg, "I3D-Resnet50", "MODEL.NONLOCAL.FROZEN_BN", True, "MODEL.NONLOCAL.BN_EPSILON", 1e-3)
    block = backbone.res_nl2.nonlocal_1
    assert isinstance(block.bn, FrozenBatchNorm3d) and block.bn.eps == 1e-3
    assert isinstance(backbone.res_nl2.res_1.btnk.conv3.bn, nn.BatchNorm3d)
    assert build(make_cfg, "I3D-Resnet50", "MODEL.NONLOCAL.USE_BN", False).res_nl2.nonlocal_1.bn is None


def test_units_name_the_network_itself(make_cfg: Callable) -> None:
    units = {unit.name: list(unit.modules) for unit in build(make_cfg, "I3D-Resnet50").stages()}
    assert len(units) == 17
    assert units["stem"] == ["conv1", "bn1"]
    assert units["res5.2"] == ["res_nl4.res_2"]


def test_the_slow_clip_does_not_matter() -> None:
    torch.manual_seed(0)
    backbone = I3D(i3d_spec(depths=(1, 1, 1, 1)), norm=NormSpec(frozen=True)).eval()
    fast = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        assert torch.equal(backbone(fast[:, :, :1], fast).fast, backbone(fast[:, :, :1] + 1, fast).fast)


@pytest.mark.parametrize(("name", "least"), [("I3D-Resnet50", 7), ("I3D-Resnet50-Sparse", 2)])
def test_a_clip_that_would_vanish_is_refused_and_the_shortest_one_is_not(
    make_cfg: Callable, name: str, least: int
) -> None:
    def clip(frames: int) -> tuple[object, ...]:
        return "INPUT.FRAME_NUM", frames, "INPUT.TAU", 1, "INPUT.ALPHA", 1

    with pytest.raises(ConfigError, match=f"needs {least} frames at least; INPUT.FRAME_NUM {least - 1}"):
        build(make_cfg, name, *clip(least - 1))
    backbone = build(make_cfg, name, *clip(least))
    with torch.device("meta"):
        fast = torch.zeros(1, 3, least, 64, 64)
        assert backbone(fast, fast).fast.shape[2] == 1


@pytest.mark.parametrize("pooler", ["align3d", "pooling3d"])
@pytest.mark.parametrize("mean_before", [False, True])
def test_a_detector_reads_the_one_pathway(make_cfg: Callable, pooler: str, mean_before: bool) -> None:
    head = "MODEL.ROI_ACTION_HEAD"
    opts = (f"{head}.POOLER_TYPE", pooler, f"{head}.MEAN_BEFORE_POOLER", mean_before, "INPUT.FRAME_NUM", 16)
    torch.manual_seed(0)
    detector = build_detector(make_cfg("MODEL.BACKBONE.CONV_BODY", "I3D-Resnet50", *opts)).eval()
    boxes = [Boxes(torch.tensor([[0.0, 0, 10, 10], [0, 0, 63, 63]]), (64, 64))]
    with torch.no_grad():
        logits = detector(torch.zeros(1, 3, 2, 64, 64), torch.randn(1, 3, 8, 64, 64), boxes)
    assert logits.shape == (2, 80)
    assert not torch.equal(logits[0], logits[1])
