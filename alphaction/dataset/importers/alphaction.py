"""Format ``alphaction``: its COCO-style JSON, images with movie and timestamp, annotations with action_ids."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alphaction.dataset.annotations import load_annotations
from alphaction.dataset.importers.base import FORMATS, NO_ACTION, Imported, ReadOptions
from alphaction.dataset.importers.classes import labels_of_ids
from alphaction.dataset.importers.json_file import numbers_of, read_json_object
from alphaction.dataset.importers.rows import join_rows
from alphaction.utils.errors import DataError

# Larger times, sizes and ids are mistakes.
_LARGEST = 2**53


@FORMATS.register("alphaction")
def read_alphaction(files: Sequence[Path], options: ReadOptions) -> Imported:
    """Returns the labels of JSON files; the names of the actions come from the label file (``options.labels``).

    Raises:
        DataError: a file cannot be used; the message names the image or annotation.
    """
    left_out: Counter[str] = Counter()
    for path in files:
        entries = _checked_annotations(path)
        left_out[NO_ACTION] += sum(not entry["action_ids"] for entry in entries)
    found = [load_annotations(str(path)) for path in files]
    rows = join_rows([annotations.rows for annotations in found])
    labels = labels_of_ids(rows.action.tolist(), options, {})
    notes = () if options.labels else ("No label map is given (--labels FILE): the classes are called by their ids.",)
    return Imported(
        rows,
        labels,
        len(rows) + left_out.total(),
        +left_out,
        notes,
        images=found[0].images if len(found) == 1 else None,
    )


def _checked_annotations(path: Path) -> list[dict[str, Any]]:
    """Returns the annotations, each of them an object whose fields are of the right kind.

    Raises:
        DataError: one is not.
    """
    content = read_json_object(path)
    lists = content.get("images"), content.get("annotations")
    if not all(isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) for entries in lists):
        raise DataError(f'{path} is not an annotation file: expected "images" and "annotations", lists of objects.')
    for position, entry in enumerate(content["images"]):
        if type(entry.get("id")) not in (int, str):
            raise DataError(f"{path}: image {position} needs an id, found {entry!r}.")
        for name in ("timestamp", "width", "height"):
            if not _is_small_number(entry.get(name)):
                raise DataError(f"{path}: image {position} needs {name}, a number, found {entry!r}.")
    for position, entry in enumerate(content["annotations"]):
        where = f"{path}: annotation {entry.get('id', position)}"
        if type(entry.get("image_id")) not in (int, str):
            raise DataError(f"{where} needs the image_id of an image, found {entry.get('image_id')!r}.")
        actions = entry.get("action_ids")
        if not isinstance(actions, list) or not all(
            type(action) is int and 0 <= action < _LARGEST for action in actions
        ):
            raise DataError(f"{where} needs action_ids, a list of class ids, found {actions!r}.")
        numbers_of(entry.get("bbox"), 4, f"{where}, bbox (left, top, width, height in pixels)")
        for name, kinds in (("person_id", (int,)), ("score", (int, float))):
            if name in entry and (type(entry[name]) not in kinds or not _is_small_number(entry[name])):
                raise DataError(f"{where} has {name} {entry[name]!r}; expected a number.")
    annotations: list[dict[str, Any]] = content["annotations"]
    return annotations


def _is_small_number(value: Any) -> bool:
    try:
        return abs(float(value)) < _LARGEST
    except (TypeError, ValueError, OverflowError):
        return False
