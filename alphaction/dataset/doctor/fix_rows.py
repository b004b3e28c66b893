"""The rows of one CSV file, repaired where it is sure what was meant."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.box_checks import find_box_faults, find_repeated
from alphaction.dataset.doctor.csv_text import CsvText, join_cells
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.fix_boxes import repair_boxes
from alphaction.dataset.doctor.spelling import Corrections
from alphaction.structures.ava_csv_parser import BadRow, FileKind, parse_lines
from alphaction.structures.clip import ClipKey


@dataclass(frozen=True, slots=True)
class Change:
    """One row that differs from the original; row 0 is the file as a whole, ``place`` another word for the row."""

    file: str
    row: int
    text: str
    place: str = ""

    def __str__(self) -> str:
        place = self.place or (f"row {self.row}" if self.row else "")
        return f"{self.file}, {place}: {self.text}" if place else f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Droppable:
    """Which rows may be left out although they say something.

    Attributes:
        known_ids: rows of other actions, None to keep them.
        bad_rows: rows that cannot be read, or whose box cannot be used.
        durations: rows after these seconds of their video.
        spans: rows outside these (first, last) seconds of their folder of clips.
        good_videos: rows of other videos, None to keep them.
        failed: rows of these key frames, whose frames cannot be read.
    """

    known_ids: tuple[int, ...] | None = None
    bad_rows: bool = False
    durations: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    good_videos: frozenset[str] | None = None
    failed: frozenset[ClipKey] = frozenset()


def repair_rows(
    table: FileRows,
    text: CsvText,
    sizes: Mapping[str, tuple[int, int]],
    droppable: Droppable,
    corrections: Corrections,
    kind: FileKind,
) -> tuple[list[str], list[Change]]:
    """Returns the lines of the repaired file and what was changed.

    Args:
        table: the readable rows of the file.
        text: its lines.
        sizes: (width, height) in pixels of the frames of videos.
        droppable: rows that may be left out.
        corrections: of names in the rows.
        kind: of the file.
    """
    changes = [Change(table.path, 0, change) for change in text.changes]
    xyxy, reasons = repair_boxes(table, sizes)
    dropped: dict[int, str] = {}
    for row, reason in find_dropped(table, xyxy, droppable).items():
        dropped.setdefault(int(table.line[row]), reason)
    new_box = {int(table.line[row]): (xyxy[row], reason) for row, reason in reasons.items()}
    lines, bad_lines = [], set(table.bad_lines if droppable.bad_rows else ())
    for number, line in enumerate(text.lines, start=1):
        line, reasons_here = corrections.correct(line)
        if number in bad_lines and not _is_readable(line, kind):
            dropped[number] = "left out, it cannot be read"
        if number in dropped:
            changes.append(Change(table.path, number, dropped[number]))
            continue
        if number in new_box:
            box, reason = new_box[number]
            cells = next(csv.reader([line]))
            line = join_cells([*cells[:2], *(f"{value:.6g}" for value in box), *cells[6:]])
            reasons_here.append(reason)
        if reasons_here:
            changes.append(Change(table.path, number, "; ".join(reasons_here)))
        if line.strip():
            lines.append(line if line.endswith("\n") else line + "\n")
    return lines, changes


def _is_readable(line: str, kind: FileKind) -> bool:
    try:
        parse_lines([line], kind)
    except BadRow:
        return False
    return True


def find_dropped(table: FileRows, xyxy: NDArray[np.float64], droppable: Droppable) -> dict[int, str]:
    """Returns why rows (from 0) are left out, by row."""
    rows = replace(table.rows, xyxy=xyxy)
    faults = find_box_faults(xyxy, table.sizes)
    masks = [
        (faults.degenerate, "left out, its box has no area"),
        (find_repeated(rows), "left out, an earlier row says the same"),
    ]
    if droppable.bad_rows:
        masks.append((faults.pixels | faults.far | faults.inverted, "left out, its box cannot be used"))
    if droppable.known_ids is not None:
        masks.append((~np.isin(rows.action, droppable.known_ids), "left out, its action is not in the label file"))
    if droppable.good_videos is not None:
        is_good = np.array([video in droppable.good_videos for video in rows.videos], bool)
        masks.append((~is_good[rows.video], "left out, its video is missing or cannot be read"))
    if droppable.failed:
        keys, frame = rows.frame_index()
        is_failed = np.array([key in droppable.failed for key in keys], bool)
        masks.append((is_failed[frame], "left out, its frames cannot be read"))
    masks.append((_is_outside(table, droppable), "left out, its time is outside the video"))
    dropped: dict[int, str] = {}
    for mask, reason in masks:
        for row in np.flatnonzero(mask).tolist():
            dropped.setdefault(row, reason)
    return dropped


def _is_outside(table: FileRows, droppable: Droppable) -> NDArray[np.bool_]:
    rows = table.rows
    lowest = np.array([droppable.spans.get(video, (0, 0))[0] * 1000 for video in rows.videos] or [0])
    ends = [
        droppable.spans[video][1] * 1000 if video in droppable.spans else droppable.durations.get(video, np.inf) * 1000
        for video in rows.videos
    ]
    highest = np.array(ends or [np.inf])
    if not len(rows):
        return np.zeros(0, bool)
    return (rows.timestamp_ms < lowest[rows.video]) | (rows.timestamp_ms > highest[rows.video] + 0.5)
