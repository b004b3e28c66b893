"""R3D-18, MC3-18 and R(2+1)D-18 of torchvision as backbones (Tran et al., A Closer Look at Spatiotemporal
Convolutions for Action Recognition, 2018), under torchvision's names of weights."""

from collections.abc import Collection

from torch import Tensor, nn
from torchvision.models.video import mc3_18, r2plus1d_18, r3d_18
from torchvision.models.video.resnet import VideoResNet
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Backbone, Features
from alphaction.modeling.backbone.blocks import NormSpec
from alphaction.modeling.backbone.specs import build_norm_spec
from alphaction.modeling.registry import BACKBONES
from alphaction.structures.unit import Unit
from alphaction.utils.errors import ConfigError

_LAYERS = ("layer1", "layer2", "layer3", "layer4")
_STRIDE = 16  # of the networks as they were published
_DENSE_STRIDE = 8


class TorchvisionResNet(Backbone):
    """A residual network of torchvision on the fast clip, without its classifier.

    Args:
        network: whose stem and layers this takes over; it is of no use afterwards.
        stride: pixels of the frame to one position of the map: 16, or 8, where layer4 does not halve the map and its
            kernels reach twice as far instead. At every second position such a map is the one of stride 16.
        norm: the batch norms; their weights start anew.
    """

    def __init__(self, network: VideoResNet, *, stride: int = _STRIDE, norm: NormSpec) -> None:
        super().__init__()
        self.stem = network.stem
        for name in _LAYERS:
            self.add_module(name, getattr(network, name))
        self.dim_out = network.fc.in_features
        if stride == _DENSE_STRIDE:
            keep_size(network.layer4)
        _replace_norms(self, norm)

    def forward(self, slow: Tensor, fast: Tensor) -> Features:
        """Returns the map as ``fast``, [N, 512, T', H / stride, W / stride], odd sizes rounded up.

        T' is T for MC3-18 and an eighth of T, rounded up, for the others.

        Args:
            slow: not looked at.
            fast: [N, 3, T, H, W].
        """
        x = self.stem(fast)
        for name in _LAYERS:
            x = getattr(self, name)(x)
        return Features(None, x)

    def stages(self) -> list[Unit]:
        """Returns ``stem``, then the blocks ``layer1.0`` .. ``layer4.1``."""
        blocks = [
            Unit(f"{layer}.{index}", {f"{layer}.{index}": block}, layer=layer)
            for layer in _LAYERS
            for index, block in enumerate(getattr(self, layer))
        ]
        return [Unit("stem", {"stem": self.stem}, kind="stem"), *blocks]


@BACKBONES.register("R3D-18")
def build_r3d_18(cfg: CfgNode) -> TorchvisionResNet:
    return build_torchvision_resnet(cfg, r3d_18(weights=None))


@BACKBONES.register("MC3-18")
def build_mc3_18(cfg: CfgNode) -> TorchvisionResNet:
    return build_torchvision_resnet(cfg, mc3_18(weights=None))


@BACKBONES.register("R2Plus1D-18")
def build_r2plus1d_18(cfg: CfgNode) -> TorchvisionResNet:
    return build_torchvision_resnet(cfg, r2plus1d_18(weights=None))


def build_torchvision_resnet(cfg: CfgNode, network: VideoResNet) -> TorchvisionResNet:
    """Returns ``network`` with the batch norms and the stride of the config.

    Raises:
        ConfigError: POOLER_SCALE is neither 1/16 nor 1/8.
    """
    stride = build_stride(cfg, (_STRIDE, _DENSE_STRIDE))
    return TorchvisionResNet(network, stride=stride, norm=build_norm_spec(cfg))


def build_stride(cfg: CfgNode, allowed: Collection[int]) -> int:
    """Returns the stride of the map that POOLER_SCALE asks for.

    Raises:
        ConfigError: it is none of ``allowed``.
    """
    scale = cfg.MODEL.ROI_ACTION_HEAD.POOLER_SCALE
    stride = next((stride for stride in allowed if abs(scale * stride - 1) < 1e-3), None)
    if stride is None:
        raise ConfigError(
            f"MODEL.ROI_ACTION_HEAD.POOLER_SCALE is {scale:g}; the map of MODEL.BACKBONE.CONV_BODY "
            f"{cfg.MODEL.BACKBONE.CONV_BODY} can be {' or '.join(f'1/{one} ({1 / one:g})' for one in allowed)} of "
            "the frame."
        )
    return stride


def keep_size(module: nn.Module) -> None:
    """Takes the spatial stride out of the layers of ``module``; they are in the order of their execution.

    The kernels behind reach twice as far, so that every second output is what it was before, and weights made for the
    one form are right for the other.
    """
    for layer in module.modules():
        if not isinstance(layer, nn.Conv3d | nn.MaxPool3d):
            continue
        assert not isinstance(layer.stride, int) and not isinstance(layer.kernel_size, int)  # [time, height, width]
        time_stride, stride, _ = layer.stride
        time_kernel, kernel, _ = layer.kernel_size
        if stride > 1:
            layer.stride = (time_stride, 1, 1)
        elif kernel > 1:
            layer.dilation = (1, 2, 2)
            layer.padding = (time_kernel // 2, 2 * (kernel // 2), 2 * (kernel // 2))


def _replace_norms(network: nn.Module, norm: NormSpec) -> None:
    for parent_name, parent in list(network.named_modules()):
        # In a residual block the last norm before the sum.
        has_last_norm = parent_name.endswith(".conv2")
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm3d):
                setattr(parent, name, norm.make(child.num_features, is_last=has_last_norm))
