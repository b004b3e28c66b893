import torch

from alphaction.modeling.roi_heads.action_head.slots import Slots

CPU = torch.device("cpu")
ROWS = torch.arange(1.0, 6.0)[:, None]  # [5, 1]


def test_boxes_stand_in_the_slots_of_their_clip() -> None:
    slots = Slots((2, 0, 3), 3, None, CPU)
    assert slots.fill(ROWS)[..., 0].tolist() == [[1, 2, 0], [0, 0, 0], [3, 4, 5]]
    assert torch.equal(slots.take(slots.fill(ROWS)), ROWS)
    assert slots.counts == (2, 0, 3)


def test_the_best_scores_stay_where_slots_are_few_and_keep_their_order() -> None:
    scores = torch.tensor([0.1, 0.9, 0.5, 0.7, 0.7])
    slots = Slots((1, 4), 2, scores, CPU)
    assert slots.fill(ROWS)[..., 0].tolist() == [[1, 0], [2, 4]]
    assert slots.counts == (1, 2)


def test_the_first_boxes_stay_without_scores() -> None:
    assert Slots((1, 4), 2, None, CPU).fill(ROWS)[..., 0].tolist() == [[1, 0], [2, 3]]


def test_a_batch_without_any_box_has_empty_slots() -> None:
    slots = Slots((0, 0), 2, None, CPU)
    filled = slots.fill(torch.zeros(0, 4))
    assert filled.shape == (2, 2, 4)
    assert not filled.any()
    assert slots.take(filled).shape == (0, 4)


def test_gradients_reach_the_boxes_that_have_a_slot() -> None:
    rows = ROWS.clone().requires_grad_()
    Slots((1, 4), 2, None, CPU).fill(rows).sum().backward()
    assert rows.grad[:, 0].tolist() == [1, 1, 1, 0, 0]
