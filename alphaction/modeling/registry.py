"""The tables a configuration names its model parts from.

Each builder takes the whole config; the modules it builds take plain values.
"""

from collections.abc import Callable
from typing import Any

from yacs.config import CfgNode

from alphaction.utils.registry import Registry

# build(cfg) -> a module that keeps the contract of backbone/base.py.
BACKBONES: Registry[Callable[[CfgNode], Any]] = Registry("backbone (MODEL.BACKBONE.CONV_BODY)")
# build(cfg, dim_in) -> a module that keeps the contract of roi_heads/action_head/base.py.
ROI_ACTION_FEATURE_EXTRACTORS: Registry[Callable[[CfgNode, int], Any]] = Registry(
    "feature extractor (MODEL.ROI_ACTION_HEAD.FEATURE_EXTRACTOR)"
)
# build(cfg, dim_in) -> a module that maps [R, dim_in] to logits [R, NUM_CLASSES].
ROI_ACTION_PREDICTORS: Registry[Callable[[CfgNode, int], Any]] = Registry("predictor (MODEL.ROI_ACTION_HEAD.PREDICTOR)")
# A class whose objects keep the contract of roi_heads/action_head/interaction.py: InteractionSpec -> module.
INTERACTION_AGGREGATION_STRUCTURES: Registry[Callable[[Any], Any]] = Registry(
    "interaction structure (MODEL.IA_STRUCTURE.STRUCTURE)"
)
