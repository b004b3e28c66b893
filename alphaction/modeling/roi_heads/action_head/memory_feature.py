"""The memory as the interaction sees it: persons of the seconds around a clip, its own second among them."""

import torch
from torch import Tensor

from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction import InteractionSpec
from alphaction.modeling.roi_heads.action_head.slots import Slots


def complete_memory(memory: Tensor | None, persons: PooledBoxes, spec: InteractionSpec) -> Tensor:
    """Returns [N, seconds * max_per_second, dim_in]: ``memory`` with the clips' own persons at their own second.

    Nothing of it leads back to the backbone. Where a clip has more persons than slots, the best scores stay.

    Args:
        memory: persons of other seconds, 0 in empty slots; what it holds for the clips' own second does not matter.
            None is an empty memory.
        persons: of the clips.
        spec: of the interaction.

    Raises:
        ValueError: the memory has another shape.
    """
    features, first = persons.features.detach(), spec.seconds_before * spec.max_per_second
    own = Slots(persons.counts, spec.max_per_second, persons.scores, features.device).fill(features)
    shape = (len(persons.counts), spec.num_seconds * spec.max_per_second, spec.dim_in)
    if memory is None:
        memory = own.new_zeros(shape)
    if memory.shape != shape:
        raise ValueError(
            f"The memory has the shape {tuple(memory.shape)}; the interaction of these {shape[0]} clips takes {shape}: "
            f"{spec.num_seconds} seconds of {spec.max_per_second} persons."
        )
    return torch.cat([memory[:, :first], own.to(memory), memory[:, first + spec.max_per_second :]], dim=1)


def memory_penalty(written_at: Tensor, current: float) -> Tensor:
    """Returns the factor in 0 .. 1 by which features count less the further the loss has moved since their writing.

    min(l / c, c / l) of the loss l then and the loss c now (Tang et al. 2020, section 3.4); 1 where one of them is 0 or
    unknown.

    Args:
        written_at: losses at the time of writing.
        current: the loss of the step before.
    """
    ratio = written_at / current if current > 0 else torch.ones_like(written_at)
    factor = torch.minimum(ratio, 1 / ratio)
    return torch.where(torch.isfinite(factor) & (written_at > 0), factor, torch.ones_like(factor))
