"""The annotations of one JSON file, repaired where it is sure what was meant."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.fix_boxes import repair_boxes
from alphaction.dataset.doctor.fix_rows import Change, Droppable, find_dropped
from alphaction.dataset.doctor.json_images import image_of, is_plain_coco
from alphaction.dataset.doctor.json_rows import entries_of, load_json, place_of
from alphaction.dataset.doctor.spelling import Corrections

_BAD = "left out, it cannot be read"
_DECIMALS = 3  # of a pixel


def repair_json(table: FileRows, droppable: Droppable, corrections: Corrections) -> tuple[str, list[Change]]:
    """Returns the text of the repaired file and what was changed; what is not changed stays as it was.

    Args:
        table: the readable annotations of the file, one row an action, or a detector's boxes.
        droppable: what may be left out.
        corrections: of the names of videos.
    """
    changes: list[Change] = []
    content = _with_names(load_json(table.path), table, corrections.videos, changes)
    xyxy, reasons = repair_boxes(table, {})
    dropped = find_dropped(table, xyxy, droppable)
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(table.line.tolist()):
        rows_of[number].append(row)
    kept = []
    for number, entry in enumerate(entries_of(content), start=1):
        place = place_of(number, entry, is_box=table.ids is None)
        rows = rows_of[number]
        gone = [row for row in rows if row in dropped]
        if number in table.bad_lines and droppable.bad_rows:
            changes.append(Change(table.path, number, _BAD, place))
            continue
        if rows and len(gone) == len(rows):
            changes.append(Change(table.path, number, dropped[gone[0]], place))
            continue
        if gone:
            entry = {**entry, "action_ids": [int(table.rows.action[row]) for row in rows if row not in gone]}
            for row in gone:
                text = f"the action {table.rows.action[row]} {dropped[row]}"
                changes.append(Change(table.path, number, text, place))
        if rows and rows[0] in reasons:
            entry = {**entry, "bbox": _in_pixels(table, rows[0], xyxy)}
            changes.append(Change(table.path, number, reasons[rows[0]], place))
        elif (
            not rows and table.ids is not None and table.are_fractions and number not in table.bad_lines
        ):  # a person without an action
            entry = {**entry, "bbox": _multiplied(table, entry)}
            changes.append(Change(table.path, number, "fractions to pixels", place))
        kept.append(entry)
    return json.dumps(_with_entries(content, kept, table, droppable, changes), ensure_ascii=False) + "\n", changes


def _with_names(content: Any, table: FileRows, names: Mapping[str, str], changes: list[Change]) -> Any:
    """Returns the file's content with these right names of videos in its images."""
    if not names or not isinstance(content, dict):
        return content
    images = []
    for position, image in enumerate(content["images"]):
        movie = image.get("movie") if isinstance(image, dict) else None
        if isinstance(movie, str) and movie in names:
            image = {**image, "movie": names[movie]}
            changes.append(Change(table.path, 0, f'video "{movie}" to "{names[movie]}"', f"image {position}"))
        images.append(image)
    return {**content, "images": images}


def _in_pixels(table: FileRows, row: int, xyxy: NDArray[np.float64]) -> list[float]:
    assert table.sizes is not None
    left, top, right, bottom = (xyxy[row] * np.tile(table.sizes[row], 2)).tolist()
    return [round(value, _DECIMALS) for value in (left, top, right - left, bottom - top)]


def _multiplied(table: FileRows, entry: dict[str, Any]) -> list[float]:
    assert table.images is not None
    size = table.images.sizes[table.images.place[entry["image_id"]]]
    return [round(float(value) * side, _DECIMALS) for value, side in zip(entry["bbox"], [*size, *size], strict=True)]


def _with_entries(content: Any, kept: list[Any], table: FileRows, droppable: Droppable, changes: list[Change]) -> Any:
    """Returns the file's content with these entries, and without images that cannot be used where that is wanted."""
    if not isinstance(content, dict):
        return kept
    if not droppable.bad_rows or table.ids is None or table.images is None:
        return {**content, "annotations": kept}
    images, left, is_coco = [], set(table.images.place), is_plain_coco(content)
    for position, image in enumerate(content["images"]):
        is_good = not image_of(image, is_coco)[2] and image["id"] in left
        if is_good:
            left.remove(image["id"])
            images.append(image)
        else:
            changes.append(Change(table.path, 0, _BAD, f"image {position}"))
    return {**content, "images": images, "annotations": kept}
