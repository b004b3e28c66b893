"""Any JSON and any label map: every entry is kept, counted, or named in one message."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaction.dataset.annotations import load_annotations, load_boxes_json
from alphaction.dataset.ava_files import AvaFiles, select_key_frames
from alphaction.structures.labels import LabelMap, load_label_map
from alphaction.utils.errors import DataError, UserError

QUICK = settings(max_examples=80, deadline=None)
TEXT = st.text(max_size=6)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 700), st.floats(), TEXT)
ANY_JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
IMAGES = st.fixed_dictionaries(
    {
        "id": st.one_of(st.integers(0, 2), ANY_JSON),
        "movie": st.one_of(st.just("a"), SCALARS),
        "timestamp": st.one_of(st.integers(0, 5), SCALARS),
        "width": st.one_of(st.just(64), SCALARS),
        "height": st.one_of(st.just(64), SCALARS),
    }
)
BOXES = st.one_of(st.lists(st.integers(0, 60), min_size=4, max_size=4), ANY_JSON)
ANNOTATIONS = st.fixed_dictionaries(
    {"image_id": st.one_of(st.integers(0, 2), ANY_JSON), "bbox": BOXES},
    optional={
        "action_ids": st.one_of(st.lists(st.integers(1, 3), max_size=2), ANY_JSON),
        "score": SCALARS,
        "person_id": SCALARS,
        "category_id": SCALARS,
    },
)


def refused(read, content):
    """Returns what a reader gives, or None where it refuses the file with a message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.json"
        path.write_text(json.dumps(content))
        try:
            return read(str(path))
        except UserError as error:
            assert str(error)
            return None


@QUICK
@given(images=st.lists(st.one_of(IMAGES, ANY_JSON), max_size=3), entries=st.lists(st.one_of(ANNOTATIONS, ANY_JSON)))
def test_annotations_are_read_or_refused(images, entries):
    loaded = refused(load_annotations, {"images": images, "annotations": entries})
    if loaded is not None:
        assert len(loaded.rows) == sum(len(entry["action_ids"]) for entry in entries)
        assert loaded.num_without_action == sum(not entry["action_ids"] for entry in entries)


@QUICK
@given(entries=st.one_of(ANY_JSON, st.lists(st.one_of(ANNOTATIONS, ANY_JSON))))
def test_boxes_are_read_or_refused(entries):
    image = {"id": 1, "movie": "a", "timestamp": 1, "width": 64, "height": 64}
    images = refused(load_annotations, {"images": [image], "annotations": []}).images
    loaded = refused(lambda path: load_boxes_json(path, images), entries)
    if loaded is not None and isinstance(entries, list):
        assert len(loaded[0]) + loaded[1] == len(entries)


@pytest.mark.parametrize("content", [{"images": 5, "annotations": []}, {"images": [], "annotations": 5}])
def test_no_lists_are_refused(content):
    assert refused(load_annotations, content) is None


def test_persons_without_an_action_are_counted(tmp_path):
    image = {"id": 1, "movie": "a", "timestamp": 1, "width": 64, "height": 64}
    entries = [{"image_id": 1, "bbox": [1, 1, 9, 9], "action_ids": ids} for ids in ([], [3])]
    (tmp_path / "a.json").write_text(json.dumps({"images": [image], "annotations": entries}))
    files = AvaFiles(video_root=str(tmp_path), ann_file=str(tmp_path / "a.json"))
    assert select_key_frames(files, LabelMap.ava(), True, 0.8, False).dropped["persons without an action"] == 1


@pytest.mark.parametrize(
    "broken",
    ['itm { name: "b" id: 2 }', 'item { name: "b" id: 2', 'name: "b" id: 2', 'item { name: "it"s" id: 2 }'],
)
def test_a_broken_block_of_a_label_map_is_no_class_less(tmp_path, broken):
    path = tmp_path / "labels.pbtxt"
    path.write_text(f'# mine\nitem {{ name: "a {{x}}" id: 1 }}\n{broken}\n')
    with pytest.raises(DataError, match="is outside the blocks"):
        load_label_map(path)
    path.write_text('# mine\nitem { name: "a {x}" id: 1 }\n')
    assert load_label_map(path).names == ("a {x}",)
