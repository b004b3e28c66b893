"""The detector: a backbone and the heads behind it."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Backbone, Unit
from alphaction.modeling.backbone.build import build_backbone
from alphaction.modeling.roi_heads.roi_heads import ROIHeads, build_roi_heads
from alphaction.structures.boxes import Boxes


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
    ) -> Tensor:
        """Returns logits [R, K]: all boxes of the first clip, then of the second, ...

        Args:
            slow: [N, 3, T, H, W] normalised clips.
            fast: [N, 3, alpha * T, H, W], likewise.
            boxes: one entry a clip, in pixels of the clip; any of them, and all, may be empty.
            objects: likewise, for an interaction with objects.
            memory: pooled persons of other times, for an interaction with them.
        """
        return self.roi_heads(self.backbone(slow, fast), boxes, objects, memory)

    def stages(self) -> list[Unit]:
        """Returns the units from input to ``head``; they cover every parameter exactly once."""
        units = [
            Unit(unit.name, {f"backbone.{name}": module for name, module in unit.modules.items()})
            for unit in self.backbone.stages()
        ]
        return [*units, Unit("head", {"roi_heads": self.roi_heads})]


def build_detector(cfg: CfgNode) -> ActionDetector:
    """Returns the detector of the config, with fresh weights.

    Raises:
        ValueError: a registered name is unknown.
        ConfigError: keys that cannot be built.
    """
    backbone = build_backbone(cfg)
    return ActionDetector(backbone=backbone, roi_heads=build_roi_heads(cfg, backbone.dim_out))
