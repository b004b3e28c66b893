"""MViT v1-B and v2-S of torchvision as backbones (Fan et al., Multiscale Vision Transformers, 2021; Li et al., MViTv2,
2022), under torchvision's names of weights."""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.video import MViT, mvit_v1_b, mvit_v2_s
from torchvision.models.video.mvit import PositionalEncoding
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Backbone, Features
from alphaction.modeling.backbone.torchvision_video import build_stride, keep_size
from alphaction.modeling.registry import BACKBONES
from alphaction.structures.unit import Unit

_STRIDE = 32  # of the networks as they were published
_DENSE_STRIDE = 16


class TorchvisionMViT(Backbone):
    """A multiscale vision transformer of torchvision on the fast clip, without its classifier.

    Clips of any size are taken: positions are interpolated where it is not the size the network was made for.

    Args:
        network: whose parts this takes over; it is of no use afterwards.
        stride: pixels of the frame to one position of the map: 32, or 16, where the last pooling of queries is left
            out and the blocks behind it run on each of the four grids of every second position, as if that were the
            whole map. Where height and width are multiples of 32, one of these grids is then the map of stride 32.
    """

    def __init__(self, network: MViT, *, stride: int = _STRIDE) -> None:
        super().__init__()
        self.conv_proj = network.conv_proj
        self.pos_encoding = network.pos_encoding
        self.blocks = network.blocks
        self.norm = network.norm
        self.dim_out = network.norm.normalized_shape[0]
        self._num_joint = len(self.blocks)  # the blocks that see the whole map
        if stride == _DENSE_STRIDE:
            self._num_joint = _keep_last_size(self.blocks)

    def forward(self, slow: Tensor, fast: Tensor) -> Features:
        """Returns the map as ``fast``, [N, 768, T / 2, H / stride, W / stride], odd sizes rounded up.

        Args:
            slow: not looked at.
            fast: [N, 3, T, H, W].
        """
        patches = self.conv_proj(fast)  # [N, C, T', H', W']
        size = patches.shape[2:]
        x = _add_positions(patches.flatten(2).transpose(1, 2), self.pos_encoding, size)  # [N, 1 + T'H'W', C]
        for block in self.blocks[: self._num_joint]:
            x, size = block(x, tuple(size))
        token, grid = x[:, :1], x[:, 1:].unflatten(1, tuple(size))  # [N, 1, C], [N, T', H', W', C]
        if self._num_joint < len(self.blocks):
            grid = _run_apart(self.blocks[self._num_joint :], token, grid)
        return Features(None, self.norm(grid).permute(0, 4, 1, 2, 3))

    def stages(self) -> list[Unit]:
        """Returns ``stem`` (patches and positions), the blocks ``blocks.0`` .. ``blocks.15``, and ``norm``."""
        stem = Unit("stem", {"conv_proj": self.conv_proj, "pos_encoding": self.pos_encoding}, kind="stem")
        blocks = [Unit(f"blocks.{index}", {f"blocks.{index}": block}) for index, block in enumerate(self.blocks)]
        return [stem, *blocks, Unit("norm", {"norm": self.norm}, kind="norm")]


@BACKBONES.register("MViT-V1-B")
def build_mvit_v1_b(cfg: CfgNode) -> TorchvisionMViT:
    return build_torchvision_mvit(cfg, mvit_v1_b(weights=None))


@BACKBONES.register("MViT-V2-S")
def build_mvit_v2_s(cfg: CfgNode) -> TorchvisionMViT:
    return build_torchvision_mvit(cfg, mvit_v2_s(weights=None))


def build_torchvision_mvit(cfg: CfgNode, network: MViT) -> TorchvisionMViT:
    """Returns ``network`` with the stride of the config; it has layer norms alone, which the config leaves as they are.

    Raises:
        ConfigError: POOLER_SCALE is neither 1/16 nor 1/32.
    """
    return TorchvisionMViT(network, stride=build_stride(cfg, (_DENSE_STRIDE, _STRIDE)))


def _add_positions(tokens: Tensor, positions: PositionalEncoding, size: torch.Size) -> Tensor:
    """Returns [N, 1 + T'H'W', C] of [N, T'H'W', C]: the class token in front, and v1's absolute positions added."""
    tokens = torch.cat([positions.class_token.expand(len(tokens), 1, -1), tokens], dim=1)
    if positions.spatial_pos is None or positions.temporal_pos is None or positions.class_pos is None:
        return tokens
    space = _resize_space(positions.spatial_pos, positions.spatial_size, (size[1], size[2]))
    time = _resize_time(positions.temporal_pos, size[0])
    of_patches = (time[:, None] + space).flatten(0, 1)
    return tokens + torch.cat([positions.class_pos[None], of_patches])


def _resize_space(positions: Tensor, native: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Returns [H' * W', C] of [H * W, C]."""
    if size == native:
        return positions
    grid = positions.unflatten(0, native).permute(2, 0, 1)[None]
    return F.interpolate(grid, size, mode="bicubic", align_corners=False)[0].flatten(1).T


def _resize_time(positions: Tensor, num_frames: int) -> Tensor:
    """Returns [T', C] of [T, C]."""
    if num_frames == len(positions):
        return positions
    return F.interpolate(positions.T[None], num_frames, mode="linear", align_corners=False)[0].T


def _keep_last_size(blocks: nn.ModuleList) -> int:
    """Takes the stride out of the last pooling of queries; returns the number of blocks up to it."""
    last = max(index for index, block in enumerate(blocks) if block.pool_skip is not None)
    for pooling in ("attn.pool_q", "pool_skip"):
        keep_size(blocks[last].get_submodule(pooling))
    return last + 1


def _run_apart(blocks: nn.ModuleList, token: Tensor, grid: Tensor) -> Tensor:
    """Returns [N, T, H, W, C'] of [N, T, H, W, C]: the blocks run on each of the four grids of every second position.

    Args:
        blocks: that keep the size.
        token: [N, 1, C], the class token; each grid has its own copy.
        grid: the map.
    """
    merged: Tensor | None = None
    for row, column in product(range(min(2, grid.shape[2])), range(min(2, grid.shape[3]))):
        part = grid[:, :, row::2, column::2]
        size = tuple(part.shape[1:4])
        x = torch.cat([token, part.flatten(1, 3)], dim=1)
        for block in blocks:
            x, size = block(x, size)
        if merged is None:
            merged = x.new_zeros(*grid.shape[:4], x.shape[-1])
        merged[:, :, row::2, column::2] = x[:, 1:].unflatten(1, size)
    assert merged is not None
    return merged
