"""Any text, any JSON: a reader keeps or counts every row, or says in one message what is wrong."""

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alphaction.dataset.importers.base import FORMATS, Imported, ReadOptions
from alphaction.dataset.importers.cleaning import keep_usable
from alphaction.dataset.importers.sampling import import_tracks
from alphaction.structures.ava_csv import (
    load_exclusions,
    load_ground_truth_csv,
    load_person_boxes_csv,
    load_results_csv,
)
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import UserError

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs", "Cc")), max_size=12)
NUMBERS = st.one_of(st.integers(-3, 2000), st.floats(-1, 2), st.sampled_from(["", "nan", "inf", "1e400", "0902"]))
CELLS = st.one_of(NUMBERS.map(str), TEXT, st.sampled_from(["train_00", "0.1", "0.9"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 700), st.floats(), TEXT)
ANY_JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


def in_file(content: str | bytes, suffix: str, read: Any) -> Any:
    """Returns what a reader makes of the content, or None if it refuses it with a message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"train_00{suffix}"
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        try:
            return read(path)
        except UserError as error:
            assert str(error)
            return None


def is_whole(imported: Imported) -> bool:
    return len(imported.rows) + imported.left_out.total() == imported.num_labels


@pytest.mark.parametrize(
    "load", [load_ground_truth_csv, load_results_csv, load_person_boxes_csv, load_exclusions, load_label_map]
)
@QUICK
@given(content=st.one_of(st.binary(max_size=60), st.lists(st.lists(CELLS, max_size=9), max_size=4)))
def test_any_text_is_read_or_refused(load: Any, content: Any) -> None:
    text = content if isinstance(content, bytes) else "\n".join(",".join(cells) for cells in content)
    in_file(text, ".csv", load)


FRACTIONS = st.tuples(*[st.integers(0, 1000)] * 4).map(
    lambda four: [min(four[0], four[2]), min(four[1], four[3]), max(four[0], four[2]), max(four[1], four[3])]
)
GOOD_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["train_00", "train_01", "gone"]),
        st.integers(0, 9),
        FRACTIONS,
        st.integers(1, 4),
        st.integers(-1, 3),
    ),
    min_size=1,
    max_size=12,
)


@QUICK
@given(rows=GOOD_ROWS)
def test_every_good_row_is_kept_or_counted(rows: Sequence[Any], options: ReadOptions) -> None:
    lines = [[video, s, *(v / 1000 for v in box), action, person] for video, s, box, action, person in rows]
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    assert len(in_file(text.getvalue(), ".csv", load_ground_truth_csv)) == len(rows)
    imported = in_file(text.getvalue(), ".csv", lambda path: FORMATS.get("ava-csv")([path], options))
    assert imported.num_labels == len(rows) and is_whole(imported)
    assert is_whole(keep_usable(imported, options.videos))


@QUICK
@given(names=st.lists(st.tuples(st.integers(0, 50), TEXT), max_size=5), form=st.sampled_from(["item", "label", "list"]))
def test_every_class_of_a_label_map_is_read_or_refused(names: list[tuple[int, str]], form: str) -> None:
    names = [(class_id, name.replace('"', "").replace("\\", "")) for class_id, name in names]
    key = "id" if form == "item" else "label_id"
    blocks = [f'{form} {{\n  name: "{name}"\n  {key}: {class_id}\n}}' for class_id, name in names]
    text = "\n".join(f"{class_id} {name}" for class_id, name in names) if form == "list" else "\n".join(blocks)
    labels = in_file(text, ".pbtxt", load_label_map)
    if labels is not None and form != "list":
        assert sorted(labels.ids) == sorted(class_id for class_id, _ in names)


@pytest.mark.parametrize("name", ["coco", "alphaction", "via3"])
@QUICK
@given(content=ANY_JSON)
def test_any_json_is_read_or_refused(name: str, content: Any, options: ReadOptions) -> None:
    imported = in_file(json.dumps(content), ".json", lambda path: FORMATS.get(name)([path], options))
    assert imported is None or is_whole(imported)


BOXES = st.one_of(st.lists(st.integers(0, 60), min_size=4, max_size=4), ANY_JSON)
IMAGES = st.fixed_dictionaries(
    {"id": st.one_of(st.integers(0, 2), SCALARS)},
    optional={
        "file_name": st.one_of(st.just("train_00/2.jpg"), TEXT),
        "movie": st.one_of(st.just("train_00"), SCALARS),
        "timestamp": st.one_of(st.integers(0, 5), SCALARS),
        "width": st.one_of(st.just(64), SCALARS),
        "height": st.one_of(st.just(64), SCALARS),
    },
)
ANNOTATIONS = st.fixed_dictionaries(
    {"image_id": st.one_of(st.integers(0, 2), ANY_JSON), "bbox": BOXES},
    optional={
        "category_id": st.one_of(st.just(1), ANY_JSON),
        "action_ids": st.one_of(st.lists(st.integers(1, 3), max_size=2), ANY_JSON),
        "iscrowd": SCALARS,
        "person_id": SCALARS,
    },
)
COCO = st.fixed_dictionaries(
    {
        "images": st.lists(st.one_of(IMAGES, IMAGES, ANY_JSON), max_size=3),
        "annotations": st.lists(st.one_of(ANNOTATIONS, ANNOTATIONS, ANY_JSON), max_size=3),
        "categories": st.one_of(st.just([{"id": 1, "name": "walk"}]), ANY_JSON),
    }
)


@pytest.mark.parametrize("name", ["coco", "alphaction"])
@QUICK
@given(content=COCO)
def test_nearly_good_coco_is_read_or_refused(name: str, content: Any, options: ReadOptions) -> None:
    imported = in_file(json.dumps(content), ".json", lambda path: FORMATS.get(name)([path], options))
    assert imported is None or is_whole(imported)


@QUICK
@given(rows=st.lists(st.lists(CELLS, min_size=5, max_size=10), max_size=4), spans=st.lists(st.lists(CELLS, max_size=5)))
def test_any_tracks_are_read_or_refused(rows: Any, spans: Any, options: ReadOptions) -> None:
    def read(path: Path) -> Imported:
        who = path.with_name("who.csv")
        who.write_text("\n".join(",".join(cells) for cells in spans) or ",1,0,9,walk")
        return FORMATS.get("mot")([path, who], options)

    imported = in_file("\n".join(",".join(cells) for cells in rows), ".txt", read)
    assert imported is None or is_whole(imported)


def test_no_track_is_no_label(options: ReadOptions) -> None:
    assert is_whole(import_tracks([], options)) and import_tracks([], options).num_labels == 0


XML_BOXES = st.lists(
    st.fixed_dictionaries(
        {name: st.one_of(st.integers(0, 120).map(str), TEXT) for name in ("frame", "xtl", "ytl", "xbr", "ybr")},
        optional={"outside": st.sampled_from(["0", "1", "x"]), "keyframe": TEXT},
    ),
    max_size=4,
)


@QUICK
@given(
    tracks=st.lists(st.tuples(st.one_of(st.integers(0, 3).map(str), TEXT), TEXT, XML_BOXES), max_size=3), action=TEXT
)
def test_any_cvat_tracks_are_read_or_refused(tracks: Any, action: str, options: ReadOptions) -> None:
    def visible(text: str) -> str:
        return "".join(character for character in text if character.isprintable())

    root = Element("annotations")
    for track_id, label, boxes in tracks:
        track = SubElement(root, "track", id=visible(track_id), label=visible(label))
        for box in boxes:
            element = SubElement(track, "box", {name: visible(value) for name, value in box.items()})
            SubElement(element, "attribute", name="action").text = visible(action)
    imported = in_file(tostring(root), ".xml", lambda path: FORMATS.get("cvat")([path], options))
    assert imported is None or is_whole(imported)
