"""From the scores of a batch to one prediction a clip."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction, DetectionTarget


def detection_predictions(
    keys: Sequence[ClipKey], targets: Sequence[DetectionTarget], scores: Tensor, *, weigh_by_box_score: bool
) -> list[ClipPrediction]:
    """Returns the clips' persons with their scores, on the CPU.

    Args:
        keys: the clips.
        targets: their boxes.
        scores: [R, K] of all boxes in order.
        weigh_by_box_score: multiply them by the detector's score of the box.
    """
    if weigh_by_box_score:
        scores = scores * torch.cat([_box_scores(target) for target in targets])[:, None]
    parts = scores.cpu().split([len(target.persons) for target in targets])
    return [
        ClipPrediction(key, _on_decoded_frame(target, part))
        for key, target, part in zip(keys, targets, parts, strict=True)
    ]


def _box_scores(target: DetectionTarget) -> Tensor:
    """Returns [n] the detector's scores, 1 for boxes without."""
    persons = target.persons
    return persons.xyxy.new_ones(len(persons)) if persons.scores is None else persons.scores


def _on_decoded_frame(target: DetectionTarget, scores: Tensor) -> Boxes:
    """Returns the boxes as they were given, in pixels of the decoded frame, with action scores."""
    persons = target.persons.to("cpu")
    return Boxes(persons.xyxy, persons.size, scores=scores).resize(target.frame_size)
