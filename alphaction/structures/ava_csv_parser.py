"""The text of AVA CSV files: lines in, columns or the first wrong row out."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.clip import ClipKey

# How far outside the frame a coordinate (a fraction of the frame) may lie before the file is refused.
OUTSIDE_SLACK = 0.1
# What the eighth column holds; ``none`` is a file of (video, second) only.
FileKind = Literal["person_id", "score", "box_score", "none"]
_FRAME_ONLY = "or only video,second for a key frame without boxes"
EXPECTED: dict[FileKind, str] = {
    "person_id": f"video,second,x1,y1,x2,y2,action,person_id, {_FRAME_ONLY}",
    "score": f"video,second,x1,y1,x2,y2,action,score, {_FRAME_ONLY}",
    "box_score": f"video,second,x1,y1,x2,y2,,score with an empty 7th column, {_FRAME_ONLY}",
    "none": "video,second",
}
_LAST_SECOND = 1e9
_T = TypeVar("_T", int, float)
_COUNT_COMMAS = methodcaller("count", ",")


class BadRow(ValueError):
    """Some row of a group is wrong; of a single row the message says how."""


@dataclass(frozen=True, slots=True)
class ParsedLines:
    """The columns of the rows with a box (``last`` is the eighth), and the key frames without one."""

    videos: tuple[str, ...]
    video: NDArray[np.int32]
    timestamp_ms: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    action: NDArray[np.int64]
    last: NDArray[np.float64]
    empty: list[ClipKey]


def parse_lines(lines: list[str], kind: FileKind) -> ParsedLines:
    """Returns the columns of the lines of a file.

    Raises:
        BadRow: one of them is wrong; :func:`explain_bad_row` finds out which.
    """
    columns, empty = _split(lines, kind)
    box = [_numbers(columns[i], float, name) for i, name in enumerate(("x1", "y1", "x2", "y2"), start=2)]
    codes: dict[str, int] = {}
    video = [codes.setdefault(name, len(codes)) for name in columns[0]]
    part = ParsedLines(
        videos=tuple(codes),
        video=np.array(video, np.int32),
        timestamp_ms=_times(columns[0], columns[1]),
        xyxy=np.stack(box, axis=1),
        action=_actions(columns[6], kind),
        last=_last_column(columns[7], kind),
        empty=_keys(empty),
    )
    _check_boxes(part.xyxy, kind)
    return part


def explain_bad_row(lines: list[str], number: int, kind: FileKind) -> str:
    """Returns what is wrong with the first bad line; ``number`` is the 1-based row of ``lines[0]``."""
    while len(lines) > 1:
        half = len(lines) // 2
        try:
            parse_lines(lines[:half], kind)
            lines, number = lines[half:], number + half
        except BadRow:
            lines = lines[:half]
    try:
        parse_lines(lines, kind)
        problem = "cannot be read with its neighbours"
    except BadRow as error:
        problem = str(error)
    if "expected" not in problem:
        problem += f"; expected {EXPECTED[kind]}"
    problem += _hint(lines[0], number)
    return f'row {number}: "{lines[0].strip()[:200]}" {problem}.'


def _hint(line: str, number: int) -> str:
    """Returns what a wrong line looks like, "" when it looks like nothing known."""
    words = line.lower()
    if number == 1 and ("x1" in words or "video" in words or "second" in words or "timestamp" in words):
        return "; this looks like a header, and AVA CSV files have none: delete the row"
    for name, separator in (("tabs", "\t"), ("semicolons", ";")):
        if line.count(separator) >= 5:
            return f"; columns are separated by commas, this line seems to use {name}"
    return ""


def _split(lines: list[str], kind: FileKind) -> tuple[list[list[str]], list[list[str]]]:
    """Returns the eight columns of the rows with a box, and the rows that only name a key frame."""
    text = "".join(lines)
    if kind != "none" and '"' not in text and set(map(_COUNT_COMMAS, lines)) == {7}:
        cells = text.removesuffix("\n").replace("\n", ",").split(",")
        columns = [cells[i::8] for i in range(8)]
        if "" not in columns[2]:
            return columns, []
    try:
        table = [row for row in csv.reader(lines) if len(row) > 1 or "".join(row).strip()]
    except csv.Error as error:
        raise BadRow(f"is not CSV: {error}") from error
    if '"' in text and any("\n" in cell for row in table for cell in row):
        raise BadRow("has a quote that is not closed")
    with_box, empty = _sort_out(table, kind)
    return [[row[i] for row in with_box] for i in range(8)], empty


def _sort_out(table: list[list[str]], kind: FileKind) -> tuple[list[list[str]], list[list[str]]]:
    """Returns the rows with a box, eight columns each, and the rows that only name a key frame."""
    with_box, empty = [], []
    for row in table:
        if len(row) == 2 or (len(row) in (7, 8) and kind != "none" and not any(row[2:])):
            empty.append(row[:2])
        elif kind != "none" and len(row) == 8:
            with_box.append(row)
        elif kind == "person_id" and len(row) == 7:
            with_box.append([*row, ""])
        else:
            raise BadRow(f"has {len(row)} column{'s' * (len(row) != 1)}; expected {EXPECTED[kind]}")
    return with_box, empty


def _keys(rows: list[list[str]]) -> list[ClipKey]:
    videos = [row[0] for row in rows]
    times = _times(videos, [row[1] for row in rows])
    return [ClipKey(video, time) for video, time in zip(videos, times.tolist(), strict=True)]


def _times(videos: Sequence[str], texts: Sequence[str]) -> NDArray[np.int64]:
    if "" in videos:
        raise BadRow("has no video name in column 1")
    seconds = _numbers(texts, float, "second")
    if ((seconds < 0) | (seconds > _LAST_SECOND)).any():
        raise BadRow("has a time in column 2 that is not a second of a video")
    return np.rint(seconds * 1000).astype(np.int64)


def _actions(texts: Sequence[str], kind: FileKind) -> NDArray[np.int64]:
    if kind == "box_score":
        if any(texts):
            raise BadRow(
                "has an action in column 7, which must be empty in a file of predicted person boxes; "
                "is this ground truth or a result file?"
            )
        return np.full(len(texts), -1, np.int64)
    if "" in texts:
        raise BadRow("has no action in column 7; is this a file of predicted person boxes?")
    action = _numbers(texts, int, "action")
    if (action < 0).any():
        raise BadRow("has a negative action id in column 7")
    return action.astype(np.int64)


def _last_column(texts: Sequence[str], kind: FileKind) -> NDArray[np.float64]:
    if kind != "person_id":
        return _numbers(texts, float, "score")
    try:
        return _numbers((text or "-1" for text in texts), int, "person_id").astype(np.float64)
    except BadRow as error:
        raise BadRow(f"{error}; is this a result file?") from None


def _numbers(texts: Iterable[str], number: Callable[[str], _T], name: str) -> NDArray[np.float64]:
    """Returns the texts as numbers; ids stay exact below 2**53."""
    try:
        values = np.fromiter(map(number, texts), np.float64)
    except (ValueError, OverflowError) as error:
        meant = "a whole number" if number is int else "a number"
        found = str(error).partition(": ")[2] or "too large"  # after Python's own words
        raise BadRow(f"has a column {name} that is not {meant}: {found}") from None
    if not np.isfinite(values).all():
        raise BadRow(f"has a column {name} that is not a finite number")
    return values


def _check_boxes(xyxy: NDArray[np.float64], kind: FileKind) -> None:
    if ((xyxy < -OUTSIDE_SLACK) | (xyxy > 1 + OUTSIDE_SLACK)).any():
        raise BadRow(
            "has a box outside 0..1: these look like pixels; AVA CSV boxes are fractions of the frame "
            "(divide x by its width and y by its height)"
        )
    if kind != "score" and (xyxy[:, 2:] < xyxy[:, :2]).any():
        raise BadRow("has x2 < x1 or y2 < y1; expected x1,y1,x2,y2 with the top left corner first, not x,y,w,h")
