from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from alphaction.modeling import build_detector
from alphaction.modeling.action_detector import ActionDetector
from alphaction.modeling.backbone.base import Features
from alphaction.modeling.roi_heads.action_head.loss import action_losses
from alphaction.structures.boxes import Boxes
from alphaction.structures.labels import ClassGroups
from alphaction.utils.errors import ConfigError

SIZE = (64, 48)
HEAD = "MODEL.ROI_ACTION_HEAD"


def clips(count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(count, 3, 2, SIZE[1], SIZE[0], generator=generator),
        torch.randn(count, 3, 8, SIZE[1], SIZE[0], generator=generator),
    )


def persons() -> list[Boxes]:
    return [
        Boxes(torch.tensor([[4.0, 4, 30, 40], [20, 8, 60, 44]]), SIZE),
        Boxes(torch.tensor([[10.0, 2, 50, 46]]), SIZE),
    ]


@pytest.fixture
def detector(make_cfg: Callable) -> ActionDetector:
    torch.manual_seed(0)
    return build_detector(make_cfg("MODEL.BACKBONE.FROZEN_BN", True))


def train_step(detector: ActionDetector, boxes: list[Boxes]) -> None:
    logits = detector.train()(*clips(), boxes)
    labels = torch.zeros(len(logits), 80, dtype=torch.uint8)
    labels[:, ::7] = 1
    losses = action_losses(
        logits,
        labels,
        groups=ClassGroups.from_counts(14, 49, 17),
        weights={"pose": 1.0, "object": 1.0, "person": 1.0},
        gamma=2.0,
        alpha=-1.0,
        normalizer=float(len(labels)),
    )
    sum(losses.values()).backward()  # type: ignore[union-attr]
    torch.optim.SGD(detector.parameters(), lr=0.1).step()


def test_logits_come_in_the_order_of_the_boxes(detector: ActionDetector) -> None:
    detector.eval()
    with torch.no_grad():
        together = detector(*clips(), persons())
        slow, fast = clips()
        second = detector(slow[1:], fast[1:], persons()[1:])
    assert together.shape == (3, 80)
    torch.testing.assert_close(together[2:], second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_clips_without_a_person_give_no_logits(detector: ActionDetector, training: bool) -> None:
    nobody = [Boxes.empty(SIZE)] * 2
    logits = detector.train(training)(*clips(), nobody)
    assert logits.shape == (0, 80)
    logits.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in detector.parameters())


def test_a_batch_without_a_clip_gives_no_logits(detector: ActionDetector) -> None:
    with torch.no_grad():
        assert detector.eval()(*clips(0), []).shape == (0, 80)


def test_boxes_are_enlarged_in_eval_mode_only(detector: ActionDetector) -> None:
    head, boxes = detector.roi_heads.action, persons()
    enlarged = [entry.extend(head.extend_scale) for entry in boxes]
    features = detector.backbone(*clips())
    given = head.train().pool(features, boxes).features
    torch.testing.assert_close(
        head.eval().pool(features, boxes).features, head.train().pool(features, enlarged).features
    )
    assert not torch.allclose(head.eval().pool(features, boxes).features, given)
    assert torch.equal(head.eval().pool_objects(features, boxes).features, given)


def test_pooled_boxes_can_be_kept_between_the_two_steps(detector: ActionDetector) -> None:
    detector.eval()
    pooled = detector.roi_heads.action.pool(detector.backbone(*clips()), persons())
    assert pooled.features.shape == (3, 576) and pooled.counts == (2, 1)
    assert torch.equal(detector.roi_heads.action.classify(pooled), detector(*clips(), persons()))


def test_a_training_step_moves_parameters_and_leaves_frozen_norms_bit_for_bit(detector: ActionDetector) -> None:
    buffers = {name: buffer.clone() for name, buffer in detector.named_buffers()}
    before = {name: p.detach().clone() for name, p in detector.named_parameters()}
    train_step(detector, persons())
    assert len(buffers) > 100
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in detector.named_buffers())
    assert not [name for name, p in detector.named_parameters() if torch.equal(p, before[name])]


def test_units_cover_every_parameter_and_buffer_once(detector: ActionDetector) -> None:
    units = detector.stages()
    assert [unit.name for unit in units] == ["stem", "res2", "res3", "res4", "res5", "head"]
    modules = dict(detector.named_modules())
    covered = [
        f"{name}.{key}" for unit in units for name, module in unit.modules.items() for key in module.state_dict()
    ]
    assert sorted(covered) == sorted(detector.state_dict())
    assert all(modules[name] is module for unit in units for name, module in unit.modules.items())


def test_the_head_is_all_that_its_prefix_says(detector: ActionDetector) -> None:
    in_head = [key for key in detector.state_dict() if key.startswith(detector.head_prefixes)]
    assert in_head == [f"roi_heads.{key}" for key in detector.roi_heads.state_dict()]


@pytest.mark.parametrize("pooler", ["align3d", "pooling3d"])
@pytest.mark.parametrize("mean_before", [True, False])
def test_every_pooler_gives_logits(make_cfg: Callable, pooler: str, mean_before: bool) -> None:
    cfg = make_cfg(f"{HEAD}.POOLER_TYPE", pooler, f"{HEAD}.MEAN_BEFORE_POOLER", mean_before)
    assert build_detector(cfg).eval()(*clips(), persons()).isfinite().all()


def test_averaging_over_time_commutes_with_align_only(make_cfg: Callable) -> None:
    features = Features(torch.randn(2, 6, 2, 3, 4, generator=torch.Generator().manual_seed(0)), None)
    pooled = {}
    for pooler in ("align3d", "pooling3d"):
        for mean_before in (True, False):
            cfg = make_cfg(f"{HEAD}.POOLER_TYPE", pooler, f"{HEAD}.MEAN_BEFORE_POOLER", mean_before)
            head = build_detector(cfg).roi_heads.action
            pooled[pooler, mean_before] = head.pool(features, persons()).features
    torch.testing.assert_close(pooled["align3d", True], pooled["align3d", False])
    assert not torch.allclose(pooled["pooling3d", True], pooled["pooling3d", False])


def test_sizes_of_the_head_follow_the_config(make_cfg: Callable) -> None:
    cfg = make_cfg(f"{HEAD}.NUM_CLASSES", 7, f"{HEAD}.MLP_HEAD_DIM", 12, f"{HEAD}.DROPOUT_RATE", 0.4)
    head = build_detector(cfg).roi_heads.action
    assert head.feature_extractor.fc1.weight.shape == (12, 576)
    assert head.feature_extractor.fc2.weight.shape == (12, 12)
    assert head.predictor.cls_score.weight.shape == (7, 12)
    assert head.predictor.dropout.p == 0.4


@pytest.mark.parametrize("off", ["SLOW", "FAST"])
def test_one_pathway_is_enough(make_cfg: Callable, off: str) -> None:
    detector = build_detector(make_cfg(f"MODEL.BACKBONE.SLOWFAST.{off}.ACTIVE", False))
    assert detector.eval()(*clips(), persons()).shape == (3, 80)


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        ((f"{HEAD}.POOLER_TYPE", "align"), 'POOLER_TYPE is "align"'),
    ],
)
def test_keys_that_cannot_be_built_are_refused(make_cfg: Callable, opts: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_detector(make_cfg(*opts))


def test_weights_survive_a_file(detector: ActionDetector, make_cfg: Callable, tmp_path: Path) -> None:
    torch.save(detector.state_dict(), tmp_path / "weights.pth")
    other = build_detector(make_cfg("MODEL.BACKBONE.FROZEN_BN", True))
    other.load_state_dict(torch.load(tmp_path / "weights.pth", weights_only=True))
    with torch.no_grad():
        assert torch.equal(detector.eval()(*clips(), persons()), other.eval()(*clips(), persons()))
