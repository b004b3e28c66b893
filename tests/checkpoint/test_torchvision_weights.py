"""Files in torchvision's layout fill the backbones of the same networks."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from alphaction.checkpoint import load_weights
from alphaction.checkpoint.matching import match
from alphaction.config import get_cfg
from alphaction.modeling import build_detector
from alphaction.utils.errors import CheckpointError

NAMES = {
    "R3D-18": "r3d_18",
    "MC3-18": "mc3_18",
    "R2Plus1D-18": "r2plus1d_18",
    "MViT-V1-B": "mvit_v1_b",
    "MViT-V2-S": "mvit_v2_s",
}


def build(name: str, frozen: bool = True, device: str = "meta") -> nn.Module:
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.BACKBONE.CONV_BODY", name, "MODEL.BACKBONE.FROZEN_BN", frozen])
    cfg.merge_from_list(["MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", 8])
    with torch.device(device):
        return build_detector(cfg)


def units(model: nn.Module) -> list[tuple[str, tuple[str, ...]]]:
    return [(unit.name, tuple(unit.modules)) for unit in model.stages()]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", list(NAMES))
def test_only_the_classifier_of_a_published_file_is_left_over(name: str, frozen: bool) -> None:
    model = build(name, frozen)
    with torch.device("meta"):
        file = torchvision.models.get_model(NAMES[name], weights=None).state_dict()
    shapes = {key: tuple(value.shape) for key, value in file.items()}
    ours = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    report = match(shapes, ours, head_prefixes=model.head_prefixes, units=units(model))
    assert report.incomplete_units() == ["head"] and not report.wrong_shape
    classifier = "head.1" if name.startswith("MViT") else "fc"
    assert report.unexpected == (f"{classifier}.weight", f"{classifier}.bias")
    assert {key for key, _ in report.loaded} == {
        key for key in ours if key.startswith("backbone.") and not (frozen and key.endswith("num_batches_tracked"))
    }
    assert all(key == f"backbone.{source}" for key, source in report.loaded)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision publishes the smallest of the networks, with numbers of no meaning."""
    torch.manual_seed(0)
    state = torchvision.models.video.mc3_18().state_dict()
    state["layer4.1.conv2.1.running_mean"].normal_()
    path = tmp_path_factory.mktemp("published") / "mc3_18.pth"
    torch.save(state, path)
    return path


def test_a_file_loads_whole_into_frozen_norms_and_leaves_the_head(published: Path) -> None:
    model = build("MC3-18", device="cpu")
    head = {key: value.clone() for key, value in model.roi_heads.state_dict().items()}
    load_weights(model, published, head_prefixes=model.head_prefixes, units=units(model))
    file = torch.load(published, weights_only=True)
    assert all(torch.equal(value, file[key]) for key, value in model.backbone.state_dict().items())
    assert all(torch.equal(value, head[key]) for key, value in model.roi_heads.state_dict().items())


def test_the_file_of_another_network_is_refused(published: Path) -> None:
    model = build("R3D-18", device="cpu")
    with pytest.raises(CheckpointError, match=r"does not fill layer2\.0, (.|\n)*CONV_BODY"):
        load_weights(model, published, head_prefixes=model.head_prefixes, units=units(model))


def test_a_published_name_stands_where_a_path_does(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alphaction.checkpoint.reading.find_weights", {Path("torchvision:mc3_18"): published}.get)
    model = build("MC3-18", device="cpu")
    report = load_weights(model, "torchvision:mc3_18", head_prefixes=model.head_prefixes, units=units(model))
    assert report.incomplete_units() == ["head"]
