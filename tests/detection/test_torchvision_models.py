import numpy as np
import pytest
import torch
import torchvision

from alphaction.detection.build import build_detector
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import UserError

NAME = "ssdlite320_mobilenet_v3_large"
CPU = torch.device("cpu")


class TwoThings(torch.nn.Module):
    """Answers as torchvision's models do: a person and, with a better score, a dog."""

    def forward(self, images):
        boxes = torch.tensor([[1.0, 2.0, 5.0, 8.0], [0.0, 0.0, 4.0, 4.0], [2.0, 2.0, 3.0, 3.0]])
        answer = {"boxes": boxes, "labels": torch.tensor([1, 18, 1]), "scores": torch.tensor([0.6, 0.9, 0.1])}
        assert all(image.dtype == torch.float32 and image.shape[0] == 3 and image.max() <= 1 for image in images)
        return [answer for _ in images]


def build(name, weights=None, tiles=1):
    return build_detector(name, weights=weights, tiles=tiles, min_score=0.2, device=CPU)


def test_boxes_of_all_categories_come_best_first(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("alphaction.detection.torchvision_models._load_model", lambda name, path: TwoThings())
    (tmp_path / "weights.pth").write_bytes(b"any")
    images = [np.full((9, 9, 3), 255, np.uint8)] * 2
    found = build(f"torchvision:{NAME}", tmp_path / "weights.pth").detect(images, [ClipKey("a", 0)] * 2)
    assert len(found) == 2 and found[1].categories.tolist() == [18, 1]
    assert found[1].xyxy.tolist() == [[0, 0, 4, 4], [1, 2, 5, 8]]


def test_weights_of_a_file_are_those_of_the_model(tmp_path) -> None:
    torch.manual_seed(0)
    model = torchvision.models.get_model(NAME, weights=None, weights_backbone=None, num_classes=91)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    detector = build(f"torchvision:{NAME}", tmp_path / "weights.pth")
    found = detector.detect([np.zeros((40, 60, 3), np.uint8)], [ClipKey("a", 0)])
    assert len(found) == 1 and (found[0].xyxy <= [60, 40, 60, 40]).all()


def test_weights_of_another_model_are_refused(tmp_path) -> None:
    torch.save({"stem.weight": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=f"holds no weights of {NAME}"):
        build(f"torchvision:{NAME}", tmp_path / "weights.pth")


def test_a_file_that_is_none_is_refused(tmp_path) -> None:
    (tmp_path / "weights.pth").write_text("a note")
    with pytest.raises(UserError, match="Cannot read the detector's weights"):
        build(f"torchvision:{NAME}", tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torchvision:fasterrcnn_resnet50_fpn_v3", "fasterrcnn_resnet50_fpn_v2"),
        ("yolo", "use ssdlite, torchvision:NAME or file:PATH"),
        ("file:none.csv", "Cannot read the CSV file none.csv"),
    ],
)
def test_an_unknown_detector_is_refused(name, expected) -> None:
    with pytest.raises(UserError, match=expected):
        build(name)


def test_boxes_of_a_file_take_no_tiles(tmp_path) -> None:
    with pytest.raises(UserError, match="leave out --weights and --tiles"):
        build("file:boxes.csv", tiles=2)


def test_missing_weights_are_named(tmp_path) -> None:
    with pytest.raises(UserError, match="There is no file of weights"):
        build("ssdlite", weights=tmp_path.relative_to(tmp_path) / "none.pth")
