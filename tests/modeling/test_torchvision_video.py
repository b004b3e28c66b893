"""The residual networks of torchvision as backbones."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.video import R2Plus1D_18_Weights, mc3_18, r2plus1d_18, r3d_18
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv2Plus1D, Conv3DSimple, VideoResNet

from alphaction.config import load_cfg
from alphaction.config.check import check_cfg
from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d
from alphaction.modeling.backbone.blocks import NormSpec
from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.backbone.torchvision_video import TorchvisionResNet
from alphaction.utils.errors import ConfigError

CONFIG = Path(__file__).parents[2] / "config_files/own_video_r2plus1d18.yaml"
MAKERS = {"R3D-18": r3d_18, "MC3-18": mc3_18, "R2Plus1D-18": r2plus1d_18}
# Parameters of the stem and of layer1.0 .. layer4.1, as torchvision publishes the networks.
PARAMETERS = {
    "R3D-18": (28_352, 221_440, 221_440, 672_512, 885_248, 2_688_512, 3_539_968, 10_750_976, 14_157_824),
    "MC3-18": (28_352, 221_440, 221_440, 230_144, 295_424, 919_040, 1_180_672, 3_673_088, 4_720_640),
    "R2Plus1D-18": (15_473, 222_016, 222_016, 583_960, 886_400, 2_332_464, 3_542_272, 9_333_092, 14_162_432),
}
TOTALS = {"R3D-18": 33_166_272, "MC3-18": 11_490_240, "R2Plus1D-18": 31_300_125}
SCALE = "MODEL.ROI_ACTION_HEAD.POOLER_SCALE"
FROZEN = "MODEL.BACKBONE.FROZEN_BN"


def build(make_cfg: Callable, name: str, *opts: object) -> nn.Module:
    with torch.device("meta"):
        return build_backbone(make_cfg("MODEL.BACKBONE.CONV_BODY", name, *opts))


def small_network() -> VideoResNet:
    """A whole layer of the separated kind behind whole convolutions, in training's statistics."""
    torch.manual_seed(0)
    network = VideoResNet(BasicBlock, [Conv3DSimple] * 2 + [Conv2Plus1D] * 2, [1, 1, 1, 2], BasicStem)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def torchvision_map(network: VideoResNet, clip: torch.Tensor) -> torch.Tensor:
    found = []
    network.layer4.register_forward_hook(lambda module, inputs, output: found.append(output))
    network(clip)
    return found[0]


def as_backbone(network: VideoResNet, **options) -> TorchvisionResNet:
    """Returns a backbone with the weights of ``network`` that shares nothing with it."""
    norm = options.pop("norm", NormSpec())
    backbone = TorchvisionResNet(small_network(), norm=norm, **options).eval()
    backbone.load_state_dict(network.state_dict(), strict=False)
    return backbone


@pytest.mark.parametrize("name", list(MAKERS))
def test_units_are_the_stem_and_the_blocks_with_the_published_parameters(make_cfg: Callable, name: str) -> None:
    backbone = build(make_cfg, name)
    blocks = [f"layer{layer}.{block}" for layer in range(1, 5) for block in range(2)]
    assert [unit.name for unit in backbone.stages()] == ["stem", *blocks]
    assert tuple(unit.num_parameters() for unit in backbone.stages()) == PARAMETERS[name]
    assert sum(PARAMETERS[name]) == TOTALS[name]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", list(MAKERS))
def test_names_of_weights_are_those_of_torchvision(make_cfg: Callable, name: str, frozen: bool) -> None:
    with torch.device("meta"):
        published = MAKERS[name]().state_dict()
    expected = {key: value.shape for key, value in published.items() if not key.startswith("fc.")}
    if frozen:
        expected = {key: shape for key, shape in expected.items() if not key.endswith("num_batches_tracked")}
    ours = build(make_cfg, name, FROZEN, frozen, SCALE, 0.125).state_dict()
    assert {key: value.shape for key, value in ours.items()} == expected


@pytest.mark.parametrize(("name", "frames"), [("R3D-18", 2), ("MC3-18", 16), ("R2Plus1D-18", 2)])
@pytest.mark.parametrize(("scale", "size"), [(1 / 16, (7, 10)), (1 / 8, (14, 19))])
def test_the_map_is_as_large_as_the_pooler_expects(make_cfg, name, frames, scale, size) -> None:
    features = build(make_cfg, name, SCALE, scale)(torch.zeros(0), torch.zeros(2, 3, 16, 112, 149, device="meta"))
    assert features.slow is None
    assert features.fast.shape == (2, 512, frames, *size)


@torch.no_grad()
@pytest.mark.parametrize("frozen", [False, True])
def test_the_map_is_torchvisions(frozen: bool) -> None:
    network = small_network()
    clip = torch.randn(2, 3, 8, 37, 50)
    features = as_backbone(network, norm=NormSpec(frozen=frozen))(clip, clip)
    torch.testing.assert_close(features.fast, torchvision_map(network, clip), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_denser_map_holds_torchvisions_at_every_second_position() -> None:
    network = small_network()
    clip = torch.randn(1, 3, 8, 37, 50)
    dense = as_backbone(network, stride=8)(clip, clip).fast
    assert dense.shape[3:] == (5, 7)
    torch.testing.assert_close(dense[..., ::2, ::2], torchvision_map(network, clip), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 5])
def test_small_odd_clips_are_taken(frames: int) -> None:
    clip = torch.randn(1, 3, frames, 17, 9)
    assert as_backbone(small_network())(clip, clip).fast.shape == (1, 512, 1, 2, 1)


def test_live_norms_take_their_numbers_from_the_config(make_cfg: Callable) -> None:
    momentum = ("MODEL.BACKBONE.BN_MOMENTUM", 0.03, "MODEL.BACKBONE.BN_EPSILON", 1e-3)
    backbone = build(make_cfg, "R2Plus1D-18", *momentum)
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == 37
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.03, 1e-3)}
    frozen = build(make_cfg, "R2Plus1D-18", *momentum, FROZEN, True).modules()
    assert [norm.eps for norm in frozen if isinstance(norm, FrozenBatchNorm3d)] == [1e-3] * 37


def test_blocks_start_as_their_shortcut() -> None:
    backbone = TorchvisionResNet(small_network(), norm=NormSpec(last_gamma=0.0))
    started = [name for name, p in backbone.named_parameters() if p.dim() == 1 and not p.any() and "weight" in name]
    assert started == [
        f"{block}.conv2.1.weight" for block in ("layer1.0", "layer2.0", "layer3.0", "layer4.0", "layer4.1")
    ]


def test_every_parameter_gets_a_gradient_and_live_norms_move_their_statistics() -> None:
    backbone = as_backbone(small_network(), stride=8).train()
    before = backbone.layer4[1].conv2[1].running_mean.clone()
    clip = torch.randn(2, 3, 4, 32, 32)
    backbone(clip, clip).fast.square().mean().backward()
    assert not [name for name, p in backbone.named_parameters() if p.grad is None]
    assert not torch.equal(before, backbone.layer4[1].conv2[1].running_mean)


def test_frozen_norms_stay_while_convolutions_train() -> None:
    backbone = as_backbone(small_network(), norm=NormSpec(frozen=True)).train()
    before = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    clip = torch.randn(2, 3, 4, 32, 32)
    backbone(clip, clip).fast.square().mean().backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in backbone.named_buffers())
    assert all(p.dim() == 5 and p.grad is not None for p in backbone.parameters())


@pytest.mark.parametrize(
    ("name", "scale", "allowed"), [("R2Plus1D-18", 1 / 32, "1/16 .*1/8"), ("MViT-V2-S", 1 / 8, "1/16 .*1/32")]
)
def test_a_scale_the_map_cannot_have_is_refused(make_cfg: Callable, name: str, scale: float, allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"POOLER_SCALE is 0.*{name} can be {allowed}"):
        build(make_cfg, name, SCALE, scale)


def test_the_ready_config_gives_the_network_what_its_weights_have_seen() -> None:
    cfg = load_cfg(CONFIG)
    seen = R2Plus1D_18_Weights.DEFAULT.transforms()
    assert cfg.MODEL.WEIGHT == "torchvision:r2plus1d_18"
    assert cfg.INPUT.PIXEL_MEAN == pytest.approx([255 * value for value in seen.mean])
    assert cfg.INPUT.PIXEL_STD == pytest.approx([255 * value for value in seen.std])
    assert cfg.INPUT.FRAME_NUM * cfg.INPUT.ALPHA // cfg.INPUT.TAU == 16
    check_cfg(cfg)
