"""Tracks as a VIA 3 project, to be opened in the VGG Image Annotator for video: boxes at times, actions to pick."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alphaction.dataset.importers.cvat_writer import check_actions
from alphaction.dataset.importers.sampling import sample_track
from alphaction.dataset.importers.via3 import CHECKBOX, IN_VIDEO, RADIO, RECTANGLE, TEXT
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.files import write_text

_PERSON, _ACTION = "1", "2"  # ids of the attributes
_VIDEO, _LOCAL, _FILE_ADDRESS = 4, 1, 3  # VIA's numbers for a kind of file and for where it is
_VERSION = "3.1.1"


def write_via3(
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
    """Writes the tracks of one video as a project of VIA 3.

    VIA moves no boxes and no actions, so there is one box a second, where an import looks for them.

    Args:
        path: the file, JSON.
        tracks: the persons; their actions are picked already.
        video: file or name of the video.
        size: (width, height) of the video, in pixels.
        fps: frames a second.
        num_frames: length of the video; boxes after its last frame are moved to that.
        actions: names of the actions to pick from.
        exclusive: one action a box, else any number.

    Raises:
        UserError: an action of a track is not one of ``actions``, two actions where one is taken, or the file cannot be
            written.
    """
    check_actions(tracks, actions, exclusive)
    number = {name: str(position) for position, name in enumerate(actions)}
    last = max(num_frames - 1, 0) / fps
    metadata: dict[str, Any] = {}
    for track in tracks:
        for person in sample_track(track, slack_seconds=0.5 / fps):
            second = person.key.timestamp_ms / 1000
            left, top, right, bottom = (value * size[axis % 2] for axis, value in enumerate(person.xyxy))
            values = {_PERSON: str(person.person_id)} if person.person_id >= 0 else {}
            values |= {_ACTION: ",".join(number[name] for name in person.actions)} if person.actions else {}
            metadata[f"1_{len(metadata):08d}"] = {
                "vid": "1",
                "flg": 0,
                "z": [round(min(second, last), 5)],
                "xy": [RECTANGLE, *(round(value, 3) for value in (left, top, right - left, bottom - top))],
                "av": values,
            }
    content = {**_head(Path(video), [*actions], exclusive), "metadata": metadata, "view": {"1": {"fid_list": ["1"]}}}
    write_text(path, json.dumps(content, ensure_ascii=False))


def _head(video: Path, actions: list[str], exclusive: bool) -> dict[str, Any]:
    """Returns all of a project but its boxes."""
    options = {str(position): name for position, name in enumerate(actions)}
    is_there = video.is_file()
    file = {
        "fid": "1",
        "fname": video.name,
        "type": _VIDEO,
        "loc": _FILE_ADDRESS if is_there else _LOCAL,
        "src": video.resolve().as_uri() if is_there else "",
    }
    return {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
            "pname": video.stem,
            "creator": "VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)",
            "created": 0,
            "data_format_version": _VERSION,
            "vid_list": ["1"],
        },
        "config": {
            "file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}},
            "ui": {
                "file_content_align": "center",
                "file_metadata_editor_visible": False,
                "spatial_metadata_editor_visible": True,
                "temporal_segment_metadata_editor_visible": False,
                "spatial_region_label_attribute_id": _PERSON,
                "gtimeline_visible_row_count": "4",
            },
        },
        "attribute": {
            _PERSON: _attribute("person", TEXT, {}),
            _ACTION: _attribute("action", RADIO if exclusive else CHECKBOX, options),
        },
        "file": {"1": file},
    }


def _attribute(name: str, kind: int, options: dict[str, str]) -> dict[str, Any]:
    return {
        "aname": name,
        "anchor_id": IN_VIDEO,
        "type": kind,
        "desc": name,
        "options": options,
        "default_option_id": "",
    }
