"""The multiscale vision transformers of torchvision as backbones."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision.models.video import MViT, mvit_v1_b, mvit_v2_s
from torchvision.models.video.mvit import MSBlockConfig

from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.backbone.torchvision_mvit import TorchvisionMViT

MAKERS = {"MViT-V1-B": mvit_v1_b, "MViT-V2-S": mvit_v2_s}
# Parameters of the stem, of the blocks, and of the last norm, as torchvision publishes the networks.
PARAMETERS = {
    "MViT-V1-B": (
        *(344_448, 172_992, 453_216, 672_192, 1_782_816),
        *([1_780_032] * 9),
        *(2_665_920, 7_096_224, 7_093_440, 1_536),
    ),
    "MViT-V2-S": (
        *(42_528, 142_944, 428_352, 465_216, 1_641_984),
        *([1_789_440] * 10),
        *(6_513_024, 7_100_160, 1_536),
    ),
}
TOTALS = {"MViT-V1-B": 36_303_072, "MViT-V2-S": 34_230_144}
VERSIONS = (1, 2)
SIZE = (4, 64, 64)  # frames, height, width


def small_network(version: int) -> MViT:
    """Three poolings of queries, the last before the last block but one, as the published networks have them."""
    torch.manual_seed(0)
    halves = [False, True, False, True, True, False]
    widths = [8, 8, 16, 16, 16, 32, 32]
    kept = [] if version == 1 else [1, 1, 1]
    settings = [
        MSBlockConfig(
            num_heads=2,
            input_channels=widths[index],
            output_channels=widths[index + 1],
            kernel_q=[3, 3, 3] if half or version == 2 else [],
            kernel_kv=[3, 3, 3],
            stride_q=[1, 2, 2] if half else kept,
            stride_kv=[1, stride, stride],
        )
        for index, (half, stride) in enumerate(zip(halves, (4, 2, 2, 1, 1, 1), strict=True))
    ]
    is_v2 = version == 2
    network = MViT(
        spatial_size=SIZE[1:],
        temporal_size=SIZE[0],
        block_setting=settings,
        residual_pool=is_v2,
        residual_with_cls_embed=False,
        rel_pos_embed=is_v2,
        proj_after_attn=is_v2,
        stochastic_depth_prob=0.2,
    )
    for name, parameter in network.named_parameters():
        if "pos" in name or "token" in name:
            nn.init.normal_(parameter)
    return network.eval()


def torchvision_tokens(network: MViT, clip: torch.Tensor) -> torch.Tensor:
    """Returns what the network's last norm gives, [N, 1 + T'H'W', C]."""
    found = []
    network.norm.register_forward_hook(lambda module, inputs, output: found.append(output))
    network(clip)
    return found[0]


def as_backbone(network: MViT, version: int, **options) -> TorchvisionMViT:
    """Returns a backbone with the weights of ``network`` that shares nothing with it."""
    backbone = TorchvisionMViT(small_network(version), **options).eval()
    backbone.load_state_dict(network.state_dict(), strict=False)
    return backbone


@pytest.mark.parametrize("name", list(MAKERS))
def test_units_are_stem_blocks_and_norm_with_the_published_parameters(make_cfg: Callable, name: str) -> None:
    with torch.device("meta"):
        backbone = build_backbone(make_cfg("MODEL.BACKBONE.CONV_BODY", name))
        published = MAKERS[name]().state_dict()
    assert [unit.name for unit in backbone.stages()] == ["stem", *(f"blocks.{index}" for index in range(16)), "norm"]
    assert tuple(unit.num_parameters() for unit in backbone.stages()) == PARAMETERS[name]
    assert sum(PARAMETERS[name]) == TOTALS[name]
    ours = {key: value.shape for key, value in backbone.state_dict().items()}
    assert ours == {key: value.shape for key, value in published.items() if not key.startswith("head.")}


@pytest.mark.parametrize(("scale", "size"), [(1 / 32, (7, 11)), (1 / 16, (14, 21))])
@pytest.mark.parametrize("name", list(MAKERS))
def test_the_map_is_as_large_as_the_pooler_expects(make_cfg, name: str, scale: float, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        keys = ("MODEL.BACKBONE.CONV_BODY", name, "MODEL.ROI_ACTION_HEAD.POOLER_SCALE", scale)
        features = build_backbone(make_cfg(*keys))(torch.zeros(0), torch.zeros(2, 3, 16, 224, 330))
    assert features.slow is None
    assert features.fast.shape == (2, 768, 8, *size)


@torch.no_grad()
@pytest.mark.parametrize("version", VERSIONS)
def test_the_map_is_torchvisions_without_the_class_token(version: int) -> None:
    network = small_network(version)
    clip = torch.randn(2, 3, *SIZE)
    features = as_backbone(network, version)(clip, clip)
    assert features.fast.shape == (2, 32, 2, 2, 2)
    torch.testing.assert_close(features.fast.flatten(2).transpose(1, 2), torchvision_tokens(network, clip)[:, 1:])


@torch.no_grad()
@pytest.mark.parametrize("version", VERSIONS)
def test_the_denser_map_holds_torchvisions_at_every_second_position(version: int) -> None:
    network = small_network(version)
    clip = torch.randn(2, 3, *SIZE)
    dense = as_backbone(network, version, stride=16)(clip, clip).fast
    assert dense.shape == (2, 32, 2, 4, 4)
    found = dense[..., ::2, ::2].flatten(2).transpose(1, 2)
    torch.testing.assert_close(found, torchvision_tokens(network, clip)[:, 1:])
    assert not torch.allclose(dense[..., 1::2, 1::2], dense[..., ::2, ::2])


@torch.no_grad()
@pytest.mark.parametrize("stride", [16, 32])
@pytest.mark.parametrize("size", [(7, 50, 91), (1, 5, 5)])
@pytest.mark.parametrize("version", VERSIONS)
def test_clips_of_other_sizes_are_taken(version: int, size: tuple[int, int, int], stride: int) -> None:
    clip = torch.randn(1, 3, *size)
    found = as_backbone(small_network(version), version, stride=stride)(clip, clip).fast
    assert found.shape == (1, 32, -(-size[0] // 2), *(-(-side // stride) for side in size[1:]))
    assert found.isfinite().all()


@torch.no_grad()
def test_positions_of_a_larger_clip_are_those_of_the_same_place() -> None:
    network = small_network(1)
    ramp = torch.linspace(-1, 1, 16)
    network.pos_encoding.spatial_pos.copy_(ramp.repeat(16)[:, None].expand(-1, 8))  # from left to right
    backbone = as_backbone(network, 1)
    backbone.conv_proj.weight.zero_()
    seen = []
    backbone.blocks[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][:, 1:]))
    for height, width in ((64, 64), (64, 128)):
        clip = torch.zeros(1, 3, 4, height, width)
        backbone(clip, clip)
    native, wide = seen[0].unflatten(1, (2, 16, 16)), seen[1].unflatten(1, (2, 16, 32))
    inner = slice(2, -2)
    torch.testing.assert_close(wide.unflatten(3, (16, 2)).mean(4)[..., inner, :], native[..., inner, :])


@pytest.mark.parametrize("stride", [16, 32])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_parameter_gets_a_gradient(version: int, stride: int) -> None:
    backbone = as_backbone(small_network(version), version, stride=stride).train()
    clip = torch.randn(4, 3, 4, 64, 96)
    backbone(clip, clip).fast.square().sum(1).amax(dim=(1, 2, 3)).sum().backward()
    assert not [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
