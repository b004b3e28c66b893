"""Actions of AVA rows, given to the tracked boxes that lie where the rows' boxes lie."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from alphaction.dataset.importers.base import NO_ACTION, Imported, ReadOptions
from alphaction.dataset.importers.classes import labels_of_ids
from alphaction.dataset.importers.rows import RowsBuilder, join_rows, rows_by_frame
from alphaction.dataset.importers.sampling import SampledPerson, sample_tracks
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.structures.overlap import box_iou
from alphaction.structures.tracks import PersonTrack

LEAST_IOU = 0.5
_UNMATCHED = f"rows of actions without a tracked box at their place (IoU {LEAST_IOU:g})"


def match_rows(
    tracks: Sequence[PersonTrack], tables: Sequence[AvaRows], options: ReadOptions, notes: Sequence[str]
) -> Imported:
    """Returns the labels of the tracked boxes: each takes the actions of the box that it overlaps most.

    Boxes are paired one to one within a key frame. A person without a pair has no action.

    Raises:
        DataError: a class id is not in the label file.
    """
    given = join_rows(tables)
    labels = labels_of_ids(given.action.tolist(), options, {})
    counted: Counter[str] = Counter()
    persons: dict[ClipKey, list[SampledPerson]] = {}
    for person in sample_tracks(tracks, options, counted):
        persons.setdefault(person.key, []).append(person)
    rows_of = rows_by_frame(given)
    builder = RowsBuilder()
    for key in sorted({*persons, *rows_of}):
        here, own = persons.get(key, []), rows_of.get(key, np.zeros(0, np.int64))
        place = _pair(np.array([person.xyxy for person in here]).reshape(-1, 4), given.xyxy[own])  # [own]
        counted[_UNMATCHED] += int((place < 0).sum())
        counted[NO_ACTION] += len(here) - len(set(place[place >= 0].tolist()))
        for action, position in zip(given.action[own].tolist(), place.tolist(), strict=True):
            if position >= 0:
                builder.add(key, here[position].xyxy, action, here[position].person_id)
    rows = builder.rows()
    return Imported(rows, labels, len(rows) + counted.total(), +counted, tuple(notes))


def _pair(tracked: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns for each of the given boxes the position of its tracked box, or -1; equal boxes are one person."""
    place = np.full(len(given), -1, np.int64)
    if not len(tracked) or not len(given):
        return place
    distinct, of_box = np.unique(given, axis=0, return_inverse=True)
    overlaps = box_iou(distinct, tracked)  # [distinct, tracked]
    pair = np.full(len(distinct), -1, np.int64)
    one, two = linear_sum_assignment(np.where(overlaps >= LEAST_IOU, overlaps, 0.0), maximize=True)
    is_near = overlaps[one, two] >= LEAST_IOU
    pair[one[is_near]] = two[is_near]
    return pair[of_box.reshape(-1)]
