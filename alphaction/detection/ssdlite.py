"""SSDLite on MobileNetV2 (Sandler et al., 2018, section 6.2) with the weights of a frozen TensorFlow graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from alphaction.detection.anchors import AnchorLevel, decode_boxes, make_anchors
from alphaction.utils.errors import DataError

INPUT_SIZE = 300
_BN_EPSILON = 0.001
_BACKBONE = "FeatureExtractor/MobilenetV2"
_STRIDED_BLOCKS = (1, 3, 6, 13)
_NUM_BLOCKS = 17
_BLOCK_OF_FIRST_MAP = 13
# The maps after the backbone: (1x1 convolution, 3x3 convolution of stride 2).
_EXTRA = (
    ("layer_19_1_Conv2d_2_1x1_256", "layer_19_2_Conv2d_2_3x3_s2_512"),
    ("layer_19_1_Conv2d_3_1x1_128", "layer_19_2_Conv2d_3_3x3_s2_256"),
    ("layer_19_1_Conv2d_4_1x1_128", "layer_19_2_Conv2d_4_3x3_s2_256"),
    ("layer_19_1_Conv2d_5_1x1_64", "layer_19_2_Conv2d_5_3x3_s2_128"),
)
_SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
_GRIDS = (19, 10, 5, 3, 2, 1)
_RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Returns the zeros before and after an axis of ``size`` that TensorFlow's SAME padding adds: the odd one after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class ConvLayer(nn.Module):
    """A convolution with TensorFlow's SAME padding, a bias and optionally ReLU6.

    Args:
        weight: [out, in / groups, k, k].
        bias: [out].
        stride: of both axes.
        groups: as many as channels in a depthwise layer, else 1.
        relu6: whether the activation follows.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int, groups: int, relu6: bool) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
        self._stride, self._groups, self._relu6 = stride, groups, relu6

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        if kernel > 1:
            (top, bottom), (left, right) = (same_padding(size, kernel, self._stride) for size in x.shape[-2:])
            x = F.pad(x, (left, right, top, bottom))
        x = F.conv2d(x, self.weight, self.bias, stride=self._stride, groups=self._groups)
        return F.relu6(x) if self._relu6 else x


@dataclass(frozen=True, slots=True)
class GraphLayers:
    """Makes layers from the constants of a frozen graph, batch normalisation folded in."""

    constants: Mapping[str, NDArray]

    def conv(self, scope: str, *, stride: int = 1, relu6: bool = True) -> ConvLayer:
        """Returns the layer of a TensorFlow scope; ``depthwise_weights`` make it a depthwise one.

        Raises:
            DataError: the graph has no such layer.
        """
        is_depthwise = f"{scope}/depthwise_weights" in self.constants
        weight = self._get(f"{scope}/depthwise_weights" if is_depthwise else f"{scope}/weights")
        weight = weight.transpose(2, 3, 0, 1) if is_depthwise else weight.transpose(3, 2, 0, 1)  # from HWIO
        if f"{scope}/biases" in self.constants:
            bias = self._get(f"{scope}/biases")
        else:
            gamma, beta, mean, variance = (
                self._get(f"{scope}/BatchNorm/{name}") for name in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            factor = gamma / np.sqrt(variance + np.float32(_BN_EPSILON))
            weight, bias = weight * factor[:, None, None, None], beta - mean * factor
        tensors = [torch.from_numpy(np.ascontiguousarray(values, np.float32)) for values in (weight, bias)]
        return ConvLayer(*tensors, stride=stride, groups=len(weight) if is_depthwise else 1, relu6=relu6)

    def has(self, scope: str) -> bool:
        return f"{scope}/weights" in self.constants

    def _get(self, name: str) -> NDArray:
        if name not in self.constants:
            raise DataError(f"The frozen graph has no constant {name}; it is not an SSDLite-MobileNetV2 detector.")
        return self.constants[name]


class InvertedResidual(nn.Module):
    """Block ``expanded_conv_<i>``: expand, depthwise, project, and the input added where the shapes agree."""

    def __init__(self, layers: GraphLayers, scope: str, *, stride: int) -> None:
        super().__init__()
        has_expansion = layers.has(f"{scope}/expand")
        self.expand = layers.conv(f"{scope}/expand") if has_expansion else None
        self.depthwise = layers.conv(f"{scope}/depthwise", stride=stride)
        self.project = layers.conv(f"{scope}/project", relu6=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the block's output, and its expansion (the input where it has none)."""
        expanded = x if self.expand is None else self.expand(x)
        projected = self.project(self.depthwise(expanded))
        return projected + x if projected.shape == x.shape else projected, expanded


class SSDLite(nn.Module):
    """The detector: images to scored boxes of one class after the other, before suppression.

    Args:
        layers: of the frozen graph.
    """

    anchors: Tensor

    def __init__(self, layers: GraphLayers) -> None:
        super().__init__()
        self.stem = layers.conv(f"{_BACKBONE}/Conv", stride=2)
        scopes = [f"{_BACKBONE}/expanded_conv" + (f"_{i}" if i else "") for i in range(_NUM_BLOCKS)]
        self.blocks = nn.ModuleList(
            InvertedResidual(layers, scope, stride=2 if i in _STRIDED_BLOCKS else 1) for i, scope in enumerate(scopes)
        )
        self.last = layers.conv(f"{_BACKBONE}/Conv_1")
        self.extra = nn.ModuleList(
            nn.Sequential(
                layers.conv(f"{_BACKBONE}/{narrow}"),
                layers.conv(f"{_BACKBONE}/{wide}_depthwise", stride=2),
                layers.conv(f"{_BACKBONE}/{wide}"),
            )
            for narrow, wide in _EXTRA
        )
        self.boxes = self._heads(layers, "BoxEncodingPredictor")
        self.classes = self._heads(layers, "ClassPredictor")
        self.register_buffer("anchors", make_anchors(anchor_levels()), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns boxes [N, A, 4] (left, top, right, bottom as fractions of the image) and scores [N, A, K].

        Args:
            images: [N, 3, 300, 300] RGB, scaled to -1 .. 1.
        """
        maps = self._feature_maps(images)
        encoded = [head(x).permute(0, 2, 3, 1).flatten(1) for head, x in zip(self.boxes, maps, strict=True)]
        logits = [head(x).permute(0, 2, 3, 1).flatten(1) for head, x in zip(self.classes, maps, strict=True)]
        num_anchors = len(self.anchors)
        boxes = decode_boxes(torch.cat(encoded, dim=1).reshape(len(images), num_anchors, 4), self.anchors)
        scores = torch.cat(logits, dim=1).reshape(len(images), num_anchors, -1).sigmoid()
        return boxes, scores[:, :, 1:]  # column 0 is the background

    def _feature_maps(self, x: Tensor) -> list[Tensor]:
        maps = []
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            x, expanded = block(x)
            if i == _BLOCK_OF_FIRST_MAP:
                maps.append(expanded)
        x = self.last(x)
        maps.append(x)
        for layers in self.extra:
            x = layers(x)
            maps.append(x)
        return maps

    @staticmethod
    def _heads(layers: GraphLayers, name: str) -> nn.ModuleList:
        scopes = [f"BoxPredictor_{level}/{name}" for level in range(len(_GRIDS))]
        return nn.ModuleList(
            nn.Sequential(layers.conv(f"{scope}_depthwise"), layers.conv(scope, relu6=False)) for scope in scopes
        )


def anchor_levels() -> list[AnchorLevel]:
    """Returns the anchors of the six maps: three on the first, else five shapes and one between two scales."""
    levels = [AnchorLevel(_GRIDS[0], (0.1, 0.2, 0.2), (1.0, 2.0, 0.5))]
    for grid, scale, following in zip(_GRIDS[1:], _SCALES[1:], (*_SCALES[2:], 1.0), strict=True):
        between = (scale * following) ** 0.5
        levels.append(AnchorLevel(grid, (*(scale for _ in _RATIOS), between), (*_RATIOS, 1.0)))
    return levels
