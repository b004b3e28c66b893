"""Tracks at whole seconds: boxes between two times, actions from the last one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.sampling import import_tracks, sample_track
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError


def track(seconds: list[float], left: list[float], actions: list[tuple[str, ...]], person_id: int = 3) -> PersonTrack:
    edges = np.array(left)
    xyxy = np.stack([edges, np.full_like(edges, 0.2), edges + 0.1, np.full_like(edges, 0.6)], axis=1)
    return PersonTrack("train_00", person_id, np.array(seconds), xyxy, np.ones(len(seconds)), tuple(actions))


def test_a_box_moves_in_a_straight_line_and_an_action_holds_until_the_next() -> None:
    walk = track([0.5, 2.5, 3.5], [0.1, 0.5, 0.5], [("walk",), ("stand",), ()])
    persons = sample_track(walk, slack_seconds=0.02)
    assert [(person.key.timestamp_ms, person.actions) for person in persons] == [
        (1000, ("walk",)),
        (2000, ("walk",)),
        (3000, ("stand",)),
    ]
    assert [person.xyxy[0] for person in persons] == pytest.approx([0.2, 0.4, 0.5])


def test_a_time_within_half_a_frame_of_a_second_is_meant_as_it() -> None:
    persons = sample_track(track([1.001, 2.002], [0.1, 0.3], [("walk",), ("stand",)]), slack_seconds=0.0167)
    assert [(person.key.timestamp_ms, person.actions) for person in persons] == [(1000, ("walk",)), (2000, ("stand",))]


def test_a_track_of_one_time_is_a_key_frame_at_that_time() -> None:
    assert sample_track(track([1.48], [0.1], [("walk",)]), 0.02)[0].key.timestamp_ms == 1480
    assert sample_track(track([1.99], [0.1], [("walk",)]), 0.02)[0].key.timestamp_ms == 2000


def test_every_person_at_a_second_is_a_label_or_counted(options: ReadOptions) -> None:
    tracks = [
        track([0, 2], [0.1, 0.1], [("walk", "talk"), ()]),
        track([1.2, 1.7], [0.1, 0.1], [("walk",), ("walk",)], person_id=4),
    ]
    imported = import_tracks(tracks, options, defined=["walk", "talk", "sit"])
    assert imported.left_out == {
        "persons without an action": 1,
        "tracks that begin and end between two whole seconds": 1,
    }
    assert imported.rows.action.tolist() == [1, 2, 1, 2]  # seconds 0 and 1
    assert imported.num_labels == len(imported.rows) + 2
    assert imported.labels.names == ("walk", "talk") and imported.notes == ("No person does: sit.",)


def test_the_label_file_numbers_the_names_and_knows_them_all(options: ReadOptions, videos: Path) -> None:
    labels = LabelMap((5, 9), ("stand", "walk"), ClassGroups(object=(0, 1)))
    given = replace(options, labels=labels)
    assert import_tracks([track([1, 2], [0, 0], [("walk",)] * 2)], given).rows.action.tolist() == [9, 9]
    with pytest.raises(DataError, match='"walks" is not in the label file; did you mean "walk"'):
        import_tracks([track([1, 2], [0, 0], [("walks",)] * 2)], given)


def test_a_track_needs_as_many_boxes_as_times() -> None:
    with pytest.raises(ValueError, match="A track of 2 times"):
        PersonTrack("a", 1, np.zeros(2), np.zeros((1, 4)), np.ones(2), ((), ()))
