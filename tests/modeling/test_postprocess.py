import torch

from alphaction.modeling.roi_heads.action_head.postprocess import scores_from_logits
from alphaction.structures.labels import ClassGroups

LOGITS = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))


def test_postures_share_one_and_the_others_stand_alone() -> None:
    scores = scores_from_logits(LOGITS, ClassGroups(pose=(0, 3), object=(1,), person=(2, 4)))
    torch.testing.assert_close(scores[:, [0, 3]], LOGITS[:, [0, 3]].softmax(1))
    torch.testing.assert_close(scores[:, [1, 2, 4]], LOGITS[:, [1, 2, 4]].sigmoid())


def test_one_group_is_enough() -> None:
    torch.testing.assert_close(scores_from_logits(LOGITS, ClassGroups.from_counts(5, 0, 0)), LOGITS.softmax(1))
    torch.testing.assert_close(scores_from_logits(LOGITS, ClassGroups.from_counts(0, 5, 0)), LOGITS.sigmoid())


def test_no_box_and_half_precision_give_float32() -> None:
    groups = ClassGroups.from_counts(2, 2, 1)
    assert scores_from_logits(LOGITS[:0], groups).shape == (0, 5)
    assert scores_from_logits(LOGITS.bfloat16(), groups).dtype == torch.float32
