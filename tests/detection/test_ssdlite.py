import numpy as np
import pytest
import torch
import torch.nn.functional as F
from wire import graph, narrow_ssdlite

from alphaction.detection.ssdlite import ConvLayer, GraphLayers, SSDLite, same_padding
from alphaction.detection.ssdlite_detector import SSDLiteDetector
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (300, 3, 2, (0, 1)),
        (75, 3, 2, (1, 1)),
        (10, 3, 1, (1, 1)),
        (2, 3, 2, (0, 1)),
        (5, 1, 1, (0, 0)),
        (6, 5, 3, (1, 1)),
    ],
)
def test_same_padding_puts_the_odd_zero_behind(size, kernel, stride, expected) -> None:
    assert same_padding(size, kernel, stride) == expected


def test_a_strided_layer_gives_the_numbers_of_same_padding() -> None:
    # A row 1 2 3 4 under the kernel 1 10 100 at stride 2: no zero before, one after.
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 0] = torch.tensor([1.0, 10.0, 100.0])  # rows below the image count nothing
    layer = ConvLayer(weight, torch.tensor([0.5]), stride=2, groups=1, relu6=False)
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert layer(image)[0, 0, 0].tolist() == [321.5, 43.5]


def test_relu6_cuts_at_six() -> None:
    layer = ConvLayer(torch.ones(1, 1, 1, 1), torch.zeros(1), stride=1, groups=1, relu6=True)
    assert layer(torch.tensor([-1.0, 3.0, 9.0]).view(1, 1, 1, 3)).flatten().tolist() == [0.0, 3.0, 6.0]


def test_a_folded_layer_equals_convolution_and_normalisation() -> None:
    constants = narrow_ssdlite()
    scope = "FeatureExtractor/MobilenetV2/Conv_1"
    image = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    gamma, beta, mean, variance = (
        torch.from_numpy(constants[f"{scope}/BatchNorm/{name}"])
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    weight = torch.from_numpy(constants[f"{scope}/weights"]).permute(3, 2, 0, 1)
    expected = F.batch_norm(F.conv2d(image, weight), mean, variance, gamma, beta, eps=0.001)
    assert torch.allclose(GraphLayers(constants).conv(scope, relu6=False)(image), expected, atol=1e-5)


def test_the_model_gives_a_box_and_a_score_for_each_anchor() -> None:
    model = SSDLite(GraphLayers(narrow_ssdlite()))
    boxes, scores = model(torch.zeros(2, 3, 300, 300))
    assert boxes.shape == (2, 1917, 4) and scores.shape == (2, 1917, 1)
    assert 0 <= scores.min() and scores.max() <= 1


def test_a_missing_constant_is_named() -> None:
    constants = narrow_ssdlite()
    del constants["BoxPredictor_3/ClassPredictor_depthwise/BatchNorm/beta"]
    with pytest.raises(DataError, match="BoxPredictor_3/ClassPredictor_depthwise/BatchNorm/beta"):
        SSDLite(GraphLayers(constants))


def test_a_detector_read_from_a_file_gives_boxes_inside_each_image(tmp_path) -> None:
    (tmp_path / "graph.pb").write_bytes(graph(narrow_ssdlite()))
    detector = SSDLiteDetector.from_file(tmp_path / "graph.pb", min_score=0.2, device=torch.device("cpu"))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (40, 60, 3), dtype=np.uint8), rng.integers(0, 255, (90, 30, 3), dtype=np.uint8)]
    both = detector.detect(images, [ClipKey("a", 0), ClipKey("a", 1000)])
    alone = detector.detect(images[1:], [ClipKey("a", 1000)])
    assert np.allclose(both[1].xyxy, alone[0].xyxy, atol=1e-3)
    for found, (width, height) in zip(both, [(60, 40), (30, 90)], strict=True):
        assert 0 < len(found) <= 100 and (found.scores >= 0.2).all() and (found.categories == 1).all()
        assert (found.xyxy >= 0).all() and (found.xyxy <= [width, height, width, height]).all()
        assert (np.diff(found.scores) <= 0).all()
