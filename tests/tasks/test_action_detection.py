from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from alphaction.config import load_cfg
from alphaction.modeling.clip_input import ClipNormalizer
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipBatch, ClipKey, DetectionTarget, Media
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.tasks.action_detection import ActionDetection
from alphaction.utils.errors import ConfigError

LABELS = LabelMap((3, 7, 9), ("sit", "wave", "talk"), ClassGroups(pose=(0,), object=(1, 2)))


class FixedLogits(nn.Module):
    """Says the same of every box and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([1.0, 0.0, -2.0]))

    def forward(self, slow: torch.Tensor, fast: torch.Tensor, boxes: list[Boxes], objects: None) -> torch.Tensor:
        self.boxes = boxes
        return self.logits.expand(sum(map(len, boxes)), 3)


def make_task(*, weigh: bool = False, max_boxes: int = 10, jitter: float = 0.0) -> ActionDetection:
    return ActionDetection(
        labels=LABELS,
        loss_weights={"pose": 1.0, "object": 2.0, "person": 1.0},
        gamma=0.0,
        alpha=-1.0,
        max_boxes=max_boxes,
        box_jitter=(jitter, jitter, jitter, jitter),
        weigh_by_box_score=weigh,
        normalizer=ClipNormalizer(mean=[0, 0, 0], std=[1, 1, 1]),
    )


def make_batch(targets: list[DetectionTarget]) -> ClipBatch:
    count = len(targets)
    index = torch.zeros(count, 1, dtype=torch.int64)
    media = Media(torch.zeros(count, 1, 8, 16, 3, dtype=torch.uint8), index, index, torch.tensor([[8, 16]] * count))
    return ClipBatch(tuple(ClipKey("m", i * 1000) for i in range(count)), media, tuple(targets))


def detected(*scores: float) -> DetectionTarget:
    boxes = torch.tensor([[2.0, 1, 7, 5]]).repeat(len(scores), 1)
    return DetectionTarget(Boxes(boxes, (16, 8), scores=torch.tensor(scores)), frame_size=(32, 16))


def labelled(count: int) -> DetectionTarget:
    labels = torch.tensor([[1, 0, 1]], dtype=torch.uint8).repeat(count, 1)
    boxes = torch.tensor([[2.0, 1, 7, 5]]).repeat(count, 1)
    return DetectionTarget(Boxes(boxes, (16, 8), labels=labels), frame_size=(32, 16))


def test_predictions_are_in_pixels_of_the_decoded_frame() -> None:
    first, empty = make_task().predict_batch(FixedLogits(), make_batch([detected(0.9, 0.5), detected()]))
    assert first.boxes is not None and first.boxes.size == (32, 16)
    assert first.boxes.xyxy.tolist() == [[4.0, 2.0, 14.0, 10.0]] * 2
    assert torch.allclose(first.boxes.scores, torch.tensor([[1.0, 0.5, 0.119203]]).repeat(2, 1), atol=1e-6)
    assert empty.key == ClipKey("m", 1000) and len(empty.boxes) == 0


def test_scores_can_be_weighed_by_those_of_the_boxes() -> None:
    (found,) = make_task(weigh=True).predict_batch(FixedLogits(), make_batch([detected(0.9, 0.5)]))
    assert torch.allclose(found.boxes.scores[:, 1], torch.tensor([0.45, 0.25]))


def test_training_draws_boxes_from_the_generator_alone() -> None:
    task, model = make_task(max_boxes=2, jitter=0.2), FixedLogits()
    batch = make_batch([labelled(5), labelled(1)])
    seen = []
    for seed in (1, 1, 2):
        task.train_step(model, batch, torch.Generator().manual_seed(seed))
        seen.append(torch.cat([boxes.xyxy for boxes in model.boxes]))
    assert [len(boxes) for boxes in model.boxes] == [2, 1]
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])


def test_losses_are_those_of_the_groups_with_their_weights() -> None:
    output = make_task().train_step(FixedLogits(), make_batch([labelled(2)]), torch.Generator())
    assert set(output.losses) == {"loss_pose_action", "loss_object_interaction"}
    # One class alone has a softmax of 1; the other two are cross-entropies of 0 (absent) and -2 (present).
    expected = 2.0 * (0.693147 + 2.126928) / 2
    assert output.losses["loss_pose_action"].item() == pytest.approx(0.0, abs=1e-6)
    assert output.losses["loss_object_interaction"].item() == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_a_person_has_no_loss_and_a_gradient() -> None:
    model = FixedLogits()
    output = make_task().train_step(model, make_batch([labelled(0)]), torch.Generator())
    sum(output.losses.values()).backward()
    assert model.logits.grad is not None and not model.logits.grad.any()


def test_a_checkpoint_of_other_classes_is_refused() -> None:
    task = make_task()
    task.load_state_dict(task.state_dict())
    other = make_task()
    other.labels = replace(LABELS, names=("sit", "salute", "talk"))
    with pytest.raises(ConfigError, match=r"wave.*salute"):
        other.load_state_dict(task.state_dict())


def test_class_counts_come_from_the_label_file(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("walk\nrun\n")
    (tmp_path / "a.yaml").write_text("video_root: .\ncsv_gt_file: a.csv\nlabel_file: labels.txt\ngroups: exclusive\n")
    words = ["DATASETS.TRAIN", f"('{tmp_path}/a.yaml',)"]
    head = ActionDetection.resolve_config(load_cfg(None, words)).MODEL.ROI_ACTION_HEAD
    assert (head.NUM_CLASSES, head.NUM_PERSON_MOVEMENT_CLASSES, head.NUM_OBJECT_MANIPULATION_CLASSES) == (2, 2, 0)
    given = [
        *words,
        "MODEL.ROI_ACTION_HEAD.NUM_CLASSES",
        "81",
        "MODEL.ROI_ACTION_HEAD.NUM_PERSON_MOVEMENT_CLASSES",
        "15",
    ]
    with pytest.raises(ConfigError, match="disagree with the label file"):
        ActionDetection.resolve_config(load_cfg(None, given))


def test_without_a_data_set_the_classes_are_those_of_ava() -> None:
    cfg = load_cfg()
    assert ActionDetection.resolve_config(cfg) == cfg
    assert ActionDetection.from_cfg(cfg).labels == LabelMap.ava()
