"""A 2D ResNet-50 in torchvision's layout fills I3D, as config_files/finetune/i3d_from_imagenet.yaml says."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import resnet50
from torchvision.models.resnet import Bottleneck, ResNet

from alphaction.checkpoint import build_import_rules, load_weights
from alphaction.config import load_cfg
from alphaction.config.check import check_cfg
from alphaction.modeling import build_detector
from alphaction.modeling.action_detector import ActionDetector
from alphaction.modeling.backbone.i3d import I3D, i3d_spec
from alphaction.modeling.backbone.specs import build_norm_spec
from alphaction.utils.errors import CheckpointError

CONFIG = Path(__file__).parents[2] / "config_files/finetune/i3d_from_imagenet.yaml"


def units(model: nn.Module, prefix: str = "") -> list[tuple[str, tuple[str, ...]]]:
    return [(unit.name, tuple(prefix + name for name in unit.modules)) for unit in model.stages()]


class Detector(nn.Module):
    """I3D of one block a stage, where a detector has it."""

    def __init__(self) -> None:
        super().__init__()
        norm = build_norm_spec(load_cfg(CONFIG))
        with torch.device("meta"):
            self.backbone = I3D(i3d_spec(depths=(1, 1, 1, 1)), norm=norm)
        self.to_empty(device="cpu")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of torchvision's ResNet with one block a layer, random numbers everywhere."""
    with torch.device("meta"):
        network = ResNet(Bottleneck, [1, 1, 1, 1])
    network.to_empty(device="cpu")
    torch.manual_seed(0)
    state = {key: torch.randn(value.shape) for key, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("imagenet") / "resnet.pth"
    torch.save(state, path)
    return path


def test_every_tensor_of_the_small_network_is_its_own(small: Path) -> None:
    model, file = Detector(), torch.load(small, weights_only=True)
    report = load_weights(
        model, small, units=units(model.backbone, "backbone."), rules=build_import_rules(load_cfg(CONFIG))
    )
    assert report.incomplete_units() == [] and report.missing == () and report.wrong_shape == ()
    assert report.unexpected == ("fc.weight", "fc.bias") and report.idle_renames == ()
    net = model.backbone
    stem = file["conv1.weight"]
    assert torch.allclose(net.conv1.weight, (stem / 5)[:, :, None].expand(-1, -1, 5, -1, -1))
    assert torch.equal(net.bn1.running_var, file["bn1.running_var"])
    block = net.res_nl2.res_0
    assert torch.allclose(
        block.btnk.conv1.conv.weight, (file["layer2.0.conv1.weight"] / 3)[:, :, None].repeat(1, 1, 3, 1, 1)
    )
    assert torch.equal(block.btnk.conv2.conv.weight[:, :, 0], file["layer2.0.conv2.weight"])
    assert torch.equal(block.btnk.conv3.bn.weight, file["layer2.0.bn3.weight"])
    assert torch.equal(block.btnk.conv3.bn.bias, file["layer2.0.bn3.bias"])
    assert torch.equal(block.shortcut.conv.weight[:, :, 0], file["layer2.0.downsample.0.weight"])
    assert torch.equal(block.shortcut.bn.running_mean, file["layer2.0.downsample.1.running_mean"])
    assert torch.equal(net.res_nl4.res_0.btnk.conv3.conv.weight[:, :, 0], file["layer4.0.conv3.weight"])


def write_like_resnet50(path: Path) -> None:
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in resnet50(weights=None).state_dict().items()}
    torch.save({key: torch.full((), 0.01).expand(shape) for key, shape in shapes.items()}, path)


def load_like_resnet50(path: Path, options: tuple[str, ...] = ()):
    cfg = load_cfg(CONFIG, options)
    check_cfg(cfg)
    write_like_resnet50(path)
    with torch.device("meta"):
        model = build_detector(cfg)
    assert isinstance(model, ActionDetector)
    words = {"head_prefixes": model.head_prefixes, "units": units(model), "rules": build_import_rules(cfg)}
    return model, load_weights(model, path, **words)


def test_resnet50_fills_every_convolution_and_norm_of_the_configured_detector(tmp_path: Path) -> None:
    model, report = load_like_resnet50(tmp_path / "w.pth")
    assert report.incomplete_units() == ["head"] and report.idle_renames == ()
    assert {key for key, _ in report.loaded} == {key for key in model.state_dict() if key.startswith("backbone.")}
    assert len(report.loaded) == 265  # 53 convolutions, and four tensors of each of their norms
    assert len(report.converted) == 53
    assert report.unexpected == ("fc.weight", "fc.bias")


def test_non_local_blocks_are_in_no_2d_file_and_are_not_left_out_silently(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not fill res3.1, res3.3 completely(.|\n)*nonlocal_1"):
        load_like_resnet50(tmp_path / "w.pth", ("MODEL.BACKBONE.I3D.CONV3_NONLOCAL", "True"))


def test_the_frames_are_normalised_as_the_weights_were_trained() -> None:
    cfg = load_cfg(CONFIG)
    assert cfg.INPUT.PIXEL_MEAN == pytest.approx([255 * value for value in (0.485, 0.456, 0.406)])
    assert cfg.INPUT.PIXEL_STD == pytest.approx([255 * value for value in (0.229, 0.224, 0.225)])
    assert not cfg.INPUT.TO_BGR
