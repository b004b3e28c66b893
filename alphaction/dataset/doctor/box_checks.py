"""Boxes that cannot be right: outside the frame, without an area, in pixels, listed twice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings, Level
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.ava_csv_parser import OUTSIDE_SLACK

# Boxes in pixels may reach this far beyond their frame.
SLACK_PIXELS = 5.0
# Beyond the frame by a factor no tool's rounding explains: these are pixels.
_SURELY_PIXELS = 2.0
# A file without any coordinate above this has its fractions divided by the size once more.
_TINY = 0.02
# What is lost when pixels become fractions and pixels again.
_ROUNDING = 1e-6
_FRACTIONS = "AVA CSV boxes are fractions of the frame: divide x by its width and y by its height"

_CORNERS = "Write the top left corner first, x1,y1,x2,y2; x,y,width,height is another form."
_PIXELS = "JSON boxes are left, top, width, height in pixels of their image"
_CLIPPED = "It is clipped when it is used; --fix writes it clipped."


@dataclass(frozen=True, slots=True, eq=False)
class BoxFaults:
    """Which of n boxes are wrong, [n] bool each; a box has at most one of the faults.

    Attributes:
        pixels: coordinates are pixels.
        far: reaches outside the frame so far that training refuses it.
        inverted: the second corner is left of or above the first.
        degenerate: no width or no height.
        outside: reaches a little outside the frame.
    """

    pixels: NDArray[np.bool_]
    far: NDArray[np.bool_]
    inverted: NDArray[np.bool_]
    degenerate: NDArray[np.bool_]
    outside: NDArray[np.bool_]


def find_box_faults(xyxy: NDArray[np.float64], sizes: NDArray[np.int64] | None = None) -> BoxFaults:
    """Returns the faults of [n, 4] boxes as fractions of the frame.

    Args:
        xyxy: the boxes.
        sizes: [n, 2] sizes of their frames where they were written in pixels; else they should be fractions.
    """
    lowest, highest = xyxy.min(axis=1, initial=0.0), xyxy.max(axis=1, initial=0.0)
    extent = xyxy[:, 2:] - xyxy[:, :2]
    if sizes is None:
        pixels = highest > _SURELY_PIXELS
        far = ~pixels & ((lowest < -OUTSIDE_SLACK) | (highest > 1 + OUTSIDE_SLACK))
    else:
        pixels = np.zeros(len(xyxy), bool)
        beyond = np.maximum(-xyxy, xyxy - 1) * np.tile(sizes, 2)
        far = (beyond > SLACK_PIXELS + _ROUNDING).any(axis=1)
    inverted = ~pixels & ~far & (extent < 0).any(axis=1)
    is_left = ~(pixels | far | inverted)
    degenerate = is_left & (extent == 0).any(axis=1)
    return BoxFaults(pixels, far, inverted, degenerate, is_left & ~degenerate & ((lowest < 0) | (highest > 1)))


def check_boxes(table: FileRows, findings: Findings) -> None:
    """Notes boxes that are not a part of the frame."""
    faults = find_box_faults(table.rows.xyxy, table.sizes)
    if table.sizes is None:
        _check_tiny(table, findings)
        _check_pixels(table, faults.pixels, findings)
        frame, far, inverted = "the frame (0..1)", f"{_FRACTIONS}.", _CORNERS
    else:
        _check_fractions(table, findings)
        frame, far, inverted = "its image", f"{_PIXELS}.", f"{_PIXELS}; width and height are not negative."
    kinds: tuple[tuple[NDArray[np.bool_], Level, str, str, str], ...] = (
        (faults.far, "error", "box-far-outside", f"reaches far outside {frame}", far),
        (faults.inverted, "error", "box-inverted", "has x2 < x1 or y2 < y1", inverted),
        (faults.degenerate, "warning", "box-degenerate", "has no width or no height", "Delete it, or let --fix do it."),
        (faults.outside, "warning", "box-outside", f"reaches outside {frame}", _CLIPPED),
    )
    for mask, level, code, problem, remedy in kinds:
        rows = np.flatnonzero(mask)
        if len(rows):
            problem = f"the box {_written(table, rows[0])} {problem}"
            findings.add_rows(level, code, table.path, rows, table.place, problem, remedy)


def _check_pixels(table: FileRows, is_pixels: NDArray[np.bool_], findings: Findings) -> None:
    rows = np.flatnonzero(is_pixels)
    if len(rows):
        others = len(table.rows) - len(rows)
        compared = f"while {others} boxes of the file are fractions" if others else "as all do"
        problem = f"the box {_written(table, rows[0])} looks like pixels, {compared}"
        remedy = f"{_FRACTIONS}; --fix does it where the size of the video is known."
        findings.add_rows(
            "error", "box-mixed" if others else "box-pixels", table.path, rows, table.place, problem, remedy
        )


def _check_fractions(table: FileRows, findings: Findings) -> None:
    if table.are_fractions:
        problem = f"all {len(table.rows)} boxes lie within 0..1, they look like fractions"
        remedy = f"{_PIXELS}; --fix multiplies them."
        findings.add("error", "box-fractions", table.path, problem, remedy, places=[table.place(0)])


def _written(table: FileRows, row: int) -> str:
    if table.sizes is not None:
        scale = 1.0 if table.are_fractions else np.tile(table.sizes[row], 2)
        left, top, right, bottom = table.rows.xyxy[row] * scale
        return f"[{left:g}, {top:g}, {right - left:g}, {bottom - top:g}]"
    return ",".join(f"{value:g}" for value in table.rows.xyxy[row])


def check_repeated(table: FileRows, findings: Findings) -> None:
    """Notes rows that say what an earlier row says."""
    is_again = find_repeated(table.rows)
    what = "the label" if (table.rows.action >= 0).any() else "the box"
    findings.add_rows(
        "warning",
        "row-repeated",
        table.path,
        np.flatnonzero(is_again),
        table.place,
        lambda row: f"{what} of {table.key(row)} is there twice, with the same box",
        "Delete one of the rows, or let --fix do it: the evaluation counts each of them.",
    )


def find_repeated(rows: AvaRows) -> NDArray[np.bool_]:
    """Returns [n] which rows have the video, time, box and action of an earlier one."""
    order, is_same_box = order_by_box(rows)
    is_again = np.zeros(len(rows), bool)
    is_again[order[1:]] = is_same_box & (np.diff(rows.action[order]) == 0)
    return is_again


def order_by_box(rows: AvaRows) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns [n] positions by key frame, box, action and place, and [n - 1] whether neighbours have one box."""
    order = np.lexsort((rows.action, *rows.xyxy.T, rows.timestamp_ms, rows.video))
    same_frame = (np.diff(rows.video[order]) == 0) & (np.diff(rows.timestamp_ms[order]) == 0)
    return order, same_frame & (np.diff(rows.xyxy[order], axis=0) == 0).all(axis=1)


def _check_tiny(table: FileRows, findings: Findings) -> None:
    xyxy = table.rows.xyxy
    if len(xyxy) and 0 < xyxy.max() < _TINY:
        findings.add(
            "error",
            "box-tiny",
            table.path,
            f"all {len(xyxy)} boxes lie within the first {100 * xyxy.max():.1f} % of the frame",
            "It looks as if fractions were divided by the size of the frame once more; write them as they were.",
            places=[table.place(0)],
        )
