"""The boxes of many key frames in a few arrays: cheap to share with the loader's workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from alphaction.structures.ava_csv import NO_ACTION, AvaRows
from alphaction.structures.boxes import PIXEL, Boxes
from alphaction.structures.clip import ClipKey
from alphaction.structures.overlap import pair_iou

# Rows of one key frame with one person id are one person if their boxes overlap at least this much.
_SAME_PERSON_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class BoxTable:
    """The boxes of n clips, m in all; those of clip i stand at ``start[i]`` to ``start[i + 1]``.

    Attributes:
        start: [n + 1] int64.
        xyxy: [m, 4] float64 left, top, right, bottom as fractions of the frame.
        score: [m] float32.
        labels: [m, K] bool packed to bits, [m, ceil(K / 8)] uint8, or None.
        num_classes: K.
    """

    start: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    score: NDArray[np.float32]
    labels: NDArray[np.uint8] | None = None
    num_classes: int = 0

    def boxes(self, clip: int, size: tuple[int, int]) -> Boxes:
        """Returns the boxes of a clip in pixels of a frame of ``size`` (width, height), clipped to it.

        They have labels where the table has them, else scores.
        """
        at = slice(int(self.start[clip]), int(self.start[clip + 1]))
        pixels = self.xyxy[at] * np.tile(size, 2)
        pixels[:, 2:] -= PIXEL  # the family's last pixel is inside
        xyxy = torch.from_numpy(pixels.astype(np.float32))
        if self.labels is None:
            return Boxes(xyxy, size, scores=torch.from_numpy(self.score[at].copy())).clip()
        labels = np.unpackbits(self.labels[at], axis=1, count=self.num_classes)
        return Boxes(xyxy, size, labels=torch.from_numpy(labels)).clip()

    def label_counts(self) -> NDArray[np.int64]:
        """Returns [n, K] how many boxes of each clip have each class; zeros where the table has no labels."""
        counts = np.zeros((len(self), self.num_classes), np.int64)
        if self.labels is not None:
            clip = np.repeat(np.arange(len(self)), np.diff(self.start))
            for column in range(self.num_classes):
                has_class = self.labels[:, column // 8] & (128 >> column % 8) > 0
                counts[:, column] = np.bincount(clip[has_class], minlength=len(self))
        return counts

    def __len__(self) -> int:
        return len(self.start) - 1


def table_of_boxes(rows: AvaRows, keys: Sequence[ClipKey], most: int = 0) -> BoxTable:
    """Returns the scored boxes of each clip in the order of the file; ``most`` keeps only the best so many."""
    clip = _clip_of_rows(rows, keys)
    order = np.argsort(clip, kind="stable")
    if most > 0:
        order = np.lexsort((-rows.score, clip))
    order = order[np.searchsorted(clip[order], 0) :]  # boxes of other key frames have clip -1
    start = np.searchsorted(clip[order], np.arange(len(keys) + 1))
    if most > 0:
        rank = np.arange(len(order)) - start[clip[order]]
        order = order[rank < most]
        start = np.searchsorted(clip[order], np.arange(len(keys) + 1))
    return BoxTable(start, rows.xyxy[order], rows.score[order].astype(np.float32))


def table_of_persons(rows: AvaRows, keys: Sequence[ClipKey], column_of: Mapping[int, int]) -> tuple[BoxTable, int]:
    """Returns the labelled persons of each clip, and how many share their person id with another of their clip.

    Rows of one key frame are one person if their boxes are equal, or if they share a person id and overlap.

    Args:
        rows: one row a person and class; ``NO_ACTION`` is a person without one of the classes.
        keys: the clips; rows of other key frames are left out.
        column_of: class id -> column; every class of ``rows`` is in it.
    """
    clip = _clip_of_rows(rows, keys)
    rows, clip = rows.select(clip >= 0), clip[clip >= 0]
    person, num_shared = _join_persons(clip, rows)  # [rows]
    first = np.full(person.max(initial=-1) + 1, len(person))
    np.minimum.at(first, person, np.arange(len(person)))
    order = np.lexsort((first, clip[first]))  # by clip, then in the order of the file
    new_place = np.empty_like(order)
    new_place[order] = np.arange(len(order))
    has_class = rows.action != NO_ACTION
    column = np.array([column_of[action] for action in rows.action[has_class].tolist()], np.int64)
    labels = np.zeros((len(order), len(column_of)), np.uint8)
    labels[new_place[person[has_class]], column] = 1
    kept = first[order]
    start = np.searchsorted(clip[kept], np.arange(len(keys) + 1))
    score = rows.score[kept].astype(np.float32)
    return BoxTable(start, rows.xyxy[kept], score, np.packbits(labels, axis=1), len(column_of)), num_shared


def _clip_of_rows(rows: AvaRows, keys: Sequence[ClipKey]) -> NDArray[np.int64]:
    """Returns [rows] positions in ``keys``, -1 for rows of other key frames."""
    place = {key: position for position, key in enumerate(keys)}
    frames, frame_of_row = rows.frame_index()
    return np.array([place.get(frame, -1) for frame in frames], np.int64)[frame_of_row]


def _join_persons(clip: NDArray[np.int64], rows: AvaRows) -> tuple[NDArray[np.int64], int]:
    """Returns [rows] person numbers, not in order, and the number of persons who share an id within a clip."""
    order = np.lexsort((*rows.xyxy.T, clip))
    changes = (np.diff(clip[order]) != 0) | (np.diff(rows.xyxy[order], axis=0) != 0).any(axis=1)
    person = np.empty(len(clip), np.int64)
    person[order] = np.concatenate([[0], np.cumsum(changes)]) if len(clip) else []
    by_id = np.lexsort((np.arange(len(clip)), rows.person_id, clip))
    by_id = by_id[rows.person_id[by_id] >= 0]
    one, two = by_id[:-1], by_id[1:]
    is_pair = (clip[one] == clip[two]) & (rows.person_id[one] == rows.person_id[two]) & (person[one] != person[two])
    one, two = one[is_pair], two[is_pair]
    is_same = pair_iou(rows.xyxy[one], rows.xyxy[two]) >= _SAME_PERSON_IOU
    joined = list(range(int(person.max(initial=-1)) + 1))
    for a, b in zip(person[one[is_same]].tolist(), person[two[is_same]].tolist(), strict=True):
        low, high = sorted((_root(joined, a), _root(joined, b)))
        joined[high] = low
    roots = np.array([_root(joined, number) for number in joined], np.int64)
    return np.unique(roots[person], return_inverse=True)[1], int((~is_same).sum())


def _root(joined: list[int], number: int) -> int:
    while joined[number] != number:
        number = joined[number]
    return number
