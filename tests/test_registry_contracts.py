"""Every registered part keeps the contract of its kind; a new one is tested by being registered."""

from collections import Counter

import pytest
import torch
from torch.nn import BatchNorm3d
from yacs.config import CfgNode

from alphaction.config import get_cfg
from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d
from alphaction.modeling.action_detector import build_detector
from alphaction.modeling.backbone.base import Features
from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.registry import BACKBONES, ROI_ACTION_FEATURE_EXTRACTORS, ROI_ACTION_PREDICTORS
from alphaction.structures.boxes import Boxes

SIZE = (64, 64)


def make_cfg(*opts: object) -> CfgNode:
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *("MODEL.BACKBONE.CONV_BODY", "Slowfast-Tiny"),
            *("MODEL.BACKBONE.SLOWFAST.SLOW.CONV3_NONLOCAL", False),
            *("MODEL.BACKBONE.SLOWFAST.SLOW.CONV4_NONLOCAL", False),
            *("MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", 16),
            *("INPUT.FRAME_NUM", 16, "INPUT.TAU", 8, "INPUT.ALPHA", 4),
            *opts,
        ]
    )
    return cfg


def backbone_cfg(name: str, frozen_bn: bool = False) -> CfgNode:
    frozen = ("MODEL.BACKBONE.FROZEN_BN", frozen_bn, "MODEL.NONLOCAL.FROZEN_BN", frozen_bn)
    return make_cfg("MODEL.BACKBONE.CONV_BODY", name, *frozen)


def clips(device: str, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.zeros(count, 3, 2, *SIZE, device=device),
        torch.zeros(count, 3, 8, *SIZE, device=device),
    )


@pytest.mark.parametrize("frozen_bn", [False, True])
@pytest.mark.parametrize("name", list(BACKBONES))
class TestBackbone:
    """On the meta device: shapes and names without numbers."""

    @pytest.fixture
    def backbone(self, name: str, frozen_bn: bool):
        with torch.device("meta"):
            return build_backbone(backbone_cfg(name, frozen_bn))

    def test_maps_have_the_channels_it_says(self, backbone) -> None:
        features = backbone(*clips("meta"))
        maps = [pathway for pathway in features if pathway is not None]
        assert isinstance(features, Features) and maps
        assert sum(pathway.shape[1] for pathway in maps) == backbone.dim_out
        assert all(pathway.shape[0] == 2 and pathway.dim() == 5 for pathway in maps)

    def test_units_cover_every_parameter_and_buffer_once(self, backbone) -> None:
        modules = dict(backbone.named_modules())
        held: Counter[int] = Counter()
        for unit in backbone.stages():
            for name, module in unit.modules.items():
                assert modules[name] is module, f"{unit.name} names {name}"
                held.update(id(tensor) for tensor in (*module.parameters(), *module.buffers()))
        assert held == Counter(id(tensor) for tensor in (*backbone.parameters(), *backbone.buffers()))
        assert len({unit.name for unit in backbone.stages()}) == len(backbone.stages())

    def test_names_of_weights_are_the_same_each_time_and_after_a_pass(self, backbone, name, frozen_bn) -> None:
        keys = list(backbone.state_dict())
        backbone(*clips("meta"))
        with torch.device("meta"):
            assert (
                list(build_backbone(backbone_cfg(name, frozen_bn)).state_dict()) == keys == list(backbone.state_dict())
            )

    def test_frozen_norms_are_not_trained(self, backbone, name, frozen_bn) -> None:
        norms = {type(module) for module in backbone.modules() if isinstance(module, BatchNorm3d | FrozenBatchNorm3d)}
        assert norms <= {FrozenBatchNorm3d if frozen_bn else BatchNorm3d}
        assert norms or name.startswith("MViT"), "a transformer has layer norms alone"

    def test_a_detector_stands_on_it(self, name: str, frozen_bn: bool) -> None:
        with torch.device("meta"):
            detector = build_detector(backbone_cfg(name, frozen_bn))
            boxes = [Boxes(torch.zeros(2, 4), SIZE), Boxes(torch.zeros(1, 4), SIZE)]
        assert detector.eval()(*clips("meta"), boxes).shape == (3, 80)


def test_every_parameter_of_the_small_backbone_gets_a_gradient() -> None:
    torch.manual_seed(0)
    backbone = build_backbone(backbone_cfg("Slowfast-Tiny"))
    features = backbone(*(torch.randn_like(clip) for clip in clips("cpu")))
    sum(pathway.square().mean() for pathway in features).backward()
    assert not [name for name, p in backbone.named_parameters() if p.grad is None]


@pytest.mark.parametrize("counts", [(2, 1), (0, 3), (0, 0)])
@pytest.mark.parametrize("name", list(ROI_ACTION_FEATURE_EXTRACTORS))
def test_feature_extractors_give_a_vector_per_box(name: str, counts: tuple[int, int]) -> None:
    extractor = ROI_ACTION_FEATURE_EXTRACTORS.get(name)(make_cfg(), 8)
    features = Features(torch.randn(2, 6, 2, 4, 4), torch.randn(2, 2, 8, 4, 4))
    boxes = [Boxes(torch.tensor([[4.0, 4, 40, 50]]).repeat(count, 1), SIZE) for count in counts]
    pooled = extractor.pool(features, boxes)
    assert pooled.features.shape == (sum(counts), 8)
    assert pooled.counts == counts
    assert extractor(pooled).shape == (sum(counts), extractor.dim_out)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("name", list(ROI_ACTION_PREDICTORS))
def test_predictors_give_a_logit_per_class(name: str, count: int) -> None:
    predictor = ROI_ACTION_PREDICTORS.get(name)(make_cfg("MODEL.ROI_ACTION_HEAD.NUM_CLASSES", 7), 5)
    assert predictor(torch.zeros(count, 5)).shape == (count, 7)
