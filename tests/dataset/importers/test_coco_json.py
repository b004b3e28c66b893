"""COCO-style JSON: the action is the category, the video and the time are in the file name or in AVA's fields."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alphaction.dataset.importers.alphaction import read_alphaction
from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.coco import read_coco
from alphaction.utils.errors import DataError

SIMPLE: dict[str, Any] = {
    "images": [
        {"id": 0, "file_name": "keyframes/train_00/0002.jpg", "width": 640, "height": 480},
        {"id": 1, "file_name": "train_01_3.png"},
        {"id": 2, "file_name": "train_00/4.jpg", "width": 640, "height": 480},
    ],
    "annotations": [
        {"id": 0, "image_id": 0, "category_id": 3, "bbox": [64, 48, 320, 240], "area": 1, "iscrowd": 0},
        {"id": 1, "image_id": 0, "category_id": 8, "bbox": [64, 48, 320, 240], "track_id": 5},
        {"id": 2, "image_id": 1, "category_id": 3, "bbox": [19.2, 12.8, 96, 64]},
        {"id": 3, "image_id": 0, "category_id": 3, "bbox": [0, 0, 640, 480], "iscrowd": 1},
    ],
    "categories": [{"id": 3, "name": "walk"}, {"id": 8, "name": "wave"}, {"id": 9, "name": "sit"}],
}


def test_the_simple_form_is_read(write: Callable[..., Any], options: ReadOptions) -> None:
    imported = read_coco([write("a.json", SIMPLE)], options)
    rows = imported.rows
    keys = [(rows.videos[v], t) for v, t in zip(rows.video.tolist(), rows.timestamp_ms.tolist(), strict=True)]
    assert keys == [("train_00", 2000), ("train_00", 2000), ("train_01", 3000)]
    assert rows.action.tolist() == [3, 8, 3] and rows.person_id.tolist() == [-1, 5, -1]
    assert rows.xyxy[0].tolist() == pytest.approx([0.1, 0.1, 0.6, 0.6]) == rows.xyxy[2].tolist()
    assert [key.timestamp_ms for key in rows.frames_without_boxes] == [4000]
    assert imported.labels.ids == (3, 8) and imported.labels.names == ("walk", "wave")
    assert imported.left_out == {"annotations of crowds (iscrowd 1)": 1} and imported.num_labels == 4
    assert imported.notes == ("No person does: sit.",)


def test_with_a_frame_rate_names_count_frames(write: Callable[..., Any], options: ReadOptions) -> None:
    content = copy.deepcopy(SIMPLE)
    for image, frame in zip(content["images"], (50, 75, 80), strict=True):
        image["file_name"] = f"train_00/frame/{frame}.jpg".replace("frame/", "")
    content["annotations"].append({"id": 9, "image_id": 2, "category_id": 3, "bbox": [64, 48, 320, 240]})
    imported = read_coco([write("a.json", content)], replace(options, frame_rate=25.0))
    assert sorted(set(imported.rows.timestamp_ms.tolist())) == [2000, 3000]
    assert imported.left_out["annotations of frames that are not at a whole second"] == 1


def test_avas_fields_and_action_ids_are_taken(write: Callable[..., Any], options: ReadOptions) -> None:
    image = {"id": 7, "movie": "train_00", "timestamp": 2, "width": 200, "height": 100}
    entries = [
        {"id": 1, "image_id": 7, "category_id": 1, "action_ids": [3, 12], "bbox": [20, 10, 100, 40], "person_id": 4},
        {"id": 2, "image_id": 7, "category_id": 1, "action_ids": [], "bbox": [20, 10, 90, 40]},
    ]
    person = [{"id": 1, "name": "person"}]
    path = write("a.json", {"images": [image], "annotations": entries, "categories": person})
    for read in (read_coco, read_alphaction):
        imported = read([path], options)
        assert imported.rows.action.tolist() == [3, 12] and imported.rows.person_id.tolist() == [4, 4]
        assert imported.left_out == {"persons without an action": 1} and imported.num_labels == 3
        assert imported.labels.names == ("class 3", "class 12")
        assert imported.images is not None and imported.images.place == {7: 0}


@pytest.mark.parametrize(
    ("part", "place", "change", "message"),
    [
        ("images", 0, {"file_name": "2.jpg"}, "image 0: its video and time cannot be told"),
        ("images", 0, {"file_name": "train_00/first.jpg"}, "image 0: its video and time cannot be told"),
        ("images", 1, {"file_name": "elsewhere_3.png"}, 'video "elsewhere" is needed because .*image 1 gives no width'),
        ("images", 1, {"id": 0}, "image 1 needs an id of its own"),
        ("images", 0, {"width": 0}, "image 0 needs width and height"),
        ("annotations", 1, {"category_id": 4}, "annotation 1 has category_id 4, which is not in categories"),
        ("annotations", 1, {"category_id": "walk"}, "annotation 1 needs a category_id"),
        ("annotations", 1, {"image_id": 33}, "annotation 1 needs the image_id of an image"),
        ("annotations", 1, {"bbox": [1, 2, 3]}, "annotation 1, bbox .*expected 4 numbers, found"),
        ("annotations", 1, {"bbox": [600, 2, 90, 9]}, "reaches beyond its image of 640 x 480"),
        ("categories", 1, {"id": 3}, "category 1 needs an id of its own"),
    ],
)
def test_a_wrong_entry_is_named(
    part: str, place: int, change: dict[str, Any], message: str, write: Callable[..., Any], options: ReadOptions
) -> None:
    content = copy.deepcopy(SIMPLE)
    content[part][place].update(change)
    with pytest.raises(DataError, match=message):
        read_coco([write("a.json", content)], options)


def test_fractions_and_files_without_actions_are_refused(write: Callable[..., Any], options: ReadOptions) -> None:
    small = copy.deepcopy(SIMPLE)
    for entry in small["annotations"]:
        entry["bbox"] = [0.1, 0.1, 0.5, 0.5]
    with pytest.raises(DataError, match="they look like fractions"):
        read_coco([write("a.json", small)], options)
    with pytest.raises(DataError, match='only category is "person", which is no action'):
        read_coco([write("b.json", SIMPLE | {"categories": [{"id": 1, "name": "person"}]})], options)
    with pytest.raises(DataError, match='has no "categories"'):
        read_coco([write("c.json", SIMPLE | {"categories": []})], options)
    with pytest.raises(DataError, match="is not COCO-style"):
        read_coco([write("d.json", {"images": []})], options)
