"""The images of a JSON file that can be used, and the faults of its entries by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from alphaction.dataset.annotations import Images
from alphaction.dataset.doctor.finding import Findings
from alphaction.structures.clip import ClipKey

# Larger times and sizes are mistakes.
_LARGEST = 2**53
_LAST_MS = 10**12
CORRECT = "Correct it, or write the file again."


@dataclass(slots=True)
class JsonFaults:
    """Places of each kind of fault in one file."""

    path: str
    places: dict[str, list[str]] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    entries: set[int] = field(default_factory=set)

    def note(self, code: str, place: str, problem: str, entry: int = 0) -> None:
        """Notes a fault; ``entry`` is the number, from 1, of an annotation that cannot be read for it."""
        self.places.setdefault(code, []).append(place)
        self.first.setdefault(code, problem)
        self.entries |= {entry} if entry else set()

    def report(self, findings: Findings) -> None:
        for code, places in self.places.items():
            findings.add("error", code, self.path, self.first[code], CORRECT, places=places)


def is_plain_coco(content: Mapping[str, Any]) -> bool:
    """Returns whether annotations have COCO's own fields alone: videos in file names, actions in categories."""
    images = [entry for entry in content["images"] if isinstance(entry, dict)]
    entries = [entry for entry in content["annotations"] if isinstance(entry, dict)]
    has_names = any("file_name" in entry for entry in images) and not any("movie" in entry for entry in images)
    return has_names and not any("action_ids" in entry for entry in entries)


def read_images(entries: Sequence[Any], faults: JsonFaults, is_coco: bool) -> tuple[Images, set[Any]]:
    """Returns the images that can be used, and the ids of the others."""
    place: dict[Any, int] = {}
    keys: dict[ClipKey, Any] = {}
    sizes, bad = [], set()
    for position, entry in enumerate(entries):
        image_id = entry.get("id") if isinstance(entry, dict) else None
        key, size, problem = image_of(entry, is_coco)
        code = "image-unusable"
        if not problem and image_id in place:
            code, problem = "image-id-twice", f"the id {image_id!r} is given to an earlier image too"
        elif not problem and key in keys:
            code, problem = "image-twice", f"it is the key frame {key}, as an earlier image (id {keys[key]!r}) is"
        if problem:
            faults.note(code, f"image {position}", problem)
            bad |= {image_id} if is_id(image_id) and image_id not in place else set()
            continue
        place[image_id] = len(place)
        keys[key] = image_id
        sizes.append(size)
    return Images(place, list(keys), np.array(sizes, np.int64).reshape(-1, 2)), bad


def image_of(entry: Any, is_coco: bool) -> tuple[ClipKey, tuple[int, int], str]:
    """Returns key frame, (width, height), and what is wrong with an image, if anything."""
    nothing = ClipKey("", 0), (1, 1)
    if not isinstance(entry, dict):
        return *nothing, f"{entry!r} is no object"
    try:
        movie, second = _movie_and_second(entry) if is_coco else (str(entry["movie"]), entry["timestamp"])
        key, size = ClipKey(movie, round(float(second) * 1000)), (int(entry["width"]), int(entry["height"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        names = "id, file_name (<video>/<second>.jpg)" if is_coco else "id, movie, timestamp (in seconds)"
        return *nothing, f"it needs {names}, width and height; found {entry!r}"
    if not is_id(entry.get("id")):
        return *nothing, f"it has no id; found {entry!r}"
    if not 1 <= min(size) <= max(size) < _LARGEST or not 0 <= key.timestamp_ms <= _LAST_MS:
        return *nothing, f"its size {size[0]} x {size[1]} or its time {second!r} is not that of a frame of a video"
    return key, size, ""


def _movie_and_second(entry: Mapping[str, Any]) -> tuple[str, str]:
    name = PurePosixPath(str(entry["file_name"]).replace("\\", "/"))
    if name.parent.name:
        return name.parent.name, name.stem
    movie, _, second = name.stem.rpartition("_")
    return movie, second


def is_id(value: Any) -> bool:
    """Returns whether a value can name an image."""
    return type(value) in (int, str)
