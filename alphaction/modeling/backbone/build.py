"""The backbone a config names."""

from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Backbone
from alphaction.modeling.registry import BACKBONES


def build_backbone(cfg: CfgNode) -> Backbone:
    """Returns the backbone registered as MODEL.BACKBONE.CONV_BODY.

    Raises:
        ValueError: no backbone has that name.
        ConfigError: the backbone cannot be built from its keys.
    """
    return BACKBONES.get(cfg.MODEL.BACKBONE.CONV_BODY)(cfg)
