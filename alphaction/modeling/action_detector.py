"""The detector: a backbone and the heads behind it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Backbone
from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction import InteractionSpec
from alphaction.modeling.roi_heads.roi_heads import ROIHeads, build_roi_heads
from alphaction.structures.boxes import Boxes
from alphaction.structures.unit import Unit


class ActionDetector(nn.Module):
    """Says for each box of each clip what the person in it does.

    Attributes:
        head_prefixes: beginnings of the state-dict keys that belong to the head.
    """

    head_prefixes: ClassVar[tuple[str, ...]] = ("roi_heads.",)

    def __init__(self, *, backbone: Backbone, roi_heads: ROIHeads) -> None:
        super().__init__()
        self.backbone = backbone
        self.roi_heads = roi_heads

    def forward(
        self,
        slow: Tensor,
        fast: Tensor,
        boxes: Sequence[Boxes],
        objects: Sequence[Boxes] | None = None,
        memory: Tensor | None = None,
        *,
        with_pooled: bool = False,
    ) -> Tensor | tuple[Tensor, PooledBoxes]:
        """Returns logits [R, K]: all boxes of the first clip, then of the second, ...

        Args:
            slow: [N, 3, T, H, W] normalised clips.
            fast: [N, 3, alpha * T, H, W], likewise.
            boxes: one entry a clip, in pixels of the clip; any of them, and all, may be empty.
            objects: likewise, with scores, for an interaction with objects; None is a batch without any.
            memory: [N, seconds * MAX_PER_SEC, dim] pooled persons of the seconds around each clip, 0 in empty slots,
                for an interaction with them; the clips' own second is filled in. None is an empty memory.
            with_pooled: return the pooled persons beside the logits, as a memory wants them.
        """
        logits, persons = self.roi_heads(self.backbone(slow, fast), boxes, objects, memory)
        return (logits, persons) if with_pooled else logits

    def pool(
        self, slow: Tensor, fast: Tensor, boxes: Sequence[Boxes], objects: Sequence[Boxes] | None = None
    ) -> tuple[PooledBoxes, PooledBoxes | None]:
        """Returns the pooled persons and objects: the first half of ``forward``, whose arguments it takes."""
        features, head = self.backbone(slow, fast), self.roi_heads.action
        return head.pool(features, boxes), None if objects is None else head.pool_objects(features, objects)

    def classify(
        self, persons: PooledBoxes, objects: PooledBoxes | None = None, memory: Tensor | None = None
    ) -> Tensor:
        """Returns logits [R, K] of what ``pool`` returned: the second half of ``forward``."""
        return self.roi_heads.action.classify(persons, objects, memory)

    @property
    def interaction(self) -> InteractionSpec | None:
        """The shape of the interaction; None without one."""
        structure = getattr(self.roi_heads.action.feature_extractor, "ia_structure", None)
        return None if structure is None else structure.spec

    def stages(self) -> list[Unit]:
        """Returns the units from input to ``head``; they cover every parameter exactly once."""
        units = [
            replace(unit, modules={f"backbone.{name}": module for name, module in unit.modules.items()})
            for unit in self.backbone.stages()
        ]
        return [*units, Unit("head", {"roi_heads": self.roi_heads}, kind="head")]


def build_detector(cfg: CfgNode) -> ActionDetector:
    """Returns the detector of the config, with fresh weights.

    Raises:
        ValueError: a registered name is unknown.
        ConfigError: keys that cannot be built.
    """
    backbone = build_backbone(cfg)
    return ActionDetector(backbone=backbone, roi_heads=build_roi_heads(cfg, backbone.dim_out))
