"""The boxes of one file, repaired where it is sure what was meant."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.box_checks import SLACK_PIXELS, find_box_faults
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.structures.ava_csv_parser import OUTSIDE_SLACK

# What goes for more than this share of the rows is another form of boxes, not a mistake in some.
_FEW = 0.2
# A box far outside its frame is clipped if this share of its area is within.
_SHARE_WITHIN = 0.5


def repair_boxes(table: FileRows, sizes: Mapping[str, tuple[int, int]]) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Returns [n, 4] boxes as they should be, and why, of the rows that are changed."""
    xyxy = table.rows.xyxy.copy()
    reasons: dict[int, list[str]] = {}
    if table.are_fractions and table.sizes is not None:
        for row, size in enumerate(table.sizes.tolist()):
            reasons[row] = ["fractions to pixels of {} x {}".format(*size)]
    for row in _sure_pixels(table, sizes):
        size = sizes[table.rows.videos[table.rows.video[row]]]
        xyxy[row] = xyxy[row] / np.tile(size, 2)
        reasons[row] = [f"pixels to fractions of {size[0]} x {size[1]}"]
    for row in _sure_reversed(table, xyxy):
        xyxy[row] = np.sort(xyxy[row].reshape(2, 2), axis=0).ravel()
        reasons.setdefault(row, []).append("reversed corners swapped")
    for row in _sure_outside(table, xyxy):
        xyxy[row] = xyxy[row].clip(0, 1)
        reasons.setdefault(row, []).append("box clipped to the frame")
    return xyxy, {row: "; ".join(texts) for row, texts in reasons.items()}


def _sure_pixels(table: FileRows, sizes: Mapping[str, tuple[int, int]]) -> list[int]:
    """Returns the rows in pixels of the videos whose frames hold all of their boxes in pixels."""
    rows, is_pixels = table.rows, find_box_faults(table.rows.xyxy, table.sizes).pixels
    sure: list[int] = []
    for code, video in enumerate(rows.videos):
        here = np.flatnonzero(is_pixels & (rows.video == code))
        if video in sizes and len(here):
            limit = np.tile(sizes[video], 2) + SLACK_PIXELS
            is_inside = (rows.xyxy[here] >= -SLACK_PIXELS) & (rows.xyxy[here] <= limit)
            is_upright = (rows.xyxy[here, 2:] >= rows.xyxy[here, :2]).all()
            sure += here.tolist() if is_inside.all() and is_upright else []
    return sorted(sure)


def _sure_reversed(table: FileRows, xyxy: NDArray[np.float64]) -> list[int]:
    """Returns the rows whose corners are reversed, unless all may be x, y, width and height."""
    faults = find_box_faults(xyxy, table.sizes)
    others = xyxy[~(faults.pixels | faults.far)]
    are_corners = table.sizes is not None or (others[:, :2] + others[:, 2:] > 1 + OUTSIDE_SLACK).any()
    return np.flatnonzero(faults.inverted).tolist() if are_corners or _are_few(faults.inverted) else []


def _sure_outside(table: FileRows, xyxy: NDArray[np.float64]) -> list[int]:
    """Returns the rows that reach a little outside the frame, and the few that reach far but are mostly within."""
    faults = find_box_faults(xyxy, table.sizes)
    is_upright = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
    within = np.prod(np.diff(xyxy.clip(0, 1).reshape(-1, 2, 2), axis=1), axis=(1, 2))
    area = np.prod(np.diff(xyxy.reshape(-1, 2, 2), axis=1), axis=(1, 2))
    is_mostly = faults.far & is_upright & (within >= _SHARE_WITHIN * area) & _are_few(faults.far)
    return np.flatnonzero(faults.outside | is_mostly).tolist()


def _are_few(mask: NDArray[np.bool_]) -> bool:
    return bool(mask.sum() <= max(1, _FEW * len(mask)))
