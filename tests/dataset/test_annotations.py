import json

import numpy as np
import pytest

from alphaction.dataset.annotations import load_annotations, load_boxes_json
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

IMAGES = [
    {"id": 7, "movie": "a", "timestamp": 902, "width": 200, "height": 100},
    {"id": 9, "movie": "b", "timestamp": "0903", "width": 400, "height": 100},
]


def annotation(**changes):
    entry = {"id": 31, "image_id": 7, "category_id": 1, "action_ids": [3, 12], "person_id": 4}
    return entry | {"bbox": [20.0, 10.0, 100.0, 40.0]} | changes


def write(path, content):
    path.write_text(json.dumps(content))
    return str(path)


def load(tmp_path, *annotations, images=None):
    content = {"images": IMAGES if images is None else images, "annotations": list(annotations)}
    return load_annotations(write(tmp_path / "ann.json", content))


def test_a_json_annotation_becomes_one_row_an_action(tmp_path):
    loaded = load(tmp_path, annotation(), annotation(id=32, image_id=9, action_ids=[]))
    rows = loaded.rows
    assert rows.videos == ("a", "b") and rows.video.tolist() == [0, 0]
    assert rows.timestamp_ms.tolist() == [902000, 902000] and rows.action.tolist() == [3, 12]
    np.testing.assert_allclose(rows.xyxy, [[0.1, 0.1, 0.6, 0.5]] * 2)
    assert rows.person_id.tolist() == [4, 4] and rows.score.tolist() == [1.0, 1.0]
    assert loaded.where(1) == "annotation id 31"
    assert loaded.images.keys == [ClipKey("a", 902000), ClipKey("b", 903000)]


def test_images_without_a_person_are_known_key_frames(tmp_path):
    rows = load(tmp_path, annotation()).rows
    assert rows.keyframes == (ClipKey("a", 902000), ClipKey("b", 903000))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [0.1, 0.1, 0.5, 0.4]}, r"all 1 boxes lie within 0\.\.1, they look like fractions"),
        ({"bbox": [20, 10, 300, 40]}, "annotation id 31 has the bbox .* beyond its image of 200 x 100 pixels"),
        ({"bbox": [-30, 10, 50, 40]}, "annotation id 31 has the bbox .* beyond its image"),
        ({"bbox": [1, 2, 3]}, r"annotation id 31 has the bbox \[1, 2, 3\]"),
        ({"bbox": None}, "annotation id 31 has the bbox None"),
        ({"bbox": "1234"}, "annotation id 31 has the bbox '1234'"),
        ({"image_id": 8}, "annotation id 31 has image_id 8, which no image has"),
        ({"action_ids": None}, "annotation 31 needs action_ids"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load(tmp_path, annotation(**changes))


def test_a_box_may_reach_a_few_pixels_beyond_its_image(tmp_path):
    assert len(load(tmp_path, annotation(bbox=[100, 10, 104, 92])).rows) == 2


def test_wrong_images_are_named(tmp_path):
    with pytest.raises(DataError, match="image 0 needs id, movie, timestamp, width, height"):
        load(tmp_path, images=[{"id": 1, "file_name": "a.jpg", "width": 2, "height": 2}])
    with pytest.raises(DataError, match="image 1 repeats id 7"):
        load(tmp_path, images=[IMAGES[0], IMAGES[1] | {"id": 7}])
    with pytest.raises(DataError, match="or has no id, size or time"):
        load(tmp_path, images=[IMAGES[0] | {"width": 2**70}])
    with pytest.raises(DataError, match="two images are the key frame a@902s"):
        load(tmp_path, images=[IMAGES[0], IMAGES[0] | {"id": 8}])


@pytest.mark.parametrize("content", [[], {"images": []}, "text"])
def test_a_json_of_another_kind_is_refused(tmp_path, content):
    with pytest.raises(DataError, match="is not an annotation file"):
        load_annotations(write(tmp_path / "ann.json", content))
    (tmp_path / "ann.json").write_text("{")
    with pytest.raises(DataError, match="Cannot read the JSON file"):
        load_annotations(str(tmp_path / "ann.json"))


def detection(**changes):
    return {"image_id": 7, "category_id": 1, "bbox": [20.0, 10.0, 100.0, 40.0], "score": 0.5} | changes


def test_scored_boxes_of_the_category_and_of_known_images_are_kept(tmp_path):
    images = load(tmp_path).images
    path = write(
        tmp_path / "box.json",
        [detection(), detection(category_id=3), detection(image_id=99), detection(image_id=9, score=0.25)],
    )
    rows, num_left_out = load_boxes_json(path, images, category=1)
    assert num_left_out == 2 and rows.score.tolist() == [0.5, 0.25]
    np.testing.assert_allclose(rows.xyxy, [[0.1, 0.1, 0.6, 0.5], [0.05, 0.1, 0.3, 0.5]])
    assert len(load_boxes_json(path, images)[0]) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([detection(image_id=99)], "None of the 1 boxes of .* has an image_id of the annotation file"),
        ([detection(category_id=3)], r"has no box of category 1 \(person\); its categories are 3"),
        ([detection(bbox=[0, 0, 1, 1])], "look like fractions"),
        ({"boxes": []}, "is not a box file"),
    ],
)
def test_a_wrong_box_file_is_refused(tmp_path, content, message):
    images = load(tmp_path).images
    with pytest.raises(DataError, match=message):
        load_boxes_json(write(tmp_path / "box.json", content), images, category=1)
