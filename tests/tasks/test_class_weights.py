"""Factors on classes: hand-worked, and in the loss."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from alphaction.config import get_cfg
from alphaction.config.check import check_cfg
from alphaction.modeling.roi_heads.action_head.loss import action_losses
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.tasks.class_weights import ClassWeighting, inverse_frequency
from alphaction.utils.errors import ConfigError

LABELS = LabelMap((1, 2, 3, 4, 5), tuple("abcde"), ClassGroups(pose=(0, 1), object=(2, 3, 4)))
COUNTS = np.array([30, 10, 4, 1, 0])


def losses(class_weights=None, pose=0):
    labels = torch.zeros(1, 5)
    labels[0, [pose, 2]] = 1
    return action_losses(
        torch.zeros(1, 5),
        labels,
        groups=LABELS.groups,
        weights={"pose": 1.0, "object": 1.0, "person": 1.0},
        gamma=0.0,
        alpha=-1.0,
        normalizer=1.0,
        class_weights=class_weights,
    )


def test_inverse_frequencies_follow_by_hand():
    # Postures: 1/30 and 1/10 over the mean of all 40 labels, 2/40. Others: 1/4, 1, and 1/4 for the class without one.
    expected = [40 / (2 * 30), 40 / (2 * 10), 0.5, 2.0, 0.5]
    assert inverse_frequency(COUNTS, LABELS) == pytest.approx(expected)


def test_a_group_without_labels_weighs_as_it_is():
    assert inverse_frequency(np.array([1, 1, 0, 0, 0]), LABELS) == pytest.approx([1, 1, 1, 1, 1])


def test_weights_enter_the_losses_by_hand():
    weights = torch.tensor([2.0, 3.0, 1.0, 4.0, 10.0])
    plain, weighted = losses(pose=1), losses(weights, pose=1)
    assert plain["loss_pose_action"].item() == pytest.approx(math.log(2))
    assert weighted["loss_pose_action"].item() == pytest.approx(3 * math.log(2))
    assert weighted["loss_object_interaction"].item() == pytest.approx((1 + 4 + 10) / 3 * math.log(2))


def test_weights_of_one_change_nothing():
    for name, value in losses(torch.ones(5)).items():
        assert value == losses()[name]


def test_counts_of_the_training_set_are_asked_for_when_they_matter():
    dataset = SimpleNamespace(label_counts=lambda: np.stack([COUNTS - 1, np.ones(5, np.int64)]).clip(0))
    assert ClassWeighting().weights(LABELS, None) is None
    assert ClassWeighting("given", (1.0, 2.0, 3.0, 4.0, 5.0)).weights(LABELS, None).tolist() == [1, 2, 3, 4, 5]
    found = ClassWeighting("inverse_frequency").weights(LABELS, dataset)
    assert found.dtype == torch.float32 and found.numpy() == pytest.approx(
        inverse_frequency(np.array([30, 10, 4, 1, 1]), LABELS)
    )


def test_a_weight_for_each_class_or_an_error():
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING", "given", *_weights((1, 2.5))])
    with pytest.raises(ConfigError, match=r"CLASS_WEIGHTS has 2 numbers, the data set has 5 classes"):
        ClassWeighting.from_cfg(cfg, LABELS)
    cfg.merge_from_list(_weights((1, 2, 3, 4, 0.5)))
    assert ClassWeighting.from_cfg(cfg, LABELS) == ClassWeighting("given", (1, 2, 3, 4, 0.5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS", (1, 2)], 'which nobody reads while CLASS_WEIGHTING is "none"'),
        (
            ["MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING", "given", "MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS", (1, -2)],
            "it takes numbers that are not negative",
        ),
        (["MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING", "rare"], "choose one of none, inverse_frequency, given"),
        (["DATALOADER.SAMPLING", "rare"], "choose one of uniform, repeat_factor, class_balanced"),
        (["DATALOADER.REPEAT_THRESHOLD", 2.0], "must lie between 0 and 1"),
        (["DATALOADER.START_METHOD", "thread"], 'choose one of "", fork, spawn, forkserver'),
        (["DATALOADER.TIMEOUT", -1.0], "DATALOADER.TIMEOUT is -1.0; it must not be negative"),
    ],
)
def test_keys_that_cannot_run_are_refused(options, message):
    cfg = get_cfg()
    cfg.merge_from_list(options)
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        check_cfg(cfg)


def _weights(values):
    return ["MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS", values]
