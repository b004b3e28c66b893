"""Readers of AlphAction's COCO-style JSON files, given back as the same columns as AVA's CSV files."""

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.ava_csv import AvaRows, load_ground_truth_csv
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

# A box may reach this many pixels beyond its image before the file is refused.
_SLACK_PIXELS = 5.0
_PIXELS = "JSON boxes are left, top, width, height in pixels of the image"
# Larger ids and times are mistakes.
_LARGEST = 2**53
_LAST_MS = 10**12
_IMAGE_KEYS = ("id", "movie", "timestamp", "width", "height")


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """The n key frames of an annotation file.

    Attributes:
        place: image id -> position in the columns.
        keys: n identities.
        sizes: [n, 2] int64 (width, height), in pixels.
    """

    place: dict[int, int]
    keys: list[ClipKey]
    sizes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The labelled persons of a data set.

    Attributes:
        path: the file they come from.
        rows: one row a person and class, boxes as fractions of the frame.
        images: the key frames, if the file is JSON.
        ids: [rows] annotation ids, if the file is JSON.
        num_without_action: persons of a JSON file who are in no row, for their action_ids are empty.
    """

    path: str
    rows: AvaRows
    images: Images | None = None
    ids: NDArray[np.object_] | None = None
    num_without_action: int = 0

    def where(self, row: int) -> str:
        """Returns the place of a row in words of its file."""
        if self.ids is not None:
            return f"annotation id {self.ids[row]}"
        return f"row {_line_of_row(self.path, row)}"


def load_annotations(path: str) -> Annotations:
    """Returns what an annotation file holds: ``.json`` is AlphAction's form, all else an AVA CSV.

    Raises:
        DataError: the file cannot be read, a key is missing, or its boxes are not what the format says.
    """
    if not path.lower().endswith((".json", ".json.gz")):
        return Annotations(path, load_ground_truth_csv(path))
    content = _read_json(path)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise DataError(f'{path} is not an annotation file: expected an object with "images" and "annotations".')
    images = _read_images(path, content["images"])
    entries = _objects(path, content["annotations"], "annotation")
    kinds = [_actions(path, entry) for entry in entries]
    persons = _read_boxes(path, entries, images, name="annotation id")
    repeat = np.repeat(np.arange(len(entries)), [len(kind) for kind in kinds])
    actions = np.array([action for kind in kinds for action in kind], np.int64)
    rows = replace(persons.select(repeat), action=actions, score=np.ones(len(repeat)))
    ids = np.array([entry.get("id", place) for place, entry in enumerate(entries)], object)
    return Annotations(path, rows, images, ids[repeat], kinds.count([]))


def load_boxes_json(path: str, images: Images, category: int | None = None) -> tuple[AvaRows, int]:
    """Returns the scored boxes of ``[{image_id, category_id, bbox, score}, ...]``, and how many were left out.

    Args:
        path: the file.
        images: the images of the annotation file that its ids refer to; boxes of others are left out.
        category: keep the boxes of this COCO category only.

    Raises:
        DataError: the file cannot be read, a key is missing, no image id is known, or boxes are not in pixels.
    """
    entries = _read_json(path)
    if isinstance(entries, dict) and "annotations" in entries:
        entries = entries["annotations"]
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "image_id" in e for e in entries):
        raise DataError(f"{path} is not a box file: expected a list of objects with image_id, bbox and score.")
    known = [entry for entry in entries if _is_id(entry["image_id"]) and entry["image_id"] in images.place]
    if entries and not known:
        raise DataError(
            f"None of the {len(entries)} boxes of {path} has an image_id of the annotation file, "
            f"the first has {entries[0]['image_id']!r}; the two files must be of the same data set."
        )
    kept = [entry for entry in known if category is None or entry.get("category_id", category) == category]
    if known and not kept:
        found = sorted({str(entry["category_id"]) for entry in known})
        raise DataError(f"{path} has no box of category {category} (person); its categories are {', '.join(found)}.")
    return _read_boxes(path, kept, images, name="box"), len(entries) - len(kept)


def _read_json(path: str) -> Any:
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as file:
            return json.load(file)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise DataError(f"Cannot read the JSON file {path}: {error}") from error


def _read_images(path: str, entries: Any) -> Images:
    place: dict[int, int] = {}
    keys, sizes = [], []
    for position, entry in enumerate(_objects(path, entries, "image")):
        try:
            image_id, movie, timestamp, width, height = (entry[name] for name in _IMAGE_KEYS)
            key = ClipKey(str(movie), round(float(timestamp) * 1000))
            size = (int(width), int(height))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"{path}: image {position} needs {', '.join(_IMAGE_KEYS)} (movie = name of the video, timestamp = "
                f"second of the key frame); found {entry!r}."
            ) from error
        is_sized = 1 <= min(size) <= max(size) < _LARGEST
        if not _is_id(image_id) or image_id in place or not is_sized or not 0 <= key.timestamp_ms <= _LAST_MS:
            raise DataError(
                f"{path}: image {position} repeats id {image_id!r}, or has no id, size or time of a video: {entry!r}."
            )
        place[image_id] = position
        keys.append(key)
        sizes.append(size)
    if len(set(keys)) < len(keys):
        twice = next(key for position, key in enumerate(keys) if key in keys[:position])
        raise DataError(f"{path}: two images are the key frame {twice}; each must be listed once.")
    return Images(place, keys, np.array(sizes, np.int64).reshape(-1, 2))


def _actions(path: str, entry: Any) -> Sequence[int]:
    actions = entry.get("action_ids") if isinstance(entry, dict) else None
    if not isinstance(actions, list) or not all(type(action) is int and abs(action) < _LARGEST for action in actions):
        raise DataError(
            f"{path}: annotation {entry.get('id') if isinstance(entry, dict) else entry!r} needs action_ids, a list "
            f"of class ids such as [11, 16] (category_id is 1, a person, whatever the action); found {actions!r}."
        )
    return actions


def _read_boxes(path: str, entries: Sequence[Any], images: Images, name: str) -> AvaRows:
    """Returns one row an entry; key frames in the order of the images, those without an entry listed apart."""
    ids = [entry.get("image_id") for entry in entries]
    place = [images.place.get(image_id) if _is_id(image_id) else None for image_id in ids]
    if None in place:
        entry = entries[place.index(None)]
        raise DataError(f"{path}: {name} {entry.get('id')} has image_id {entry.get('image_id')!r}, which no image has.")
    image = np.array(place, np.int64)
    xywh = _xywh(path, entries, name)
    size = images.sizes[image]
    _check_pixels(path, entries, xywh, size, name)
    videos = tuple(dict.fromkeys(key.video for key in images.keys))
    code = {video: position for position, video in enumerate(videos)}
    video_of_image = np.array([code[key.video] for key in images.keys], np.int32)
    time_of_image = np.array([key.timestamp_ms for key in images.keys], np.int64)
    with_box = set(place)
    return AvaRows(
        videos,
        video_of_image[image],
        time_of_image[image],
        np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1) / np.tile(size, 2),
        np.full(len(entries), -1, np.int64),
        np.array([_number(path, entry, name, "score", 1.0) for entry in entries], np.float64),
        np.array([_number(path, entry, name, "person_id", -1) for entry in entries], np.int64),
        tuple(key for position, key in enumerate(images.keys) if position not in with_box),
    )


def _xywh(path: str, entries: Sequence[Any], name: str) -> NDArray[np.float64]:
    try:
        xywh = np.array([entry["bbox"] for entry in entries], np.float64).reshape(len(entries), 4)
    except (KeyError, TypeError, ValueError):
        xywh = np.full((1, 4), np.nan)
    if not np.isfinite(xywh).all():
        bad = next(entry for entry in entries if not _is_box(entry.get("bbox")))
        raise DataError(f"{path}: {name} {bad.get('id', bad)} has the bbox {bad.get('bbox')!r}; {_PIXELS}.")
    return xywh


def _objects(path: str, entries: Any, name: str) -> list[dict[str, Any]]:
    """Returns a list of objects as it is."""
    if not isinstance(entries, list):
        raise DataError(f'{path}: expected a list under "{name}s", found {type(entries).__name__}.')
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DataError(f"{path}: {name} {position} is {entry!r}; expected an object.")
    return entries


def _is_id(value: Any) -> bool:
    return type(value) in (int, str)


def _number(path: str, entry: dict[str, Any], name: str, field: str, missing: float) -> float:
    """Returns a number of an entry; person ids are whole ones."""
    value = entry.get(field, missing)
    is_kind = type(value) is int or (field == "score" and type(value) is float)
    if not is_kind or not abs(value) < _LARGEST:
        raise DataError(f"{path}: {name} {entry.get('id', entry)} has {field} {value!r}; expected a number.")
    return value


def _is_box(box: Any) -> bool:
    try:
        return isinstance(box, list) and len(box) == 4 and all(np.isfinite(float(number)) for number in box)
    except (TypeError, ValueError):
        return False


def _check_pixels(
    path: str, entries: Sequence[Any], xywh: NDArray[np.float64], size: NDArray[np.int64], name: str
) -> None:
    if len(xywh) and xywh.max() <= 1.0:
        raise DataError(f"{path}: all {len(xywh)} boxes lie within 0..1, they look like fractions; {_PIXELS}.")
    ends = xywh[:, :2] + xywh[:, 2:]
    outside = (xywh[:, :2] < -_SLACK_PIXELS).any(axis=1) | (ends > size + _SLACK_PIXELS).any(axis=1)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        width, height = size[first]
        raise DataError(
            f"{path}: {name} {entries[first].get('id', first)} has the bbox {entries[first]['bbox']}, which reaches "
            f"beyond its image of {width} x {height} pixels ({int(outside.sum())} such boxes); {_PIXELS}."
        )


def _line_of_row(path: str, row: int) -> int:
    """Returns the 1-based line of the n-th row (from 0) with a box."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8-sig", newline="") as text:
        lines = (number for number, cells in enumerate(csv.reader(text), start=1) if any(cells[2:]))
        return next((number for position, number in enumerate(lines) if position == row), 0)
