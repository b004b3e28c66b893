"""Losses and accuracies of actions, by group of classes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from alphaction.layers.focal_loss import sigmoid_focal_loss, softmax_focal_loss
from alphaction.structures.labels import ClassGroups

_LOGGED_NAME = {"pose": "pose_action", "object": "object_interaction", "person": "person_interaction"}
_SMALLEST_COUNT = 1e-6


def action_losses(
    logits: Tensor,
    labels: Tensor,
    *,
    groups: ClassGroups,
    weights: Mapping[str, float],
    gamma: float,
    alpha: float,
    normalizer: Tensor | float,
    class_weights: Tensor | None = None,
) -> dict[str, Tensor]:
    """Returns the weighted loss of each group that holds classes.

    The names are ``loss_pose_action``, ``loss_object_interaction`` and ``loss_person_interaction``. The pose loss is
    a softmax focal loss, summed over the boxes that have a posture label; the two others are sigmoid focal losses,
    summed over boxes and averaged over the group's classes. All are divided by ``normalizer``. Without a box each is
    zero, with zero gradients.

    Args:
        logits: [R, K].
        labels: [R, K] of 0 and 1.
        groups: the columns of each group.
        weights: factor on the loss of each group, by group name.
        gamma: exponent of the focal losses.
        alpha: class weight of the focal losses; below 0 is none.
        normalizer: mean number of boxes of a process, over all processes.
        class_weights: [K] factors on the classes: of a box's posture, and on each class of the other groups; or None.
    """
    count = torch.as_tensor(normalizer, dtype=torch.float32, device=logits.device).clamp(min=_SMALLEST_COUNT)
    losses = {}
    for name, columns in groups.items():
        group_logits, group_labels = _take(logits.float(), columns), _take(labels, columns)
        if name == "pose":
            has_label, posture = group_labels.max(dim=1)
            each = softmax_focal_loss(group_logits, posture, gamma=gamma, alpha=alpha) * has_label
            if class_weights is not None:
                each = each * _take(class_weights[None], columns)[0, posture]
        else:
            of_classes = sigmoid_focal_loss(group_logits, group_labels, gamma=gamma, alpha=alpha)
            if class_weights is not None:
                of_classes = of_classes * _take(class_weights[None], columns)
            each = of_classes.mean(dim=1)
        losses[f"loss_{_LOGGED_NAME[name]}"] = weights[name] * each.sum() / count
    return losses


@torch.no_grad()
def action_accuracies(logits: Tensor, labels: Tensor, *, groups: ClassGroups) -> dict[str, Tensor]:
    """Returns the accuracy of each group that holds classes, averaged over boxes; 0 without a box.

    The names are ``accuracy_pose_action``, ``accuracy_object_interaction`` and ``accuracy_person_interaction``. For
    postures it is the share of right ones among the boxes with a posture label. For the other groups it is what
    prediction (probability at least one half) and labels have in common over what either of them holds.

    Args:
        logits: [R, K].
        labels: [R, K] of 0 and 1.
        groups: the columns of each group.
    """
    accuracies = {}
    for name, columns in groups.items():
        group_logits, truth = _take(logits, columns), _take(labels, columns) > 0
        if name == "pose":
            counted = truth.any(dim=1)
            value = (group_logits.argmax(dim=1) == truth.int().argmax(dim=1)) & counted
        else:
            counted = torch.ones_like(truth[:, 0])
            predicted = group_logits >= 0
            value = (predicted & truth).sum(dim=1) / (predicted | truth).sum(dim=1).clamp(min=1)
        accuracies[f"accuracy_{_LOGGED_NAME[name]}"] = value.sum() / counted.sum().clamp(min=1)
    return accuracies


def _take(values: Tensor, columns: tuple[int, ...]) -> Tensor:
    """Returns the columns of [R, K]; consecutive ones, the usual case, without a copy."""
    if columns == tuple(range(columns[0], columns[-1] + 1)):
        return values[:, columns[0] : columns[-1] + 1]
    return values[:, list(columns)]
