"""From logits to scores."""

from torch import Tensor

from alphaction.structures.labels import ClassGroups


def scores_from_logits(logits: Tensor, groups: ClassGroups) -> Tensor:
    """Returns scores [R, K] in float32: softmax over the pose columns, sigmoid on each other column.

    Args:
        logits: [R, K].
        groups: the columns of each group.
    """
    logits = logits.float()
    scores = logits.sigmoid()
    if groups.pose:
        pose = list(groups.pose)
        scores[:, pose] = logits[:, pose].softmax(dim=1)
    return scores
