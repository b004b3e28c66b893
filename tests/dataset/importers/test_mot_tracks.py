"""MOT tracks with actions from spans of seconds or from AVA rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.mot import read_mot
from alphaction.utils.errors import DataError

# 25 fps, 192 x 128 pixels: person 1 for seconds 0 to 4, person 2 for seconds 2 and 3, from frame 51.
TRACKS = "".join(
    f"{frame},{person},19.2,12.8,96,64,1,-1,-1,-1\n"
    for person, frames in ((1, range(1, 102)), (2, range(51, 77)))
    for frame in frames
)


def labels_of(imported: Any) -> list[tuple[int, int, str]]:
    name = dict(zip(imported.labels.ids, imported.labels.names, strict=True))
    rows = imported.rows
    columns = (rows.timestamp_ms.tolist(), rows.person_id.tolist(), rows.action.tolist())
    return sorted((time, person, name[action]) for time, person, action in zip(*columns, strict=True))


def test_spans_give_actions_from_their_start_up_to_their_end(write: Callable[..., Path], options: ReadOptions) -> None:
    spans = write("who.csv", "video,person_id,start,end,action\ntrain_00.mp4,1,1,3,walk\n,*,2,2,wave\n,9,1,2,sit\n")
    imported = read_mot([write("train_00.txt", TRACKS), spans], options)
    assert labels_of(imported) == [(1000, 1, "walk"), (2000, 1, "walk"), (2000, 1, "wave"), (2000, 2, "wave")]
    assert imported.rows.xyxy[0].tolist() == pytest.approx([0.1, 0.1, 0.6, 0.6])
    assert imported.left_out == {"persons without an action": 4}  # 1 at 0, 3, 4; 2 at 3
    assert imported.notes == (f"Nobody is tracked at the times of 1 row of actions: {spans}, row 4 (person 9, sit).",)


def test_rows_give_their_action_to_the_tracked_box_below(write: Callable[..., Path], options: ReadOptions) -> None:
    near, far = "0.12,0.1,0.6,0.62", "0.7,0.7,0.9,0.9"
    rows = [f"train_00,1,{near},14,7", f"train_00,1,{near},12,7", f"train_00,1,{far},14,8", f"train_00,5,{near},14,7"]
    imported = read_mot([write("train_00.txt", TRACKS), write("ava.csv", "\n".join(rows))], options)
    assert labels_of(imported) == [(1000, 1, "class 12"), (1000, 1, "class 14")]
    assert imported.left_out == {
        "persons without an action": 6,
        "rows of actions without a tracked box at their place (IoU 0.5)": 2,
    }


def test_boxes_not_to_be_used_are_counted(write: Callable[..., Path], options: ReadOptions) -> None:
    tracks = "1,1,19,12,96,64,0,1,1\n1,2,19,12,96,64,1,3,1\n1,3,19,12,96,64,1,1,1\n"
    imported = read_mot([write("train_00.txt", tracks), write("who.csv", ",3,0,1,walk")], options)
    assert len(imported.rows) == 1
    assert imported.notes == (
        "Passed over: 1 tracked boxes that the file marks as not to be used (confidence 0).",
        "Passed over: 1 tracked boxes of other classes than persons.",
    )


def test_a_track_with_a_gap_is_no_person_within_it(write: Callable[..., Path], options: ReadOptions) -> None:
    tracks = "".join(f"{frame},1,19,12,96,64,1\n" for frame in (1, 26, 101, 126))
    imported = read_mot([write("train_00.txt", tracks), write("who.csv", "1,0,6,walk")], options)
    assert [time for time, _, _ in labels_of(imported)] == [0, 1000, 4000, 5000]


def test_a_given_frame_rate_replaces_the_videos(write: Callable[..., Path], options: ReadOptions) -> None:
    slow = replace(options, frame_rate=50.0)
    imported = read_mot([write("train_00.txt", TRACKS), write("who.csv", ",1,0,9,walk")], slow)
    assert [time for time, _, _ in labels_of(imported)] == [0, 1000, 2000]


@pytest.mark.parametrize(
    ("tracks", "actions", "message"),
    [
        ("1,1,19,12,96,x,1\n", ",1,0,9,walk", "train_00.txt, row 1: expected frame,id,left"),
        ("0,1,19,12,96,64,1\n", ",1,0,9,walk", "train_00.txt, row 1: expected frame,id,left"),
        ("1,1,19,12,96,64,1\n" * 2, ",1,0,9,walk", "person 1 has two boxes in frame 1"),
        (TRACKS, ",1,3,2,walk", "who.csv, row 1: expected video,person_id"),
        (TRACKS, ",one,1,2,walk", "who.csv, row 1: expected video,person_id"),
        (TRACKS, ",1,1,2,", "who.csv, row 1: expected video,person_id"),
        (TRACKS, "1,2,3", "who.csv has 3 columns; mot takes tracks"),
        (TRACKS, TRACKS, "mot takes track files and action files of one kind; found 2 of tracks"),
    ],
)
def test_a_wrong_row_is_named(
    tracks: str, actions: str, message: str, write: Callable[..., Path], options: ReadOptions
) -> None:
    with pytest.raises(DataError, match=message):
        read_mot([write("train_00.txt", tracks), write("who.csv", actions)], options)


def test_tracks_of_no_video_are_named(write: Callable[..., Path], options: ReadOptions) -> None:
    with pytest.raises(DataError, match=r"video of the tracks .*gt\.txt cannot be told"):
        read_mot([write("gt.txt", TRACKS), write("who.csv", ",1,0,9,walk")], options)


def test_boxes_of_the_video_at_another_size_are_refused(write: Callable[..., Path], options: ReadOptions) -> None:
    tracks = "".join(f"{frame},1,{left},20,96,64,1\n" for frame, left in enumerate((10, 150, 290, 400), start=1))
    files = [write("train_00.txt", tracks), write("who.csv", ",1,0,1,walk")]
    with pytest.raises(
        DataError, match=r"3 of 4 boxes lie outside .* train_00, which are 192 x 128 .* reach to 496, 84"
    ):
        read_mot(files, options)


def test_persons_who_walk_out_of_the_frame_are_no_other_size(write: Callable[..., Path], options: ReadOptions) -> None:
    tracks = "".join(f"{frame},1,{left},20,96,64,1\n" for frame, left in enumerate((10, 20, 50, 160), start=1))
    imported = read_mot([write("train_00.txt", tracks), write("who.csv", ",1,0,1,walk")], options)
    assert len(imported.rows) == 1
