import numpy as np

from alphaction.dataset.clip_table import table_of_boxes, table_of_persons
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey

KEYS = [ClipKey("b", 1000), ClipKey("b", 2000), ClipKey("a", 1000)]
SMALL, LARGE, OTHER = (0.1, 0.1, 0.2, 0.2), (0.1, 0.1, 0.9, 0.9), (0.5, 0.5, 0.6, 0.7)


def rows(*entries):
    """Entries are (key, box, action, person id, score)."""
    videos = tuple(dict.fromkeys(key.video for key, *_ in entries))
    columns = list(zip(*entries, strict=True))
    return AvaRows(
        videos,
        np.array([videos.index(key.video) for key in columns[0]], np.int32),
        np.array([key.timestamp_ms for key in columns[0]], np.int64),
        np.array(columns[1], np.float64),
        np.array(columns[2], np.int64),
        np.array(columns[4], np.float64),
        np.array(columns[3], np.int64),
    )


def labels(table, clip):
    return table.boxes(clip, (100, 100)).labels.tolist()


def test_rows_with_one_box_are_one_person_and_persons_keep_the_order_of_the_file():
    table, shared = table_of_persons(
        rows(
            (KEYS[2], LARGE, 5, -1, 1),
            (KEYS[0], OTHER, 5, -1, 1),
            (KEYS[0], SMALL, 7, -1, 1),
            (KEYS[0], OTHER, 9, -1, 1),
            (ClipKey("c", 1), SMALL, 5, -1, 1),
        ),
        KEYS,
        {5: 0, 7: 1, 9: 2},
    )
    assert labels(table, 0) == [[1, 0, 1], [0, 1, 0]] and labels(table, 1) == [] and labels(table, 2) == [[1, 0, 0]]
    np.testing.assert_allclose(table.boxes(0, (100, 50)).xyxy, [[50, 25, 59, 34], [10, 5, 19, 9]])
    assert shared == 0 and len(table) == 3


def test_boxes_of_one_person_id_are_joined_only_where_they_overlap():
    near = (0.1, 0.1, 0.9, 0.85)
    entries = [(LARGE, 0, 3), (near, 1, 3), (OTHER, 2, 3), (LARGE, 1, 8), (OTHER, 3, 9)]
    table, shared = table_of_persons(
        rows(*((KEYS[0], box, action, person, 1) for box, action, person in entries)), KEYS, {i: i for i in range(4)}
    )
    assert labels(table, 0) == [[1, 1, 0, 0], [0, 0, 1, 1]] and shared == 1


def test_filler_person_ids_join_nobody():
    boxes = [(0.1 * i, 0.0, 0.1 * i + 0.09, 1.0) for i in range(8)]
    table, shared = table_of_persons(rows(*((KEYS[0], box, 0, 0, 1) for box in boxes)), KEYS, {0: 0})
    assert len(table.boxes(0, (10, 10))) == 8 and shared == 7


def test_scored_boxes_keep_their_order_or_the_best_come_first():
    entries = rows(*((KEYS[1], box, -1, -1, score) for box, score in ((SMALL, 0.2), (LARGE, 0.9), (OTHER, 0.5))))
    np.testing.assert_allclose(table_of_boxes(entries, KEYS).boxes(1, (10, 10)).scores, [0.2, 0.9, 0.5])
    best = table_of_boxes(entries, KEYS, most=2)
    np.testing.assert_allclose(best.boxes(1, (10, 10)).scores, [0.9, 0.5])
    assert [len(best.boxes(clip, (10, 10))) for clip in range(3)] == [0, 2, 0]


def test_boxes_are_clipped_to_the_frame():
    table = table_of_boxes(rows((KEYS[0], (-0.05, 0.2, 1.05, 1.0), -1, -1, 1)), KEYS)
    np.testing.assert_allclose(table.boxes(0, (100, 50)).xyxy, [[0, 10, 99, 49]])


def test_a_set_without_rows_has_clips_without_boxes():
    nothing = rows((KEYS[0], SMALL, 0, 0, 1)).select(slice(0, 0))
    assert len(table_of_boxes(nothing, KEYS).boxes(2, (10, 10))) == 0
    assert len(table_of_persons(nothing, KEYS, {0: 0})[0].boxes(2, (10, 10))) == 0
