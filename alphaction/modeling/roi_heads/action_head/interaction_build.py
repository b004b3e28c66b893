"""The interaction structure a config names."""

import logging

from yacs.config import CfgNode

from alphaction.modeling.registry import INTERACTION_AGGREGATION_STRUCTURES
from alphaction.modeling.roi_heads.action_head.interaction import InteractionSpec, InteractionStructure
from alphaction.modeling.roi_heads.action_head.interaction_block import BlockSpec
from alphaction.utils.errors import ConfigError

logger = logging.getLogger(__name__)

# DIM_IN of a config that does not say: the width of the released SlowFast networks.
_DEFAULT_DIM_IN = 2304


def build_interaction(cfg: CfgNode, dim_in: int) -> InteractionStructure:
    """Returns the structure of MODEL.IA_STRUCTURE for pooled boxes of ``dim_in`` channels.

    Raises:
        ValueError: no structure has the given name.
        ConfigError: DIM_IN is set to another width than the backbone's.
    """
    keys = cfg.MODEL.IA_STRUCTURE
    if keys.DIM_IN not in (dim_in, _DEFAULT_DIM_IN):
        raise ConfigError(
            f"MODEL.IA_STRUCTURE.DIM_IN is {keys.DIM_IN}, but the backbone is {dim_in} channels wide: leave it out."
        )
    for key, ignored in (("NO_BIAS", True), ("ROI_DIM_REDUCE", False)):
        if keys[key] == ignored:
            logger.warning(
                "MODEL.IA_STRUCTURE.%s %s has no effect: the weight files of the family always have the %s.",
                key,
                ignored,
                "biases" if key == "NO_BIAS" else "reduction",
            )
    structure: InteractionStructure = INTERACTION_AGGREGATION_STRUCTURES.get(keys.STRUCTURE)(
        interaction_spec(cfg, dim_in)
    )
    structure.freeze_unused()
    return structure


def interaction_spec(cfg: CfgNode, dim_in: int) -> InteractionSpec:
    """Returns the shape of the structure that MODEL.IA_STRUCTURE describes."""
    keys = cfg.MODEL.IA_STRUCTURE
    before, after = keys.LENGTH
    return InteractionSpec(
        layers=tuple(tuple(layer) for layer in keys.I_BLOCK_LIST),
        dim_in=dim_in,
        dim_out=keys.DIM_OUT,
        max_persons=keys.MAX_PERSON,
        max_objects=keys.MAX_OBJECT,
        max_per_second=keys.MAX_PER_SEC,
        seconds_before=before,
        seconds_after=after,
        temporal_position=keys.TEMPORAL_POSITION,
        block=BlockSpec(
            dim_inner=keys.DIM_INNER,
            init_std=keys.CONV_INIT_STD,
            starts_as_shortcut=keys.USE_ZERO_INIT_CONV,
            dropout=keys.DROPOUT,
            layer_norm=keys.LAYER_NORM,
        ),
    )
