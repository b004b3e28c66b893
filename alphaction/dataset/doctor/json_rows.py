"""The annotations of a JSON file that can be read; every other image or annotation becomes a finding."""

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from alphaction.dataset.annotations import Images
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.json_images import CORRECT, JsonFaults, is_id, is_plain_coco, read_images
from alphaction.structures.ava_csv import AvaRows
from alphaction.utils.words import counted

# A list of a detector's boxes; AlphAction's annotations; COCO's, whose categories are the actions.
Form = Literal["boxes", "alphaction", "coco"]
_PERSON_CATEGORY = 1
_SLACK_PIXELS = 5.0
# Larger ids and numbers are mistakes.
_LARGEST = 2**53
_UNREADABLE = (OSError, EOFError, ValueError, RecursionError)
_COCO = "its actions are in category_id and its videos in file_name (plain COCO); training reads action_ids and movie"
_IMPORT = (
    "Import it: python tools/import_dataset.py coco FILE --videos DIR --out DIR. Its other mistakes are listed too."
)


@dataclass(slots=True)
class _Columns:
    """What the readable annotations say; one row an action."""

    image: list[int] = field(default_factory=list)
    xywh: list[list[float]] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    person: list[int] = field(default_factory=list)
    entry: list[int] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)
    annotated: set[int] = field(default_factory=set)
    others: Counter[str] = field(default_factory=Counter)
    largest: float = 0.0

    def add(self, number: int, entry: Mapping[str, Any], image: int, action: int) -> None:
        """Takes one action of the entry with this number, from 1."""
        self.image.append(image)
        self.xywh.append([float(value) for value in entry["bbox"]])
        self.action.append(action)
        self.score.append(float(entry.get("score", 1.0)))
        self.person.append(entry.get("person_id", -1))
        self.entry.append(number)
        self.ids.append(entry.get("id", number - 1))


def load_json(path: str) -> Any:
    """Returns what a JSON file holds; one of the ``_UNREADABLE`` errors is raised when it cannot be read."""
    with gzip.open(path, "rb") if path.lower().endswith(".gz") else open(path, "rb") as file:
        return json.load(file)


def entries_of(content: Any) -> Any:
    """Returns the list of annotations, or of boxes, that a file holds."""
    return content.get("annotations") if isinstance(content, dict) else content


def place_of(number: int, entry: Any, *, is_box: bool) -> str:
    """Returns the place of the entry with this number, from 1, in words."""
    if is_box:
        return f"box {number}"
    return f"annotation id {entry['id']}" if isinstance(entry, dict) and "id" in entry else f"annotation {number - 1}"


def read_json_rows(path: str, is_boxes: bool, findings: Findings, images: Images | None = None) -> FileRows | None:
    """Returns the rows of a JSON file, or None (and a finding) when nothing of it can be used.

    Args:
        path: the file.
        is_boxes: it holds a detector's boxes, not labelled persons.
        findings: where faults are noted.
        images: of the annotation file, which the ids of boxes refer to.
    """
    try:
        content = load_json(path)
    except _UNREADABLE as error:
        findings.add("error", "json-unusable", path, f"it is no JSON that can be read: {error}", CORRECT)
        return None
    problem = _shape_problem(content, is_boxes)
    if is_boxes and images is None:
        problem = "it names images by id; that needs ann_file, the JSON with these images"
    if problem:
        findings.add("error", "json-unusable", path, problem, CORRECT)
        return None
    faults, bad_images = JsonFaults(path), set[Any]()
    form: Form = "boxes" if is_boxes else "coco" if is_plain_coco(content) else "alphaction"
    if form == "coco":
        findings.add("error", "json-coco", path, _COCO, _IMPORT)
    if images is None or form != "boxes":
        images, bad_images = read_images(content["images"], faults, is_coco=form == "coco")
    columns = _read_entries(entries_of(content), images, bad_images, faults, form)
    faults.report(findings)
    _report_others(path, columns, findings)
    return _as_rows(path, columns, images, tuple(sorted(faults.entries)), form)


def _shape_problem(content: Any, is_boxes: bool) -> str:
    if is_boxes:
        return "" if isinstance(entries_of(content), list) else "expected a list of objects with image_id, bbox, score"
    is_right = isinstance(content, dict) and all(isinstance(content.get(k), list) for k in ("images", "annotations"))
    return "" if is_right else 'expected an object with the lists "images" and "annotations"'


def _read_entries(
    entries: Sequence[Any], images: Images, bad_images: set[Any], faults: JsonFaults, form: Form
) -> _Columns:
    columns = _Columns()
    for number, entry in enumerate(entries, start=1):
        other = _other_kind(entry, images) if form == "boxes" else ""
        code, problem = ("", "") if other else _entry_problem(entry, images, bad_images, form)
        if other:
            columns.others[other] += 1
        elif code:
            faults.note(code, place_of(number, entry, is_box=form == "boxes"), problem, number)
        else:
            image = images.place[entry["image_id"]]
            columns.annotated.add(image)
            columns.largest = max(columns.largest, *(float(value) for value in entry["bbox"]))
            for action in [-1] if form == "boxes" else _actions_of(entry, form):
                columns.add(number, entry, image, action)
    return columns


def _other_kind(entry: Any, images: Images) -> str:
    """Returns what a detector's box is about, if it is not a person in one of the images; else an empty text."""
    image_id = entry.get("image_id") if isinstance(entry, dict) else None
    if not is_id(image_id):
        return ""
    if image_id not in images.place:
        return "image"
    return "category" if entry.get("category_id", _PERSON_CATEGORY) != _PERSON_CATEGORY else ""


def _report_others(path: str, columns: _Columns, findings: Findings) -> None:
    """Notes boxes of other images and things, which are left out; an error when no box is left."""
    total = columns.others.total()
    if not total:
        return
    texts = {
        "image": "of images that the annotation file does not have",
        "category": "of other categories than 1, person",
    }
    listed = " and ".join(f"{counted(count, 'box')} {texts[kind]}" for kind, count in columns.others.items())
    problem = f"not used: {listed}, out of {total + len(columns.entry)}"
    level: Literal["error", "info"] = "info" if columns.entry else "error"
    findings.add(level, "boxes-other", path, problem, "Both files must be of the same data set.")


def _actions_of(entry: Mapping[str, Any], form: Form) -> Any:
    """Returns the class ids of an annotation, as they are written."""
    return [entry.get("category_id")] if form == "coco" else entry.get("action_ids")


def _entry_problem(entry: Any, images: Images, bad_images: set[Any], form: Form) -> tuple[str, str]:
    """Returns the kind of fault of an entry and what it is, or two empty texts."""
    if not isinstance(entry, dict):
        return "annotation-other", f"{entry!r} is no object"
    image_id = entry.get("image_id")
    if is_id(image_id) and image_id in bad_images and image_id not in images.place:
        return "annotation-image-unusable", f"it belongs to the image {image_id!r}, which cannot be used"
    if not is_id(image_id) or image_id not in images.place:
        return "annotation-image", f"it has image_id {image_id!r}, which no image has"
    box = entry.get("bbox")
    if not _is_box(box):
        return "annotation-bbox", f"it has the bbox {box!r}; expected left, top, width, height in pixels"
    actions = _actions_of(entry, form)
    if form != "boxes" and not _are_ids(actions):
        name = "category_id, the number of an action" if form == "coco" else "action_ids, a list such as [11, 16]"
        found = entry.get("category_id" if form == "coco" else "action_ids")
        return "annotation-actions", f"it needs {name}; found {found!r}"
    for name, kinds in (("person_id", (int,)), ("score", (int, float))):
        value = entry.get(name, 0)
        if type(value) not in kinds or not abs(value) < _LARGEST:
            return f"annotation-{name.split('_')[0]}", f"it has {name} {value!r}; expected a number"
    size = images.sizes[images.place[image_id]]
    if form != "boxes" and not actions and _is_beyond(box, size):  # those with an action are checked as rows
        return "annotation-far", f"the bbox {box} reaches beyond its image of {size[0]} x {size[1]} pixels"
    return "", ""


def _as_rows(path: str, columns: _Columns, images: Images, bad: tuple[int, ...], form: Form) -> FileRows:
    image = np.array(columns.image, np.int64)
    xywh = np.array(columns.xywh, np.float64).reshape(-1, 4)
    size = images.sizes[image].reshape(-1, 2)
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    are_fractions = bool(columns.annotated) and columns.largest <= 1.0
    codes: dict[str, int] = {}
    video = np.array([codes.setdefault(key.video, len(codes)) for key in images.keys], np.int32)
    time = np.array([key.timestamp_ms for key in images.keys], np.int64)
    is_boxes = form == "boxes"
    rows = AvaRows(
        videos=tuple(codes),
        video=video[image],
        timestamp_ms=time[image],
        xyxy=xyxy if are_fractions else xyxy / np.tile(size, 2),
        action=np.array(columns.action, np.int64),
        score=np.array(columns.score, np.float64) if is_boxes else np.ones(len(image)),
        person_id=np.array(columns.person, np.int64),
        frames_without_boxes=tuple(key for i, key in enumerate(images.keys) if i not in columns.annotated),
    )
    ids = None if is_boxes else np.array([None, *columns.ids], object)[1:]
    return FileRows(path, rows, np.array(columns.entry, np.int64), ids, bad, images, size, are_fractions)


def _is_box(box: Any) -> bool:
    try:
        return isinstance(box, list) and len(box) == 4 and all(np.isfinite(float(value)) for value in box)
    except (TypeError, ValueError, OverflowError):
        return False


def _is_beyond(box: Any, size: Any) -> bool:
    left, top, width, height = (float(value) for value in box)
    ends = left + width > size[0] + _SLACK_PIXELS or top + height > size[1] + _SLACK_PIXELS
    return bool(ends or min(left, top) < -_SLACK_PIXELS)


def _are_ids(actions: Any) -> bool:
    return isinstance(actions, list) and all(type(action) is int and abs(action) < _LARGEST for action in actions)
