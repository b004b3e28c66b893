"""How good boxes are: COCO's average precision, and recall and precision at a score."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from alphaction.structures.clip import ClipKey
from alphaction.structures.overlap import box_iou
from alphaction.utils.words import counted

_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FrameBoxes:
    """The persons of one frame.

    Attributes:
        xyxy: [n, 4] left, top, right, bottom, in pixels.
        scores: [n]; 1 for the truth.
    """

    xyxy: NDArray[np.floating]
    scores: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class BoxScores:
    """The outcome; -1 is an average precision without anything to find.

    Attributes:
        ap: COCO's average precision, mean over IoU 0.5 to 0.95.
        ap50: at IoU 0.5.
        ap75: at IoU 0.75.
        recall: share of the persons found at ``threshold`` and IoU 0.5.
        precision: share of such boxes that are a person.
        threshold: lowest score of boxes that count for recall and precision.
        num_frames: frames compared.
        num_persons: persons in them.
        num_boxes: boxes of at least ``threshold`` in them.
    """

    ap: float
    ap50: float
    ap75: float
    recall: float
    precision: float
    threshold: float
    num_frames: int
    num_persons: int
    num_boxes: int

    def summary(self) -> str:
        """Returns the numbers as two lines of text."""
        return (
            f"COCO box AP {self.ap:.3f} (IoU 0.50:0.95), {self.ap50:.3f} (0.50), {self.ap75:.3f} (0.75)\n"
            f"at score {self.threshold:g} and IoU {_IOU:g}: recall {self.recall:.3f}, precision {self.precision:.3f} "
            f"({counted(self.num_frames, 'frame')}, {counted(self.num_persons, 'person')}, "
            f"{counted(self.num_boxes, 'box')})"
        )


def evaluate_boxes(
    truth: Mapping[ClipKey, FrameBoxes], found: Mapping[ClipKey, FrameBoxes], threshold: float
) -> BoxScores:
    """Returns how well the boxes found agree with the truth, over the frames of the truth.

    Args:
        truth: persons of the frames to compare, which may be none.
        found: boxes of these frames; a frame that is not there has none.
        threshold: see ``BoxScores``.
    """
    frames = list(truth)
    nothing = FrameBoxes(np.zeros((0, 4)), np.zeros(0))
    pairs = [(truth[key], found.get(key, nothing)) for key in frames]
    hits = num_persons = num_boxes = 0
    for real, boxes in pairs:
        good = np.flatnonzero(boxes.scores >= threshold)
        good = good[np.argsort(-boxes.scores[good], kind="stable")]
        hits += count_hits(boxes.xyxy[good], real.xyxy)
        num_persons, num_boxes = num_persons + len(real.xyxy), num_boxes + len(good)
    precisions = _average_precisions(pairs)
    return BoxScores(
        *precisions,
        recall=hits / num_persons if num_persons else 0.0,
        precision=hits / num_boxes if num_boxes else 0.0,
        threshold=threshold,
        num_frames=len(frames),
        num_persons=num_persons,
        num_boxes=num_boxes,
    )


def count_hits(boxes: NDArray[np.floating], persons: NDArray[np.floating]) -> int:
    """Returns how many persons are found: each box, best first, takes the free person it overlaps most.

    Args:
        boxes: [n, 4] best first.
        persons: [m, 4].
    """
    shared = box_iou(np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(persons, np.float64).reshape(-1, 4))
    hits = 0
    for row in range(len(shared)):
        best = int(shared[row].argmax()) if shared.shape[1] else 0
        if shared.shape[1] and shared[row, best] >= _IOU:
            shared[:, best] = 0
            hits += 1
    return hits


def _average_precisions(pairs: Sequence[tuple[FrameBoxes, FrameBoxes]]) -> tuple[float, float, float]:
    """Returns pycocotools' AP over all IoUs, at 0.5 and at 0.75."""
    truth = [entry for image, (real, _) in enumerate(pairs, start=1) for entry in _entries(image, real)]
    found = [entry for image, (_, boxes) in enumerate(pairs, start=1) for entry in _entries(image, boxes)]
    if not truth:
        return -1.0, -1.0, -1.0
    if not found:
        return 0.0, 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(1, len(pairs) + 1)],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [{**entry, "id": number, "iscrowd": 0} for number, entry in enumerate(truth, start=1)],
        }
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    ap, ap50, ap75 = (float(number) for number in run.stats[:3])
    return ap, ap50, ap75


def _entries(image: int, boxes: FrameBoxes) -> list[dict[str, Any]]:
    sizes = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    xywh = np.concatenate([boxes.xyxy[:, :2], sizes], axis=1).tolist()
    return [
        {"image_id": image, "category_id": 1, "bbox": box, "area": box[2] * box[3], "score": float(score)}
        for box, score in zip(xywh, boxes.scores, strict=True)
    ]
