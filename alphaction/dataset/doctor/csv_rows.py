"""The rows of a CSV file that can be read; every other row becomes a finding."""

import csv
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.csv_text import CsvText, join_cells
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.ava_csv_parser import (
    OUTSIDE_SLACK,
    BadRow,
    FileKind,
    ParsedLines,
    explain_bad_row,
    parse_lines,
)

_LINES_AT_ONCE = 50_000
# A file with more unreadable rows than this is not read to its end.
_MOST_BAD = 2000
# Which kind of mistake a parser's message is about.
_KIND_OF = re.compile(
    r"has (?:(\d+) columns?|a column (\w+) that|no (video|action)|a (time) in|an? (?:negative )?(action))"
)
_NAMES = "Write the id of the class; --fix does it where the label file has a class of that name."


def parse_text(text: CsvText, kind: FileKind, findings: Findings) -> FileRows:
    """Returns the readable rows of a CSV file; the others are noted by kind of mistake."""
    bad: list[int] = []
    parts: list[tuple[ParsedLines, list[int]]] = []
    for start in range(0, len(text.lines), _LINES_AT_ONCE):
        parts += _parse_chunk(text.lines[start : start + _LINES_AT_ONCE], start + 1, kind, bad)
    _report_bad(text, kind, bad, findings)
    return FileRows(text.path, *_join(parts, kind), bad_lines=tuple(bad))


def _parse_chunk(lines: list[str], number: int, kind: FileKind, bad: list[int]) -> list[tuple[ParsedLines, list[int]]]:
    try:
        return [(parse_lines(lines, kind), _lines_with_box(lines, number))]
    except BadRow:
        neutral, odd = _set_odd_boxes_apart(lines, number, kind)
    parts = _bisect(neutral, number, kind, bad)
    for part, numbers in parts:
        for row, line in enumerate(numbers):
            if line in odd:
                part.xyxy[row] = odd[line]
    return parts


def _set_odd_boxes_apart(lines: list[str], number: int, kind: FileKind) -> tuple[list[str], dict[int, list[float]]]:
    """Returns the lines with boxes in pixels or upside down replaced by the whole frame, and those boxes by line."""
    neutral, odd = [], {}
    for line_number, line in enumerate(lines, start=number):
        cells = line.rstrip("\n").split(",") if '"' not in line else next(csv.reader([line]), [])
        try:
            box = [float(cell) for cell in cells[2:6]]
        except ValueError:
            box = []
        is_odd = len(box) == 4 and np.isfinite(box).all() and kind != "none"
        if is_odd and (min(box) < -OUTSIDE_SLACK or max(box) > 1 + OUTSIDE_SLACK or box[2] < box[0] or box[3] < box[1]):
            odd[line_number] = box
            line = join_cells([*cells[:2], "0", "0", "1", "1", *cells[6:]])
        neutral.append(line)
    return neutral, odd


def _bisect(lines: list[str], number: int, kind: FileKind, bad: list[int]) -> list[tuple[ParsedLines, list[int]]]:
    """Returns the parts of the lines that can be read; the others are added to ``bad``."""
    if len(bad) >= _MOST_BAD:
        return []
    try:
        return [(parse_lines(lines, kind), _lines_with_box(lines, number))]
    except BadRow:
        if len(lines) == 1:
            bad.append(number)
            return []
    half = len(lines) // 2
    return _bisect(lines[:half], number, kind, bad) + _bisect(lines[half:], number + half, kind, bad)


def _lines_with_box(lines: list[str], number: int) -> list[int]:
    if all(line.count(",") >= 6 and ",," not in line for line in lines):
        return list(range(number, number + len(lines)))
    return [line for line, cells in enumerate(csv.reader(lines), start=number) if any(cells[2:])]


def _report_bad(text: CsvText, kind: FileKind, bad: Sequence[int], findings: Findings) -> None:
    by_code: dict[str, list[int]] = {}
    first: dict[str, str] = {}
    for number in bad:
        line = text.lines[number - 1]
        said = explain_bad_row([line], number, kind).removeprefix(f"row {number}: ").rstrip(".")
        match = _KIND_OF.search(said, len(line.strip()[:200]))
        code = "row-" + (next(filter(None, match.groups())) if match else "other")
        first.setdefault(code, said)
        by_code.setdefault(code, []).append(number)
    for code, numbers in by_code.items():
        places = [f"row {number}" for number in numbers]
        remedy = _NAMES if "column action that is not" in first[code] else "Correct the row."
        findings.add("error", code, text.path, f"the row {first[code]}", remedy, places=places)
    if len(bad) >= _MOST_BAD:
        findings.add(
            "error",
            "row-too-many",
            text.path,
            f"{_MOST_BAD} rows cannot be read, the rows after row {bad[-1]} were not looked at",
            "Correct the kinds of rows named above, then check again.",
        )


def _join(parts: list[tuple[ParsedLines, list[int]]], kind: FileKind) -> tuple[AvaRows, NDArray[np.int64]]:
    parts = parts or [(parse_lines([], kind), [])]
    codes: dict[str, int] = {}
    video = [np.array([codes.setdefault(name, len(codes)) for name in p.videos], np.int32)[p.video] for p, _ in parts]
    last = np.concatenate([part.last for part, _ in parts])
    is_id = kind == "person_id"
    rows = AvaRows(
        videos=tuple(codes),
        video=np.concatenate(video),
        timestamp_ms=np.concatenate([part.timestamp_ms for part, _ in parts]),
        xyxy=np.concatenate([part.xyxy for part, _ in parts]),
        action=np.concatenate([part.action for part, _ in parts]),
        score=np.ones(len(last)) if is_id else last,
        person_id=last.astype(np.int64) if is_id else np.full(len(last), -1, np.int64),
        frames_without_boxes=tuple(dict.fromkeys(key for part, _ in parts for key in part.empty)),
    )
    return rows, np.array([number for _, numbers in parts for number in numbers], np.int64)
