"""Labelled persons that cannot be right: unknown actions, one person in two places, too many actions or persons."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.box_checks import order_by_box
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.structures.labels import LabelMap
from alphaction.structures.overlap import pair_iou

# Rows of one key frame with one person id are one person if their boxes overlap at least this much.
_SAME_PERSON_IOU = 0.5


def check_actions(
    table: FileRows, labels: LabelMap, known_ids: Sequence[int], label_file: str, findings: Findings
) -> None:
    """Notes actions that the label file does not have.

    Args:
        table: labelled persons.
        labels: the classes that are learned.
        known_ids: ids of the label file; more than those of ``labels`` where a data set keeps some classes only.
        label_file: where they come from, "" for AVA's.
        findings: where they are noted.
    """
    rows = np.flatnonzero(~np.isin(table.rows.action, known_ids))
    first = ", ".join(f"{i} {name}" for i, name in zip(labels.ids[:4], labels.names, strict=False))
    source = label_file or "AVA (no label_file is given)"
    findings.add_rows(
        "error",
        "action-unknown",
        table.path,
        rows,
        table.place,
        lambda row: (
            f"the action {table.rows.action[row]} is not one of the {len(known_ids)} classes of {source} ({first}, ...)"
        ),
        "Add the class to the label file, or correct the row; --fix --drop unknown-ids leaves such rows out.",
    )


def check_persons(table: FileRows, labels: LabelMap, max_persons: int, findings: Findings) -> None:
    """Notes ids that two persons share, key frames with very many persons, and contradicting actions."""
    _check_shared_ids(table, findings)
    order, is_same_box = order_by_box(table.rows)
    person = np.empty(len(order), np.int64)  # [rows], one number a box of a key frame
    person[order] = np.cumsum(np.concatenate([[True], ~is_same_box])[: len(order)]) - 1
    _check_crowds(table, person, max_persons, findings)
    _check_exclusive(table, person, labels, findings)


def _check_shared_ids(table: FileRows, findings: Findings) -> None:
    rows = table.rows
    order = np.lexsort((rows.person_id, rows.timestamp_ms, rows.video))
    order = order[rows.person_id[order] >= 0]
    one, two = order[:-1], order[1:]
    is_pair = (
        (rows.video[one] == rows.video[two])
        & (rows.timestamp_ms[one] == rows.timestamp_ms[two])
        & (rows.person_id[one] == rows.person_id[two])
    )
    one, two = one[is_pair], two[is_pair]
    found = np.sort(two[pair_iou(rows.xyxy[one], rows.xyxy[two]) < _SAME_PERSON_IOU])
    findings.add_rows(
        "warning",
        "person-twice",
        table.path,
        found,
        table.place,
        lambda row: f"person {rows.person_id[row]} is in two places at once in {table.key(row)}",
        "Give one of the two another id; they are taken as two persons.",
    )


def _check_crowds(table: FileRows, person: NDArray[np.int64], max_persons: int, findings: Findings) -> None:
    rows = table.rows
    first = np.unique(person, return_index=True)[1]  # a row of each person, by key frame
    starts = np.flatnonzero(
        np.concatenate([[True], (np.diff(rows.video[first]) != 0) | (np.diff(rows.timestamp_ms[first]) != 0)])
    )[: len(first)]
    counts = np.diff(np.append(starts, len(first)))
    crowded = counts > max_persons
    number = dict(zip(first[starts[crowded]].tolist(), counts[crowded].tolist(), strict=True))
    findings.add_rows(
        "info",
        "frame-crowded",
        table.path,
        np.sort(first[starts[crowded]]),
        table.place,
        lambda row: f"{table.key(row)} has {number[row]} persons, a training step looks at {max_persons} of them",
        "Raise MODEL.ROI_ACTION_HEAD.PROPOSAL_PER_CLIP if memory allows.",
    )


def _check_exclusive(table: FileRows, person: NDArray[np.int64], labels: LabelMap, findings: Findings) -> None:
    exclusive = [labels.ids[column] for column in labels.groups.pose]
    is_posture = np.isin(table.rows.action, exclusive)
    pairs = np.unique(np.column_stack([person, table.rows.action])[is_posture], axis=0)
    several, count = np.unique(pairs[:, 0], return_counts=True)
    several = several[count > 1]
    rows = np.flatnonzero(is_posture & np.isin(person, several))
    rows = rows[np.unique(person[rows], return_index=True)[1]] if len(rows) else rows
    findings.add_rows(
        "warning",
        "action-exclusive",
        table.path,
        np.sort(rows),
        table.place,
        lambda row: f"the person of {table.key(row)} has several actions of which only one is possible at a time",
        "Keep one of them, or write groups: multilabel in the data set file.",
    )
