"""Tracks as "CVAT for video 1.1", to be opened in CVAT: boxes that are tracked, actions to pick."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import UserError
from alphaction.utils.files import replaced_when_complete

LABEL = "person"
ATTRIBUTE = "action"
# CVAT's own word for a choice that nobody has made.
UNDEFINED = "__undefined__"
_Names: TypeAlias = tuple[str, ...]


def write_cvat(
    path: str | Path,
    tracks: Sequence[PersonTrack],
    *,
    video: str | Path,
    size: tuple[int, int],
    fps: float,
    num_frames: int,
    actions: Sequence[str],
    exclusive: bool = False,
) -> None:
    """Writes the tracks of one video as XML that CVAT takes as annotations of a task with that video.

    The task needs the labels of :func:`cvat_labels`. Each time of a track is a key frame of CVAT's, which moves the
    box in a straight line between them; after its last time a person is outside. Actions are written where they change
    and hold from there on, so that one that a user picks holds until the next that is written or picked.

    Args:
        path: the file.
        tracks: the persons; their actions are ticked already.
        video: file or name of the video.
        size: (width, height) of the video, in pixels.
        fps: frames a second.
        num_frames: length of the video.
        actions: names of the actions to pick from.
        exclusive: one action a person, chosen from a list; else a box to tick for each.

    Raises:
        UserError: an action of a track is not one of ``actions``, two actions where one is taken, or the file cannot be
            written.
    """
    check_actions(tracks, actions, exclusive)
    root = Element("annotations")
    _add(root, "version", "1.1")
    task = SubElement(SubElement(root, "meta"), "task")
    last = str(max(num_frames - 1, 0))
    for tag, text in (
        ("name", Path(video).stem),
        ("size", str(num_frames)),
        ("mode", "interpolation"),
        ("start_frame", "0"),
        ("stop_frame", last),
    ):
        _add(task, tag, text)
    _add_label(SubElement(task, "labels"), actions, exclusive)
    original = SubElement(task, "original_size")
    _add(original, "width", str(size[0]))
    _add(original, "height", str(size[1]))
    _add(task, "source", Path(video).name)
    for person_id, own in _by_person(tracks).items():
        element = SubElement(root, "track", id=str(person_id), label=LABEL, source="auto")
        before: dict[str, str] = {}
        for frame, (box, chosen, is_outside) in sorted(_boxes(own, fps, num_frames).items()):
            values = _values(chosen, actions, exclusive)
            changed = {name: value for name, value in values.items() if before.get(name) != value}
            _add_box(element, frame, is_outside, box, size, changed)
            before = values
    ElementTree.indent(root)
    try:
        with replaced_when_complete(path) as partial:
            ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def cvat_labels(actions: Sequence[str], exclusive: bool = False) -> str:
    """Returns the labels of a task as JSON: what is pasted into the "Raw" tab where a CVAT task is made."""
    attributes = [
        {"name": name, "mutable": True, "input_type": kind, "default_value": values[0], "values": values}
        for name, kind, values in _attributes(actions, exclusive)
    ]
    return json.dumps([{"name": LABEL, "type": "rectangle", "attributes": attributes}], indent=1)


def check_actions(tracks: Sequence[PersonTrack], actions: Sequence[str], exclusive: bool) -> None:
    """Makes sure that a file which offers ``actions`` can hold these tracks.

    Raises:
        UserError: it cannot.
    """
    for track in tracks:
        for chosen in track.actions:
            unknown = [name for name in chosen if name not in actions]
            if unknown or (exclusive and len(chosen) > 1):
                raise UserError(
                    f"Person {track.person_id} of {track.video} does {', '.join(chosen)}; the file offers "
                    f"{'one' if exclusive else 'any'} of {', '.join(actions) or 'no action'}."
                )


def _attributes(actions: Sequence[str], exclusive: bool) -> list[tuple[str, str, list[str]]]:
    """Returns name, kind and values of each attribute; the first value is the one of a new box."""
    if exclusive:
        return [(ATTRIBUTE, "select", [UNDEFINED, *actions])]
    return [(action, "checkbox", ["false"]) for action in actions]


def _add_label(labels: Element, actions: Sequence[str], exclusive: bool) -> None:
    label = SubElement(labels, "label")
    _add(label, "name", LABEL)
    _add(label, "type", "rectangle")
    attributes = SubElement(label, "attributes")
    for name, kind, values in _attributes(actions, exclusive):
        attribute = SubElement(attributes, "attribute")
        _add(attribute, "name", name)
        _add(attribute, "mutable", "True")
        _add(attribute, "input_type", kind)
        _add(attribute, "default_value", values[0])
        _add(attribute, "values", "\n".join(values))


def _by_person(tracks: Sequence[PersonTrack]) -> dict[int, list[PersonTrack]]:
    """Returns the tracks of each id; a box of nobody in particular gets an id of its own."""
    people: dict[int, list[PersonTrack]] = {}
    unused = max((track.person_id for track in tracks), default=-1)
    for track in tracks:
        unused += track.person_id < 0
        people.setdefault(track.person_id if track.person_id >= 0 else unused, []).append(track)
    return people


def _boxes(tracks: Sequence[PersonTrack], fps: float, num_frames: int) -> dict[int, tuple[list[float], _Names, bool]]:
    """Returns box, actions and "is outside" by frame; a person is outside after each track."""
    inside: dict[int, tuple[list[float], _Names, bool]] = {}
    ends: dict[int, tuple[list[float], _Names, bool]] = {}
    for track in tracks:
        for second, box, chosen in zip(track.seconds.tolist(), track.xyxy.tolist(), track.actions, strict=True):
            frame = min(round(second * fps), num_frames - 1)
            inside.setdefault(frame, (box, chosen, False))
        if len(track) and frame + 1 < num_frames:
            ends[frame + 1] = (box, chosen, True)
    return ends | inside


def _values(chosen: Sequence[str], actions: Sequence[str], exclusive: bool) -> dict[str, str]:
    if exclusive:
        return {ATTRIBUTE: chosen[0] if chosen else UNDEFINED}
    return {action: "true" if action in chosen else "false" for action in actions}


def _add_box(
    element: Element,
    frame: int,
    is_outside: bool,
    xyxy: Sequence[float],
    size: tuple[int, int],
    values: dict[str, str],
) -> None:
    pixels = (value * size[axis % 2] for axis, value in enumerate(xyxy))
    corners = {name: f"{value:.2f}" for name, value in zip(("xtl", "ytl", "xbr", "ybr"), pixels, strict=True)}
    marks = {"frame": str(frame), "keyframe": "1", "outside": str(int(is_outside)), "occluded": "0"}
    box = SubElement(element, "box", {**marks, **corners, "z_order": "0"})
    for name, value in values.items():
        SubElement(box, "attribute", name=name).text = value


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text
