"""Format ``coco``: COCO-style JSON whose categories are the actions, or which has AVA's fields."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from alphaction.dataset.annotations import Images
from alphaction.dataset.importers.base import FORMATS, NO_ACTION, Imported, ReadOptions
from alphaction.dataset.importers.classes import labels_of_ids
from alphaction.dataset.importers.json_file import numbers_of, read_json_object
from alphaction.dataset.importers.rows import RowsBuilder, join_rows
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

_LAST_SECOND = 1e9
_SLACK_PIXELS = 5.0
_CROWD = "annotations of crowds (iscrowd 1)"
_BETWEEN = "annotations of frames that are not at a whole second"
_NAMED = (
    'expected file_name "<video>/<second>.jpg" (with --frame-rate: "<video>/<frame number>.jpg"), or the fields movie '
    "and timestamp"
)


@dataclass(frozen=True, slots=True)
class _Image:
    key: ClipKey
    size: tuple[int, int]
    is_sampled: bool


@FORMATS.register("coco")
def read_coco(files: Sequence[Path], options: ReadOptions) -> Imported:
    """Returns the labels of COCO-style files.

    The action of an annotation is its ``category_id``, whose names are in ``categories``; an annotation with
    ``action_ids`` has these, and then the names come from the label file. The video and the second of an image are in
    ``movie`` and ``timestamp``, or in ``file_name``: ``<video>/<second>.jpg``. With a frame rate the number counts
    frames from 0, and frames at whole seconds are taken. Boxes are left, top, width, height in pixels.

    Raises:
        DataError: a file cannot be used; the message names the image or annotation.
    """
    parts: list[AvaRows] = []
    names: dict[int, str] = {}
    left_out: Counter[str] = Counter()
    images: Images | None = None
    for path in files:
        content = read_json_object(path)
        for part in ("images", "annotations"):
            if not isinstance(content.get(part), list):
                raise DataError(f'{path} is not COCO-style: expected an object with lists "images" and "annotations".')
        found = _read_images(path, content["images"], options)
        names |= _read_categories(path, content)
        parts.append(_read_annotations(path, content["annotations"], found, names, left_out))
        images = _as_images(found)
    rows = join_rows(parts)
    labels = labels_of_ids(rows.action.tolist(), options, names)
    used = set(rows.action.tolist())
    unused = [name for class_id, name in sorted(names.items()) if class_id not in used and class_id not in labels.ids]
    notes = (f"No person does: {', '.join(unused)}.",) if unused else ()
    total = len(rows) + left_out.total()
    return Imported(rows, labels, total, +left_out, notes, images if len(files) == 1 else None)


def _read_categories(path: Path, content: dict[str, Any]) -> dict[int, str]:
    """Returns the actions by id; none where an annotation has ``action_ids``, for then a category is a person."""
    if any(isinstance(entry, dict) and "action_ids" in entry for entry in content["annotations"]):
        return {}
    entries = content.get("categories")
    if not isinstance(entries, list) or not entries:
        raise DataError(f'{path} has no "categories": expected [{{"id": 1, "name": "walk"}}, ...], the actions.')
    names: dict[int, str] = {}
    for position, entry in enumerate(entries):
        class_id, name = (entry.get("id"), entry.get("name")) if isinstance(entry, dict) else (None, None)
        if type(class_id) is not int or class_id < 0 or not isinstance(name, str) or class_id in names:
            raise DataError(f"{path}: category {position} needs an id of its own (from 0) and a name, found {entry!r}.")
        names[class_id] = name
    if [name.lower() for name in names.values()] == ["person"]:
        raise DataError(
            f'{path}: its only category is "person", which is no action, and its annotations have no action_ids. '
            "In coco, categories are the actions."
        )
    return names


def _read_images(path: Path, entries: Sequence[Any], options: ReadOptions) -> dict[Any, _Image]:
    images: dict[Any, _Image] = {}
    for position, entry in enumerate(entries):
        where = f"{path}: image {position}"
        if not isinstance(entry, dict) or type(entry.get("id")) not in (int, str) or entry["id"] in images:
            raise DataError(f"{where} needs an id of its own, found {entry!r}.")
        key, is_sampled = _key_of(where, entry, options)
        images[entry["id"]] = _Image(key, _size_of(where, entry, key, options), is_sampled)
    return images


def _key_of(where: str, entry: dict[str, Any], options: ReadOptions) -> tuple[ClipKey, bool]:
    """Returns the key frame of an image, and whether it is one that is taken."""
    if "movie" in entry and "timestamp" in entry:
        movie, second = str(entry["movie"]), _number(entry["timestamp"])
    else:
        name = PurePosixPath(str(entry.get("file_name", "")).replace("\\", "/"))
        movie, _, number = (name.parent.name, "", name.stem) if name.parent.name else name.stem.rpartition("_")
        second = _number(number)
        if second is not None and options.frame_rate > 0:
            second /= options.frame_rate
    if not movie or second is None:
        raise DataError(f"{where}: its video and time cannot be told: {_NAMED}; found {entry!r}.")
    near = round(second)
    if abs(second - near) <= (0.5 / options.frame_rate if options.frame_rate > 0 else 0):
        return ClipKey(options.videos.name_of(movie), near * 1000), True
    return ClipKey(options.videos.name_of(movie), round(second * 1000)), options.frame_rate <= 0


def _number(value: Any) -> float | None:
    """Returns a time from 0 that a file gives as a number or as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= _LAST_SECOND else None


def _size_of(where: str, entry: dict[str, Any], key: ClipKey, options: ReadOptions) -> tuple[int, int]:
    size = entry.get("width"), entry.get("height")
    if size == (None, None):
        return options.videos.needed(key.video, f"because {where} gives no width and height").size
    if not all(type(side) is int and side > 0 for side in size):
        raise DataError(f"{where} needs width and height in pixels, found {size[0]!r} and {size[1]!r}.")
    return int(size[0] or 0), int(size[1] or 0)


def _read_annotations(
    path: Path, entries: Sequence[Any], images: dict[Any, _Image], names: dict[int, str], left_out: Counter[str]
) -> AvaRows:
    builder = RowsBuilder()
    largest = 0.0
    annotated = set()
    for position, entry in enumerate(entries):
        where = f"{path}: annotation {entry.get('id', position) if isinstance(entry, dict) else position}"
        image = images.get(entry.get("image_id")) if isinstance(entry, dict) and _is_id(entry.get("image_id")) else None
        if image is None:
            raise DataError(f"{where} needs the image_id of an image, found {entry!r}.")
        annotated.add(image.key)
        xywh = numbers_of(entry.get("bbox"), 4, f"{where}, bbox (left, top, width, height in pixels)")
        largest = max(largest, *xywh)
        _check_inside(where, xywh, image)
        actions = _actions_of(where, entry, names)
        reason = _CROWD if entry.get("iscrowd") else "" if image.is_sampled else _BETWEEN
        if reason or not actions:
            left_out[reason or NO_ACTION] += max(1, len(actions))
            continue
        for action in actions:
            builder.add(image.key, _corners(xywh, image.size), action, _person_of(entry))
    if entries and largest <= 1.0:
        raise DataError(f"{path}: all boxes lie within 0..1, they look like fractions; COCO boxes are in pixels.")
    empty = dict.fromkeys(image.key for image in images.values() if image.is_sampled and image.key not in annotated)
    return replace(builder.rows(), frames_without_boxes=tuple(empty))


def _is_id(value: Any) -> bool:
    return type(value) in (int, str)


def _actions_of(where: str, entry: dict[str, Any], names: dict[int, str]) -> list[int]:
    actions = entry.get("action_ids", [entry.get("category_id")] if names else None)
    if not isinstance(actions, list) or not all(type(action) is int and action >= 0 for action in actions):
        raise DataError(f"{where} needs a category_id or action_ids, numbers of actions; found {entry!r}.")
    unknown = [action for action in actions if names and action not in names and "action_ids" not in entry]
    if unknown:
        raise DataError(f"{where} has category_id {unknown[0]}, which is not in categories ({sorted(names)[:20]}).")
    return actions


def _check_inside(where: str, xywh: Sequence[float], image: _Image) -> None:
    left, top, width, height = xywh
    is_outside = left + width > image.size[0] + _SLACK_PIXELS or top + height > image.size[1] + _SLACK_PIXELS
    if is_outside or min(left, top) < -_SLACK_PIXELS:
        raise DataError(
            f"{where} has the bbox {list(xywh)}, which reaches beyond its image of {image.size[0]} x {image.size[1]} "
            "pixels; COCO boxes are left, top, width, height in pixels."
        )


def _corners(xywh: Sequence[float], size: tuple[int, int]) -> tuple[float, ...]:
    left, top, width, height = xywh
    return left / size[0], top / size[1], (left + width) / size[0], (top + height) / size[1]


def _person_of(entry: dict[str, Any]) -> int:
    person = entry.get("person_id", entry.get("track_id", -1))
    return person if type(person) is int else -1


def _as_images(images: dict[Any, _Image]) -> Images:
    place = {image_id: position for position, image_id in enumerate(images)}
    sizes = np.array([image.size for image in images.values()], np.int64).reshape(-1, 2)
    return Images(place, [image.key for image in images.values()], sizes)
