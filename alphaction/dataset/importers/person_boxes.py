"""A detector's person boxes, for the halves of an imported data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.dataset.annotations import Images, load_boxes_json
from alphaction.dataset.importers.mot_overlap import LEAST_IOU
from alphaction.dataset.importers.rows import join_rows, rows_by_frame
from alphaction.structures.ava_csv import AvaRows, load_person_boxes_csv
from alphaction.structures.overlap import box_iou
from alphaction.utils.errors import DataError

_PERSON_CATEGORY = 1


@dataclass(frozen=True, slots=True)
class Found:
    """How a detector's boxes meet the labelled persons of the key frames, at an IoU of 0.5.

    Attributes:
        num_boxes: boxes at key frames with at least the score.
        num_persons: labelled persons.
        num_found: persons who overlap a box of their own.
    """

    num_boxes: int
    num_persons: int
    num_found: int


def load_person_boxes(files: list[Path], images: Images | None) -> tuple[AvaRows, int]:
    """Returns the boxes of AVA CSV files ``video,second,x1,y1,x2,y2,,score``, or of AlphAction's JSON.

    The number is of JSON boxes that are left out, for they are of other images or of other things than persons.

    Raises:
        DataError: a file cannot be used, or JSON is given and the annotations have no image ids.
    """
    parts, num_others = [], 0
    for path in files:
        if not path.name.lower().endswith((".json", ".json.gz")):
            parts.append(load_person_boxes_csv(path))
        elif images is None:
            raise DataError(
                f"{path} names images by id, but the annotations give none; give the boxes as CSV: "
                "video,second,x1,y1,x2,y2,,score."
            )
        else:
            boxes, num = load_boxes_json(str(path), images, _PERSON_CATEGORY)
            parts.append(boxes)
            num_others += num
    return join_rows(parts), num_others


def count_found(boxes: AvaRows, truth: AvaRows, least_score: float) -> Found:
    """Returns how many labelled persons the boxes of a least score find."""
    boxes = boxes.select(boxes.score >= least_score)
    boxes_of, persons_of = rows_by_frame(boxes), rows_by_frame(truth)
    num_boxes = num_persons = num_found = 0
    for key, own in persons_of.items():
        persons = np.unique(truth.xyxy[own], axis=0)
        here = boxes.xyxy[boxes_of[key]] if key in boxes_of else np.zeros((0, 4))
        num_persons += len(persons)
        num_boxes += len(here)
        if len(here):
            best = box_iou(persons, here)
            num_found += len(set(best.argmax(axis=1)[best.max(axis=1) >= LEAST_IOU].tolist()))
    return Found(num_boxes, num_persons, num_found)
