"""The heads that judge boxes; the action head is the one there is."""

from collections.abc import Sequence

from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Features
from alphaction.modeling.roi_heads.action_head.action_head import ActionHead, build_action_head
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.structures.boxes import Boxes


class ROIHeads(nn.Module):
    """Holds the action head under the name that the weight files have."""

    def __init__(self, *, action: ActionHead) -> None:
        super().__init__()
        self.action = action

    def forward(
        self,
        features: Features,
        boxes: Sequence[Boxes],
        objects: Sequence[Boxes] | None = None,
        memory: Tensor | None = None,
    ) -> tuple[Tensor, PooledBoxes]:
        """Returns logits [R, K] of the persons in ``boxes``, and the pooled persons; see :class:`ActionHead`."""
        persons = self.action.pool(features, boxes)
        things = None if objects is None else self.action.pool_objects(features, objects)
        return self.action.classify(persons, things, memory), persons


def build_roi_heads(cfg: CfgNode, dim_in: int) -> ROIHeads:
    """Returns the heads of the config for feature maps of ``dim_in`` channels."""
    return ROIHeads(action=build_action_head(cfg, dim_in))
