import numpy as np
import pytest

from alphaction.detection.base import Detections
from alphaction.detection.tracker import TrackerRules, track_persons

SIZE = (100, 100)


def at(*boxes, scores=None, category=1):
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    values = np.full(len(xyxy), 0.9) if scores is None else np.array(scores)
    return Detections(xyxy, values.astype(np.float32), np.full(len(xyxy), category, np.int64))


def walk(left, width=10):
    return (left, 20, left + width, 60)


def track(detections, **rules):
    seconds = [0.2 * place for place in range(len(detections))]
    return track_persons("v", seconds, detections, SIZE, TrackerRules(**{"min_boxes": 2, **rules}))


def test_two_persons_keep_their_numbers_whatever_the_order_of_the_boxes() -> None:
    tracks = track([at(walk(10), walk(60)), at(walk(63), walk(12)), at(walk(14), walk(66))])
    assert [track.person_id for track in tracks] == [1, 2]
    assert tracks[0].xyxy[:, 0].tolist() == pytest.approx([0.10, 0.12, 0.14])
    assert tracks[1].xyxy[:, 0].tolist() == pytest.approx([0.60, 0.63, 0.66])


def test_persons_who_cross_go_on_as_they_went() -> None:
    lefts = [(10 + 4 * i, 60 - 4 * i) for i in range(13)]
    tracks = track([at(walk(a), walk(b)) for a, b in lefts], velocity_share=0.5)
    ends = sorted((float(track.xyxy[0, 0]), float(track.xyxy[-1, 0])) for track in tracks)
    assert ends == [pytest.approx((0.10, 0.58)), pytest.approx((0.60, 0.12))]


def test_a_missed_person_is_placed_on_the_line_between() -> None:
    (only,) = track([at(walk(10)), at(walk(12)), at(), at(walk(16))])
    assert only.xyxy[:, 0].tolist() == pytest.approx([0.10, 0.12, 0.14, 0.16])
    assert only.seconds.tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6])


def test_after_too_long_a_gap_it_is_another_person() -> None:
    detections = [at(walk(10)), at(walk(10)), at(), at(), at(), at(walk(10)), at(walk(10))]
    assert [len(track) for track in track(detections, max_gap_seconds=0.5)] == [2, 2]
    assert [len(track) for track in track(detections, max_gap_seconds=1.0)] == [7]


def test_a_weak_box_continues_a_track_and_starts_none() -> None:
    weak = at(walk(12), walk(60), scores=[0.2, 0.2])
    tracks = track([at(walk(10)), weak, weak, weak])
    assert len(tracks) == 1 and len(tracks[0]) == 4
    assert tracks[0].scores.tolist() == pytest.approx([0.9, 0.2, 0.2, 0.2])


def test_short_tracks_and_other_categories_are_left_out() -> None:
    detections = [at(walk(10)), at(walk(10), walk(60)), at(walk(10))]
    assert [len(track) for track in track(detections, min_boxes=2)] == [3]
    assert track([at(walk(10), category=18)] * 4) == []


def test_a_person_seen_twice_at_once_is_one() -> None:
    head = (12, 20, 18, 35)  # within the box of the whole person
    tracks = track([at(walk(10), head, scores=[0.9, 0.8])] * 3)
    assert [track.xyxy[0].tolist() for track in tracks] == [pytest.approx([0.1, 0.2, 0.2, 0.6])]
    assert len(track([at(walk(10), head, scores=[0.9, 0.8])] * 3, max_inside=1.0)) == 2
