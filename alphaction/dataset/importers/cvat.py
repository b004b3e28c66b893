"""Format ``cvat``: "CVAT for video 1.1", the XML of tracks with boxes, or the zip it comes in."""

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from alphaction.dataset.importers.attributes import (
    PERSON_LABELS,
    Attribute,
    action_attributes,
    chosen_actions,
    defined_actions,
)
from alphaction.dataset.importers.base import FORMATS, Imported, ReadOptions
from alphaction.dataset.importers.sampling import import_tracks
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError

_Names: TypeAlias = tuple[str, ...]
_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_SHAPES = ("polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")
_AGAIN = "second boxes of one track in one frame"
_TAKEN = "CVAT for video 1.1"


@dataclass(frozen=True, slots=True)
class _Clip:
    """The video of a task; sizes in pixels."""

    video: str
    fps: float
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CvatFile:
    """What a file holds.

    Attributes:
        tracks: the persons; one that leaves the picture and comes back is several tracks.
        actions: the names of the actions to choose from.
        left_out: what is no box of a person, by reason.
    """

    tracks: list[PersonTrack]
    actions: list[str]
    left_out: Counter[str]


@FORMATS.register("cvat")
def read_cvat(files: Sequence[Path], options: ReadOptions) -> Imported:
    """Returns the labels of the key frames of CVAT's tracks.

    Actions are the values of a label's attributes: of those in ``options.attributes``, else of one called "action",
    else of all; a checkbox that is ticked is an action of its name. A label without attributes is an action itself,
    unless it is called "person" or the like. Frame numbers count from 0 at the video's rate.

    Raises:
        DataError: a file cannot be used; the message names the track.
    """
    found = [read_cvat_tracks(path, options) for path in files]
    left_out: Counter[str] = sum((file.left_out for file in found), Counter())
    tracks = [track for file in found for track in file.tracks]
    return import_tracks(tracks, options, defined=[name for f in found for name in f.actions], left_out=left_out)


def read_cvat_tracks(path: Path, options: ReadOptions) -> CvatFile:
    """Returns the tracks of one file; see :func:`read_cvat`.

    Raises:
        DataError: it is no such file, or its video is not there.
    """
    root = _read_xml(path)
    if root.tag != "annotations" or root.find("image") is not None:
        kind = "CVAT for images" if root.find("image") is not None else f"<{root.tag}>"
        raise DataError(f"{path} is {kind}; export the task as {_TAKEN}.")
    labels = {name: action_attributes(own, options.attributes) for name, own in _label_attributes(path, root).items()}
    left_out: Counter[str] = Counter()
    clips: dict[str, _Clip] = {}
    tracks: list[PersonTrack] = []
    for element in root.iter("track"):
        shapes = sum(len(element.findall(shape)) > 0 for shape in _SHAPES)
        left_out["tracks of other shapes than boxes"] += shapes
        if element.find("box") is None:
            continue
        task = element.get("task_id", "")
        if task not in clips:
            clips[task] = _clip_of(path, root, task, options)
        tracks += _read_track(path, element, clips[task], labels, left_out)
    actions = [name for own in labels.values() for name in defined_actions(own)]
    return CvatFile(tracks, [*actions, *(name for name in labels if not _is_person(name, labels))], +left_out)


def _read_xml(path: Path) -> Element:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next((name for name in archive.namelist() if name.endswith(".xml")), None)
                if name is None:
                    raise DataError(f"{path} holds no XML file; export the task as {_TAKEN}.")
                return ElementTree.fromstring(archive.read(name))
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, zipfile.BadZipFile, ValueError, LookupError) as error:
        raise (
            error if isinstance(error, DataError) else DataError(f"Cannot read the XML file {path}: {error}")
        ) from error


def _label_attributes(path: Path, root: Element) -> dict[str, list[Attribute]]:
    """Returns the attributes of every label, those without a definition as found on the boxes."""
    labels: dict[str, list[Attribute]] = {}
    for label in root.iterfind("meta//labels/label"):
        own = [_attribute(element) for element in label.iterfind("attributes/attribute")]
        labels[label.findtext("name", "")] = [attribute for attribute in own if attribute.name]
    for track in root.iter("track"):
        name = track.get("label", "")
        if name not in labels:
            named = dict.fromkeys(element.get("name", "") for element in track.iterfind("box/attribute"))
            labels[name] = [Attribute(attribute) for attribute in named]
    return labels


def _attribute(element: Element) -> Attribute:
    kind = element.findtext("input_type", "")
    options = tuple(element.findtext("values", "").split("\n")) if kind in ("select", "radio") else ()
    return Attribute(element.findtext("name", ""), kind == "checkbox", kind == "text", options)


def _is_person(label: str, attributes: Mapping[str, Sequence[Attribute]]) -> bool:
    return bool(attributes.get(label)) or label.lower() in PERSON_LABELS


def _clip_of(path: Path, root: Element, task_id: str, options: ReadOptions) -> _Clip:
    tasks = list(root.iterfind("meta//task")) or list(root.iterfind("meta/job"))
    task = next((task for task in tasks if task_id and task.findtext("id") == task_id), None)
    meta = root.find("meta")
    places = [place for place in (task, tasks[0] if tasks and not task_id else None, meta) if place is not None]
    written = [place.findtext(f".//{tag}") for tag in ("source", "name") for place in places]
    named = [options.videos.name_of(name) for name in [*written, path.stem] if name]
    video = next((name for name in named if name in options.videos), None)
    if video is None and any(place.findtext(".//source") for place in places):
        raise DataError(
            f'{path} is about the video "{named[0]}", which {options.videos.root} does not have '
            f"({options.videos.listed()}). Give the folder of that video, or name the video as the file says."
        )
    video = video or options.videos.only_name() or named[0]
    footage = options.videos.needed(video, f"for the frame rate of {path}")
    sides = [place.findtext(f".//original_size/{side}") for place in places[:1] for side in ("width", "height")]
    is_given = len(sides) == 2 and all(side is not None and side.isdecimal() and int(side) > 0 for side in sides)
    size = (int(sides[0] or 0), int(sides[1] or 0)) if is_given else footage.size
    return _Clip(video, options.frame_rate or footage.fps, size)


def _read_track(
    path: Path,
    element: Element,
    clip: _Clip,
    labels: Mapping[str, Sequence[Attribute]],
    left_out: Counter[str],
) -> list[PersonTrack]:
    where = f'{path}, track {element.get("id", "?")} ("{element.get("label", "")}")'
    person_id, label = element.get("id", ""), element.get("label", "")
    if not person_id.isdecimal():
        raise DataError(f"{where} has no id that is a number.")
    boxes = sorted((_whole(where, box, "frame"), place, box) for place, box in enumerate(element.iterfind("box")))
    parts: list[list[tuple[int, Element, _Names]]] = [[]]
    values: dict[str, str] = {}
    for frame, _, box in boxes:
        # An attribute that a box does not have is as it was before.
        values |= {element.get("name", ""): element.text or "" for element in box.iterfind("attribute")}
        if box.get("outside") == "1":
            parts.append([])
        elif parts[-1] and parts[-1][-1][0] == frame:
            left_out[_AGAIN] += 1
        else:
            chosen = chosen_actions(labels[label], values) if _is_person(label, labels) else (label,)
            parts[-1].append((frame, box, chosen))
    tracks = []
    for part in filter(None, parts):
        frames = np.array([frame for frame, _, _ in part], np.float64)
        corners = np.array([[_number(where, box, name) for name in _CORNERS] for _, box, _ in part])
        actions = tuple(chosen for _, _, chosen in part)
        seconds, xyxy = frames / clip.fps, corners / np.tile(clip.size, 2)
        tracks.append(PersonTrack(clip.video, int(person_id), seconds, xyxy, np.ones(len(part)), actions))
    return tracks


def _whole(where: str, box: Element, name: str) -> int:
    value = _number(where, box, name)
    if value % 1 or value < 0:
        raise DataError(f'{where}: a box has {name}="{box.get(name)}", which is no frame number.')
    return int(value)


def _number(where: str, box: Element, name: str) -> float:
    try:
        value = float(box.get(name, ""))
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f'{where}: a box of frame {box.get("frame")} has {name}="{box.get(name)}"; expected a number.')
    return value
