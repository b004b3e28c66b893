import math

import pytest
import torch

from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction import InteractionSpec
from alphaction.modeling.roi_heads.action_head.interaction_block import BlockSpec
from alphaction.modeling.roi_heads.action_head.memory_feature import complete_memory, memory_penalty

SPEC = InteractionSpec(
    layers=(("M",),),
    dim_in=1,
    dim_out=1,
    max_persons=1,
    max_objects=1,
    max_per_second=2,
    seconds_before=1,
    seconds_after=2,
    temporal_position=False,
    block=BlockSpec(dim_inner=1, init_std=0.01, starts_as_shortcut=False, dropout=0.0, layer_norm=False),
)


def persons(counts: tuple[int, ...], scores: list[float] | None = None) -> PooledBoxes:
    rows = torch.arange(1.0, 1 + sum(counts))[:, None].requires_grad_()
    return PooledBoxes(rows, counts, None if scores is None else torch.tensor(scores))


def test_the_clips_own_persons_stand_at_their_own_second() -> None:
    memory = -torch.ones(2, 8, 1)
    complete = complete_memory(memory, persons((2, 1)), SPEC)
    assert complete[..., 0].tolist() == [[-1, -1, 1, 2, -1, -1, -1, -1], [-1, -1, 3, 0, -1, -1, -1, -1]]
    assert torch.equal(memory, -torch.ones(2, 8, 1)), "the argument is not changed"


def test_nothing_of_the_memory_leads_back_to_the_persons() -> None:
    assert not complete_memory(None, persons((2, 1)), SPEC).requires_grad


def test_the_best_persons_are_remembered_where_a_second_holds_more_than_it_has_slots() -> None:
    complete = complete_memory(None, persons((3,), [0.2, 0.9, 0.3]), SPEC)
    assert complete[0, 2:4, 0].tolist() == [2, 3]


def test_a_memory_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 6, 1\); .* takes \(2, 8, 1\): 4 seconds of 2 persons"):
        complete_memory(torch.zeros(2, 6, 1), persons((2, 1)), SPEC)


def test_the_penalty_is_the_ratio_of_the_losses_whichever_is_larger() -> None:
    written_at = torch.tensor([0.65, 1.3, 2.6])
    assert memory_penalty(written_at, 1.3).tolist() == pytest.approx([0.5, 1.0, 0.5])


@pytest.mark.parametrize("current", [0.0, 1.3])
def test_an_unknown_loss_costs_nothing(current: float) -> None:
    assert memory_penalty(torch.tensor([0.0, math.nan]), current).tolist() == [1, 1]
    assert memory_penalty(torch.tensor([2.0]), 0.0).tolist() == [1]
