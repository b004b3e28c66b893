"""The rates that FINETUNE's keys give to the units of a model."""

from collections.abc import Sequence
from typing import Any

from alphaction.finetune.layout import ModelLayout


def base_factors(finetune: Any, layout: ModelLayout) -> dict[str, float]:
    """Returns each unit's rate over SOLVER.BASE_LR before a strategy changes it.

    The head has HEAD_LR_FACTOR; a layer of the backbone BACKBONE_LR_FACTOR x LAYER_LR_DECAY ^ (layers behind it), which
    is the discriminative fine-tuning of Howard and Ruder, ULMFiT, 2018, section 3.2; UNIT_LR_FACTORS come on top. A
    norm behind the last block counts with that block.

    Args:
        finetune: the FINETUNE node.
        layout: the model.

    Raises:
        ConfigError: UNIT_LR_FACTORS names what the model does not have.
    """
    named = unit_factors(layout, finetune.UNIT_LR_FACTORS, "FINETUNE.UNIT_LR_FACTORS")
    layers = layout.releasable(by_block=False, with_stem=True)
    depth = {name: index for index, names in enumerate(layers) for name in names}
    return {
        name: named[name]
        * (
            finetune.HEAD_LR_FACTOR
            if name in layout.heads
            else finetune.BACKBONE_LR_FACTOR * finetune.LAYER_LR_DECAY ** depth.get(name, 0)
        )
        for name in layout.names
    }


def unit_factors(layout: ModelLayout, pairs: Sequence[Any], key: str) -> dict[str, float]:
    """Returns the product of the factors that ``pairs`` of (unit or layer, factor) give to each unit, 1 for none.

    Raises:
        ConfigError: a name stands for nothing.
    """
    factors = dict.fromkeys(layout.names, 1.0)
    for name, factor in pairs:
        for unit in layout.resolve([name], key):
            factors[unit] *= factor
    return factors
