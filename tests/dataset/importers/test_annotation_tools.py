"""CVAT and VIA: what is written is read back, and what the tools themselves write is understood."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.cvat import read_cvat, read_cvat_tracks
from alphaction.dataset.importers.cvat_writer import cvat_labels, write_cvat
from alphaction.dataset.importers.via3 import read_via3, read_via3_tracks
from alphaction.dataset.importers.via3_writer import write_via3
from alphaction.dataset.importers.video_folder import VideoFolder
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError, UserError

ACTIONS = ("stand", "walk", "talk")
FOOTAGE = {"video": "train_00.mp4", "size": (192, 128), "fps": 25.0, "num_frames": 150}


def made_tracks() -> list[PersonTrack]:
    box = np.array([0.25, 0.25, 0.5, 0.75])
    moving = np.linspace(0, 0.125, 3)[:, None] + box
    return [
        PersonTrack("train_00", 2, np.array([0.0, 1.0, 2.0]), moving, np.ones(3), (("walk",), ("walk", "talk"), ())),
        PersonTrack("train_00", 2, np.array([4.0, 5.0]), np.stack([box, box]), np.ones(2), (("stand",), ("stand",))),
        PersonTrack.without_actions("train_00", 7, np.array([1.0, 2.0]), np.stack([box, box])),
    ]


def described(tracks: list[PersonTrack]) -> list[tuple[Any, ...]]:
    return sorted(
        (track.video, track.person_id, track.seconds.round(3).tolist(), track.xyxy.round(4).tolist(), track.actions)
        for track in tracks
    )


@pytest.mark.parametrize(("write_file", "read"), [(write_cvat, read_cvat_tracks), (write_via3, read_via3_tracks)])
def test_tracks_come_back_as_they_were_written(
    write_file: Any, read: Any, options: ReadOptions, tmp_path: Path
) -> None:
    path = tmp_path / "tracks"
    write_file(path, made_tracks(), **FOOTAGE, actions=ACTIONS)
    found = read(path, options)
    assert described(found.tracks) == described(made_tracks())
    assert found.actions[: len(ACTIONS)] == list(ACTIONS) and not found.left_out


def test_an_action_that_is_picked_once_in_cvat_holds_to_the_end(options: ReadOptions, tmp_path: Path) -> None:
    seconds = np.arange(0, 3, 0.2)
    still = PersonTrack.without_actions("train_00", 1, seconds, np.tile([0.25, 0.25, 0.5, 0.75], (len(seconds), 1)))
    write_cvat(tmp_path / "a.xml", [still], **FOOTAGE, actions=ACTIONS)
    before, box, after = (tmp_path / "a.xml").read_text().partition('<box frame="25"')
    picked = after.replace('z_order="0" />', 'z_order="0"><attribute name="walk">true</attribute></box>', 1)
    (tmp_path / "a.xml").write_text(before + box + picked)
    track = read_cvat_tracks(tmp_path / "a.xml", options).tracks[0]
    assert [chosen == ("walk",) for chosen in track.actions] == (seconds > 0.99).tolist()


def test_a_dense_track_is_one_box_a_second_in_via(options: ReadOptions, tmp_path: Path) -> None:
    seconds = np.arange(0.4, 3, 0.2)
    still = PersonTrack.without_actions("train_00", 1, seconds, np.tile([0.25, 0.25, 0.5, 0.75], (len(seconds), 1)))
    write_via3(tmp_path / "a.json", [still], **FOOTAGE, actions=ACTIONS)
    assert read_via3_tracks(tmp_path / "a.json", options).tracks[0].seconds.tolist() == [1, 2]


@pytest.mark.parametrize(("write_file", "read"), [(write_cvat, read_cvat), (write_via3, read_via3)])
def test_exclusive_actions_come_back_as_labels(
    write_file: Any, read: Any, options: ReadOptions, tmp_path: Path
) -> None:
    path = tmp_path / "tracks"
    write_file(path, made_tracks()[1:], **FOOTAGE, actions=ACTIONS, exclusive=True)
    imported = read([path], options)
    assert imported.labels.names == ("stand",)
    assert imported.left_out == {"persons without an action": 2} and len(imported.rows) == 2


@pytest.mark.parametrize("write_file", [write_cvat, write_via3])
def test_an_action_that_is_not_offered_is_refused(write_file: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does walk, talk; the file offers one of stand, walk, talk"):
        write_file(tmp_path / "tracks", made_tracks(), **FOOTAGE, actions=ACTIONS, exclusive=True)
    with pytest.raises(UserError, match="any of stand"):
        write_file(tmp_path / "tracks", made_tracks(), **FOOTAGE, actions=["stand"])
    assert not list(tmp_path.iterdir())


def test_cvat_labels_are_the_json_of_its_raw_tab() -> None:
    labels = json.loads(cvat_labels(ACTIONS))
    assert labels[0]["name"] == "person"
    assert [(a["name"], a["input_type"], a["values"]) for a in labels[0]["attributes"]] == [
        (name, "checkbox", ["false"]) for name in ACTIONS
    ]
    chosen = json.loads(cvat_labels(ACTIONS, exclusive=True))[0]["attributes"][0]
    assert chosen["values"] == ["__undefined__", *ACTIONS] and chosen["default_value"] == "__undefined__"


# As CVAT writes it: interpolated frames too, a task of a project, a label that is an action, another shape.
CVAT_EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><project><name>all</name>
<tasks><task><id>4</id><name>morning</name><source>train_01.mp4</source>
<original_size><width>96</width><height>64</height></original_size></task></tasks>
<labels><label><name>person</name><attributes><attribute><name>gender</name><input_type>radio</input_type>
<values>f\nm</values></attribute><attribute><name>Action</name><input_type>select</input_type>
<values>__undefined__\nsit\nrun</values></attribute></attributes></label>
<label><name>jump</name><attributes></attributes></label></labels></project></meta>
<track id="0" label="person" task_id="4">
<box frame="0" keyframe="1" outside="0" xtl="9.60" ytl="6.40" xbr="48.00" ybr="32.00"><attribute name="gender">m</attribute><attribute name="Action">run</attribute></box>
<box frame="1" keyframe="0" outside="0" xtl="9.60" ytl="6.40" xbr="48.00" ybr="32.00"><attribute name="gender">m</attribute><attribute name="Action">run</attribute></box>
<box frame="60" keyframe="1" outside="0" xtl="9.60" ytl="6.40" xbr="48.00" ybr="32.00"><attribute name="gender">m</attribute><attribute name="Action">__undefined__</attribute></box>
<box frame="61" keyframe="1" outside="1" xtl="9.60" ytl="6.40" xbr="48.00" ybr="32.00"><attribute name="Action">run</attribute></box>
</track>
<track id="1" label="jump" task_id="4"><box frame="30" keyframe="1" outside="0" xtl="0" ytl="0" xbr="96" ybr="64"/></track>
<track id="2" label="person" task_id="4"><polygon frame="1" points="1,1;2,2;3,1"/></track>
</annotations>"""  # noqa: E501


def test_an_export_of_cvat_is_understood(options: ReadOptions, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annotations.xml", CVAT_EXPORT)
    imported = read_cvat([path], options)
    assert imported.labels.names == ("run", "jump") and imported.rows.videos == ("train_01",)
    assert sorted(zip(imported.rows.timestamp_ms.tolist(), imported.rows.action.tolist(), strict=True)) == [
        (0, 1),
        (1000, 1),
        (1000, 2),
    ]
    assert imported.rows.xyxy[0].tolist() == pytest.approx([0.1, 0.1, 0.5, 0.5])
    assert imported.left_out == {"tracks of other shapes than boxes": 1, "persons without an action": 1}
    assert read_cvat([path], replace(options, attributes=("gender",))).labels.names == ("m", "jump")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<annotations>", "Cannot read the XML file"),
        ("", "Cannot read the XML file"),
        ("<html/>", "is <html>; export the task as CVAT for video 1.1"),
        ("<annotations><image/></annotations>", "is CVAT for images"),
        (
            CVAT_EXPORT.replace("train_01", "other").replace("morning", "other"),
            'is about the video "other", which .* does not have',
        ),
        (CVAT_EXPORT.replace('xtl="9.60"', 'xtl="left"'), 'track 0 .*has xtl="left"; expected a number'),
        (CVAT_EXPORT.replace('frame="60"', 'frame="1.5"'), "no frame number"),
        (CVAT_EXPORT.replace('track id="0"', 'track id="a"'), "has no id that is a number"),
    ],
)
def test_a_wrong_cvat_file_is_named(
    content: str, message: str, write: Callable[[str, Any], Path], options: ReadOptions
) -> None:
    with pytest.raises(DataError, match=message):
        read_cvat([write("tracks.xml", content)], options)


def test_labels_of_another_video_are_not_taken_for_the_only_one(
    videos: Path, write: Callable[[str, Any], Path], tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(videos / "val_00.mp4", tmp_path / "one")
    alone = ReadOptions(VideoFolder(tmp_path / "one"))
    with pytest.raises(DataError, match=r"is about the video .* which .* does not have"):
        read_cvat([write("tracks.xml", CVAT_EXPORT)], alone)
