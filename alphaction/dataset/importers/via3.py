"""Format ``via3``: projects of the VGG Image Annotator 3 for video, boxes at times with attributes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alphaction.dataset.importers.attributes import PERSON_NAMES, Attribute, action_attributes, defined_actions
from alphaction.dataset.importers.base import FORMATS, Imported, ReadOptions
from alphaction.dataset.importers.frame_size import require_same_size
from alphaction.dataset.importers.json_file import numbers_of, read_json_object
from alphaction.dataset.importers.sampling import import_tracks
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError

TEXT, CHECKBOX, RADIO, SELECT = 1, 2, 3, 4
RECTANGLE = 2
IN_VIDEO = "FILE1_Z1_XY1"
_IN_IMAGE = "FILE1_Z0_XY1"
# Boxes of one person are joined to a track up to this distance in time.
JOINED_SECONDS = 1.5
_SEGMENTS = "temporal segments, which have no box"
_SHAPES = "regions of other shapes than rectangles"
_NO_TIME = "regions of images, which have no time"
_AGAIN = "second boxes of one person at one time"
_PARTS = ("attribute", "file", "metadata", "view")


@dataclass(frozen=True, slots=True)
class _Project:
    """The attributes of boxes in videos by id, and the name of the video of each view."""

    path: Path
    actions: dict[str, Attribute]
    kinds: dict[str, int]
    option_names: dict[str, dict[str, str]]
    person: str | None
    videos: dict[str, str]


@dataclass(slots=True)
class Via3File:
    """What a project holds.

    Attributes:
        tracks: the persons; a box without a person's number is a track of its own, with person id -1.
        actions: the names of the actions to choose from.
        left_out: what is no box of a person, by reason.
    """

    tracks: list[PersonTrack]
    actions: list[str]
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Box:
    seconds: tuple[float, ...]
    xyxy: tuple[float, ...]
    actions: tuple[str, ...]


@FORMATS.register("via3")
def read_via3(files: Sequence[Path], options: ReadOptions) -> Imported:
    """Returns the labels of the boxes of VIA 3 projects.

    Actions are the values of the attributes of boxes: of those in ``options.attributes``, else of one called "action",
    else of all but a person's number. Boxes with the same text in an attribute called "person", "person_id", "track",
    "track_id" or "id" are one person, looked at once a second; others are key frames at their own times.

    Raises:
        DataError: a file cannot be used; the message names the entry.
    """
    found = [read_via3_tracks(path, options) for path in files]
    left_out: Counter[str] = sum((file.left_out for file in found), Counter())
    tracks = [track for file in found for track in file.tracks]
    return import_tracks(tracks, options, defined=[name for f in found for name in f.actions], left_out=left_out)


def read_via3_tracks(path: Path, options: ReadOptions) -> Via3File:
    """Returns the tracks of one project; see :func:`read_via3`.

    Raises:
        DataError: it is no such file, or its video is not there.
    """
    content = read_json_object(path)
    if not all(isinstance(content.get(part), dict) for part in _PARTS):
        raise DataError(f"{path} is no VIA 3 project: expected an object with {', '.join(_PARTS)}.")
    project = _read_project(path, content, options)
    file = Via3File([], defined_actions(list(project.actions.values())))
    boxes: dict[tuple[str, str], list[_Box]] = {}
    for name, entry in content["metadata"].items():
        where = f"{path}, metadata {name}"
        if not isinstance(entry, dict) or not isinstance(entry.get("av"), dict):
            raise DataError(f"{where}: expected an object with vid, z, xy and av, found {entry!r}.")
        reason = _not_a_box(entry)
        if reason:
            file.left_out[reason] += 1
            continue
        video = project.videos.get(str(entry.get("vid")))
        if video is None:
            raise DataError(f"{where} has vid {entry.get('vid')!r}, which no view has.")
        person = str(entry["av"].get(project.person, "")).strip() if project.person else ""
        boxes.setdefault((video, person), []).append(_read_box(where, entry, project, video, options))
    for video in {video: None for video, _ in boxes}:
        drawn = [box.xyxy for (name, _), own in boxes.items() if name == video for box in own]
        size = options.videos.needed(video, f"for the size of the boxes of {path}").size
        require_same_size(path, video, np.array(drawn, np.float64), size)
    file.tracks += _tracks(boxes, file.left_out)
    return file


def _read_project(path: Path, content: dict[str, Any], options: ReadOptions) -> _Project:
    defined: dict[str, Attribute] = {}
    kinds: dict[str, int] = {}
    option_names: dict[str, dict[str, str]] = {}
    for aid, entry in content["attribute"].items():
        if not isinstance(entry, dict) or not isinstance(entry.get("options", {}), dict):
            raise DataError(f"{path}, attribute {aid}: expected an object with aname, anchor_id, type and options.")
        if entry.get("anchor_id") in (IN_VIDEO, _IN_IMAGE):
            kinds[aid] = entry.get("type", TEXT)
            option_names[aid] = {str(key): str(value) for key, value in entry.get("options", {}).items()}
            defined[aid] = Attribute(str(entry.get("aname", "")), options=tuple(option_names[aid].values()))
    person = next((aid for aid, attribute in defined.items() if attribute.name.lower() in PERSON_NAMES), None)
    chosen = action_attributes(list(defined.values()), options.attributes)
    actions = {aid: attribute for aid, attribute in defined.items() if attribute in chosen}
    videos = {vid: _video_of(path, vid, view, content["file"], options) for vid, view in content["view"].items()}
    return _Project(path, actions, kinds, option_names, person, videos)


def _video_of(path: Path, vid: str, view: Any, files: dict[str, Any], options: ReadOptions) -> str:
    listed = view.get("fid_list") if isinstance(view, dict) else None
    file = files.get(str(listed[0])) if isinstance(listed, list) and listed else None
    name = (file.get("fname") or file.get("src")) if isinstance(file, dict) else None
    if not isinstance(name, str) or not name:
        raise DataError(f"{path}: view {vid} names no file.")
    return options.videos.name_of(name)


def _not_a_box(entry: dict[str, Any]) -> str:
    """Returns why an entry is no box at a time, or an empty text."""
    if not entry.get("xy"):
        return _SEGMENTS
    if not isinstance(entry["xy"], list) or entry["xy"][0] != RECTANGLE:
        return _SHAPES
    return "" if entry.get("z") else _NO_TIME


def _read_box(where: str, entry: dict[str, Any], project: _Project, video: str, options: ReadOptions) -> _Box:
    _, left, top, width, height = numbers_of(entry["xy"], 5, f"{where}, xy (2, left, top, width, height)")
    times = entry["z"] if isinstance(entry["z"], list) else [entry["z"]]
    seconds = numbers_of(times, min(max(len(times), 1), 2), f"{where}, z (one or two seconds)")
    if seconds != sorted(seconds) or seconds[0] < 0:
        raise DataError(f"{where}: z is {seconds}; expected seconds from 0, the earlier first.")
    across, down = options.videos.needed(video, f"for the size of the boxes of {project.path}").size
    xyxy = (left / across, top / down, (left + width) / across, (top + height) / down)
    actions = [name for aid in project.actions for name in _chosen(where, aid, entry["av"].get(aid, ""), project)]
    return _Box(tuple(dict.fromkeys(seconds)), xyxy, tuple(dict.fromkeys(actions)))


def _chosen(where: str, aid: str, value: Any, project: _Project) -> list[str]:
    """Returns the names that one attribute of a box says."""
    text = "" if value is None else str(value).strip()
    kind, names = project.kinds[aid], project.option_names[aid]
    if kind not in (CHECKBOX, RADIO, SELECT):
        return [part.strip() for part in text.split(",") if part.strip()]
    picked = [part.strip() for part in text.split(",") if part.strip()] if kind == CHECKBOX else [text] * bool(text)
    unknown = [part for part in picked if part not in names]
    if unknown:
        name = project.actions[aid].name
        raise DataError(f'{where}: attribute "{name}" has no option {unknown[0]!r}; it has {", ".join(names)}.')
    return [names[part] for part in picked if names[part]]


def _tracks(boxes: dict[tuple[str, str], list[_Box]], left_out: Counter[str]) -> list[PersonTrack]:
    tracks: list[PersonTrack] = []
    numbers: dict[tuple[str, str], int] = {}
    taken = {(video, int(person)) for video, person in boxes if person.isdecimal()}
    for (video, person), found in boxes.items():
        if not person:
            tracks += [_track(video, -1, [box]) for box in found]
            continue
        number = int(person) if person.isdecimal() else len(numbers) + 1
        while not person.isdecimal() and (video, number) in taken:
            number += 1
        taken.add((video, number))
        numbers[video, person] = number
        distinct = {box.seconds: box for box in reversed(found)}
        if len(distinct) < len(found):
            left_out[_AGAIN] += len(found) - len(distinct)
        found = sorted(distinct.values(), key=lambda box: box.seconds)
        starts = [box.seconds[0] for box in found]
        ends = [box.seconds[-1] for box in found]
        breaks = [i for i in range(1, len(found)) if starts[i] - ends[i - 1] > JOINED_SECONDS]
        for start, end in zip([0, *breaks], [*breaks, len(found)], strict=True):
            tracks.append(_track(video, number, found[start:end]))
    return tracks


def _track(video: str, person_id: int, boxes: Sequence[_Box]) -> PersonTrack:
    """Returns the track through these boxes; a box that lasts holds until the next one."""
    at = {second: box for box in boxes for second in box.seconds}
    seconds = np.array(sorted(at), np.float64)
    chosen = [at[second] for second in seconds.tolist()]
    xyxy = np.array([box.xyxy for box in chosen], np.float64)
    return PersonTrack(video, person_id, seconds, xyxy, np.ones(len(seconds)), tuple(box.actions for box in chosen))
