import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from alphaction.modeling.roi_heads.action_head.loss import action_accuracies, action_losses
from alphaction.structures.labels import ClassGroups

GROUPS = ClassGroups(pose=(0, 1), object=(2, 3), person=(4,))
WEIGHTS = {"pose": 2.0, "object": 3.0, "person": 5.0}
NAMES = ["loss_pose_action", "loss_object_interaction", "loss_person_interaction"]


def losses(logits: Tensor, labels: list, groups: ClassGroups = GROUPS, normalizer: float = 1.0) -> dict[str, Tensor]:
    rows = torch.tensor(labels, dtype=torch.uint8).view(len(logits), logits.shape[1])
    return action_losses(logits, rows, groups=groups, weights=WEIGHTS, gamma=0.0, alpha=-1.0, normalizer=normalizer)


def test_losses_of_undecided_logits_follow_by_hand() -> None:
    # Every class costs log 2: postures once a box, the other groups the mean over their classes.
    found = losses(torch.zeros(2, 5), [[1, 0, 1, 0, 0], [0, 1, 0, 0, 1]], normalizer=4.0)
    expected = [weight * 2 * math.log(2) / 4 for weight in WEIGHTS.values()]
    assert list(found) == NAMES
    assert [value.item() for value in found.values()] == pytest.approx(expected)


def test_a_box_without_a_posture_adds_nothing_to_the_posture_loss() -> None:
    logits = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    both = losses(logits, [[1, 0, 1, 0, 0], [0, 0, 1, 0, 0]])["loss_pose_action"]
    alone = losses(logits[:1], [[1, 0, 1, 0, 0]])["loss_pose_action"]
    torch.testing.assert_close(both, alone)
    both.backward()
    assert logits.grad is not None and not logits.grad[1].any()


def test_no_box_gives_zero_losses_that_reach_the_parameters() -> None:
    weight = torch.ones(3, 5, requires_grad=True)
    found = losses(torch.zeros(0, 3) @ weight, [], normalizer=0.0)
    assert list(found) == NAMES
    sum(found.values()).backward()  # type: ignore[union-attr]
    assert all(value.item() == 0 for value in found.values())
    assert weight.grad is not None and not weight.grad.any()


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (ClassGroups.from_counts(3, 0, 0), ["loss_pose_action"]),
        (ClassGroups.from_counts(0, 3, 0), ["loss_object_interaction"]),
        (ClassGroups.from_counts(2, 0, 1), ["loss_pose_action", "loss_person_interaction"]),
    ],
)
def test_only_groups_that_hold_classes_appear(groups: ClassGroups, names: list[str]) -> None:
    logits, labels = torch.zeros(1, 3), [[1, 0, 0]]
    assert list(losses(logits, labels, groups)) == names
    accuracies = action_accuracies(logits, torch.tensor(labels), groups=groups)
    assert [name.replace("accuracy", "loss") for name in accuracies] == names


def test_columns_of_a_group_may_lie_anywhere() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    labels = [[1, 0, 1, 0, 0], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0]]
    order = [3, 0, 4, 2, 1]  # where each column goes
    mixed = ClassGroups(pose=(3, 0), object=(4, 2), person=(1,))
    moved = torch.zeros(3, 5)
    moved[:, order] = logits
    moved_labels = torch.zeros(3, 5, dtype=torch.uint8)
    moved_labels[:, order] = torch.tensor(labels, dtype=torch.uint8)
    for name, value in losses(moved, moved_labels.tolist(), mixed).items():
        torch.testing.assert_close(value, losses(logits, labels)[name])


def test_accuracies_equal_the_golden_numbers(golden_dir: Path) -> None:
    randn = runpy.run_path(str(golden_dir / "golden_weights.py"))["randn"]
    logits = torch.from_numpy(randn("ops/metric/logits", (5, 80))) - 1
    labels = torch.from_numpy(np.load(golden_dir / "ops.npz")["metric_labels"])
    found = action_accuracies(logits, labels, groups=ClassGroups.from_counts(14, 49, 17))
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {"accuracy_pose_action": 0.2, "accuracy_object_interaction": 0.0125, "accuracy_person_interaction": 0.0}
    )


def test_accuracies_follow_by_hand() -> None:
    logits = torch.tensor([[1.0, 0, 2, 2, -1], [1.0, 0, -1, 2, 3], [0.0, 1, -1, -1, -1]])
    labels = torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [1, 0, 0, 0, 0]])
    found = [value.item() for value in action_accuracies(logits, labels, groups=GROUPS).values()]
    assert found == pytest.approx([1 / 2, (1 / 2 + 1 + 0) / 3, (0 + 1 + 0) / 3])


def test_accuracies_of_no_box_are_zero() -> None:
    found = action_accuracies(torch.zeros(0, 5), torch.zeros(0, 5), groups=GROUPS)
    assert [value.item() for value in found.values()] == [0, 0, 0]
