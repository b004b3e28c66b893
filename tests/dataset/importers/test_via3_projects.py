"""VIA 3 projects as its users make them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.via3 import read_via3
from alphaction.utils.errors import DataError

BOX = [2, 19.2, 12.8, 96.0, 64.0]
PROJECT: dict[str, Any] = {
    "project": {"pname": "mine", "vid_list": ["1"]},
    "attribute": {
        "1": {"aname": "Activity", "anchor_id": "FILE1_Z1_XY1", "type": 4, "options": {"0": "cut", "1": "stir"}},
        "2": {"aname": "scene", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}},
        "3": {"aname": "person", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    },
    "file": {"9": {"fid": "9", "fname": "val_00.mp4", "type": 4, "loc": 1, "src": ""}},
    "view": {"1": {"fid_list": ["9"]}},
    "metadata": {
        "a": {"vid": "1", "flg": 0, "z": [1.48], "xy": BOX, "av": {"1": "1"}},
        "b": {"vid": "1", "flg": 0, "z": [2.0, 4.0], "xy": BOX, "av": {"1": "0"}},
        "c": {"vid": "1", "flg": 0, "z": [0.0, 3.0], "xy": [], "av": {"2": "kitchen"}},
        "d": {"vid": "1", "flg": 0, "z": [2.0], "xy": [3, 5, 5, 2], "av": {}},
        "e": {"vid": "1", "flg": 0, "z": [5.0], "xy": BOX, "av": {}},
        "f": {"vid": "1", "flg": 0, "z": [0.7], "xy": BOX, "av": {"1": "0", "3": "anna"}},
        "g": {"vid": "1", "flg": 0, "z": [1.7], "xy": BOX, "av": {"1": "1", "3": "anna"}},
        "h": {"vid": "1", "flg": 0, "z": [1.7], "xy": BOX, "av": {"1": "1", "3": "anna"}},
    },
}


def test_boxes_of_the_video_at_another_size_are_refused(write: Callable[..., Any], options: ReadOptions) -> None:
    project = copy.deepcopy(PROJECT)
    for entry in project["metadata"].values():
        if entry["xy"] == BOX:
            entry["xy"] = [2, 300, 200, 96.0, 64.0]
    with pytest.raises(DataError, match=r"6 of 6 boxes lie outside of the frames of val_00, which are 192 x 128"):
        read_via3([write("project.json", project)], options)


def test_boxes_are_key_frames_and_all_else_is_counted(write: Callable[..., Any], options: ReadOptions) -> None:
    imported = read_via3([write("project.json", PROJECT)], options)
    rows = imported.rows
    found = sorted(zip(rows.timestamp_ms.tolist(), rows.action.tolist(), rows.person_id.tolist(), strict=True))
    assert found == [(1000, 1, 1), (1480, 2, -1), (2000, 1, -1), (3000, 1, -1), (4000, 1, -1)]
    assert rows.xyxy[0].tolist() == pytest.approx([0.1, 0.1, 0.6, 0.6])
    assert imported.labels.names == ("cut", "stir")
    assert imported.left_out == {
        "temporal segments, which have no box": 1,
        "regions of other shapes than rectangles": 1,
        "persons without an action": 1,
        "second boxes of one person at one time": 1,
    }


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("metadata", "a", "xy"), [2, 1, 1], "metadata a, xy .*expected 5 numbers"),
        (("metadata", "a", "z"), ["soon"], "metadata a, z .*expected 1 number"),
        (("metadata", "a", "z"), [3, 1], "the earlier first"),
        (("metadata", "a", "vid"), "8", "has vid '8', which no view has"),
        (("metadata", "a", "av"), {"1": "7"}, "attribute \"Activity\" has no option '7'"),
        (("metadata", "a"), [], "metadata a: expected an object"),
        (("view", "1", "fid_list"), [], "view 1 names no file"),
        (("file", "9", "fname"), "gone.mp4", 'The video "gone" is needed'),
        (("attribute",), [], "is no VIA 3 project"),
    ],
)
def test_a_wrong_project_is_named(
    where: tuple[str, ...], value: Any, message: str, write: Callable[..., Any], options: ReadOptions
) -> None:
    project = copy.deepcopy(PROJECT)
    place = project
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    with pytest.raises(DataError, match=message):
        read_via3([write("project.json", project)], options)
