"""JSON annotations and boxes: every mistake is named with its place, and what is sure is repaired in the copy."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaction.dataset.annotations import load_annotations
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.box_checks import check_boxes
from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.finding import Finding, Findings
from alphaction.dataset.doctor.fix import write_repaired
from alphaction.dataset.doctor.rows import read_rows
from alphaction.utils.errors import DataError

SIZE = {"width": 192, "height": 128}
Content = dict[str, Any]


def image(image_id: int, second: int) -> dict[str, Any]:
    return {"id": image_id, "movie": "train_00", "timestamp": second, **SIZE}


def person(entry_id: int, image_id: int, *actions: int, bbox: tuple[float, ...] = (20, 30, 60, 70)) -> dict[str, Any]:
    return {
        "id": entry_id,
        "image_id": image_id,
        "bbox": list(bbox),
        "action_ids": list(actions),
        "person_id": entry_id,
    }


def good() -> Content:
    entries = [person(1, 11, 1, 5), person(2, 11, 1, bbox=(100, 20, 40, 90)), person(3, 12, 7), person(4, 13)]
    return {"images": [image(11, 1), image(12, 3), image(13, 5)], "annotations": entries}


def check(data: SyntheticFiles, folder: Path, content: Any, boxes: Any = None) -> Examination:
    folder.mkdir(exist_ok=True)
    lines = [f"video_root: {data.root / 'videos'}", "ann_file: a.json", f"label_file: {data.root / 'labels.pbtxt'}"]
    if boxes is not None:
        (folder / "b.json").write_text(json.dumps(boxes))
        lines.append("box_file: b.json")
    (folder / "a.json").write_text(json.dumps(content))
    (folder / "val.yaml").write_text("\n".join(lines) + "\n")
    return examine([str(folder / "val.yaml")], CheckOptions(workers=1))


def errors(result: Examination) -> dict[str, Finding]:
    return {finding.code: finding for finding in result.findings if finding.level == "error"}


def test_good_annotations_have_no_error(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    result = check(tiny_data, tmp_path, good(), [{"image_id": 11, "bbox": [20, 30, 60, 70], "score": 0.9}])
    assert errors(result) == {} and len(result.splits[0].truth.rows) == 4


def test_all_mistakes_of_a_file_are_named_at_once(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    content = good()
    content["images"] += [{**image(14, 7), "width": 0}, image(11, 9), image(15, 3), "image"]
    content["annotations"] += [
        person(5, 99, 1),
        person(6, 12, 1, bbox=(1, 2, 3)),
        person(7, 98, 1),
        {**person(8, 12), "action_ids": 5},
        {**person(9, 12, 1), "person_id": "A"},
        person(10, 14, 1),
        person(11, 13, bbox=(20, 30, 600, 70)),
        person(12, 13, 1, bbox=(20, 30, 600, 70)),
        person(13, 13, 77),
        7,
    ]
    found = errors(check(tiny_data, tmp_path, content))
    assert {code: finding.places for code, finding in found.items()} == {
        "image-unusable": ("image 3", "image 6"),
        "image-id-twice": ("image 4",),
        "image-twice": ("image 5",),
        "annotation-image": ("annotation id 5", "annotation id 7"),
        "annotation-bbox": ("annotation id 6",),
        "annotation-actions": ("annotation id 8",),
        "annotation-person": ("annotation id 9",),
        "annotation-image-unusable": ("annotation id 10",),
        "annotation-far": ("annotation id 11",),
        "box-far-outside": ("annotation id 12",),
        "action-unknown": ("annotation id 13",),
        "annotation-other": ("annotation 13",),
    }
    assert "the box [20, 30, 600, 70] reaches far outside its image" in found["box-far-outside"].text


def test_plain_coco_is_sent_to_the_importer_with_its_other_mistakes(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "train_00/1.jpg", **SIZE}, {"id": 2, "file_name": "train_00_0003.jpg", **SIZE}]
    entries = [{"id": i, "image_id": i, "category_id": 1, "bbox": [20, 30, 60, 70]} for i in (1, 2, 3)]
    result = check(tiny_data, tmp_path, {"images": images, "annotations": entries, "categories": []})
    found = errors(result)
    assert set(found) == {"json-coco", "annotation-image"} and "import_dataset.py coco" in found["json-coco"].remedy
    assert [str(key) for key in result.splits[0].truth.rows.frame_index()[0]] == ["train_00@1s", "train_00@3s"]


def test_what_is_sure_is_repaired_and_all_else_is_kept(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    content = {**good(), "info": "é"}
    content["annotations"] += [
        {**person(5, 12, 1, bbox=(-3, 30, 60, 70)), "area": 9},
        person(6, 12, 5, bbox=(10, 10, 0, 40)),
        person(7, 11, 1, 7),
        person(8, 99, 1),
    ]
    changes = write_repaired(check(tiny_data, tmp_path / "data", content), tmp_path / "out")
    assert [str(change).split("a.json, ")[1] for change in changes] == [
        "annotation id 5: box clipped to the frame",
        "annotation id 6: left out, its box has no area",
        "annotation id 7: the action 1 left out, an earlier row says the same",
    ]
    repaired = json.loads((tmp_path / "out/a.json").read_text())
    assert repaired["info"] == "é" and repaired["annotations"][:4] == content["annotations"][:4]
    assert repaired["annotations"][4:] == [
        {**content["annotations"][4], "bbox": [0, 30, 57, 70]},
        {**content["annotations"][6], "action_ids": [7]},
        content["annotations"][7],
    ]


def test_what_cannot_be_read_is_dropped_on_request(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    content = good()
    content["images"].append({**image(14, 7), "width": 0})
    content["annotations"] += [person(5, 14, 1), person(6, 12, 1, bbox=(1, 2, 3)), person(7, 12, 77, 1)]
    result = check(tiny_data, tmp_path / "data", content)
    changes = write_repaired(result, tmp_path / "out", ["bad-rows", "unknown-ids"])
    assert len(changes) == 4
    kept = json.loads((tmp_path / "out/a.json").read_text())
    assert kept["images"] == good()["images"]
    assert kept["annotations"] == [*good()["annotations"], {**person(7, 12, 1)}]
    assert errors(examine([str(tmp_path / "out/val.yaml")], CheckOptions(is_quick=True))) == {}


def test_fractions_become_pixels_of_their_images(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    content = good()
    for entry in content["annotations"]:
        left, top, width, height = entry["bbox"]
        entry["bbox"] = [left / 192, top / 128, width / 192, height / 128]
    result = check(tiny_data, tmp_path / "data", content)
    assert "all 4 boxes lie within 0..1" in errors(result)["box-fractions"].text
    changes = write_repaired(result, tmp_path / "out")
    assert len(changes) == 4 and changes[0].text == "fractions to pixels of 192 x 128"
    repaired = json.loads((tmp_path / "out/a.json").read_text())["annotations"]
    for entry, expected in zip(repaired, good()["annotations"], strict=True):
        assert entry["bbox"] == pytest.approx(expected["bbox"], abs=1e-3)


def test_boxes_of_a_detector_are_checked_and_repaired_too(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    box = {"image_id": 11, "category_id": 1, "bbox": [20, 30, 60, 70], "score": 0.9}
    boxes = [box, {**box, "image_id": 5}, {**box, "category_id": 3}, {**box, "bbox": [150, 30, 45, 70]}]
    boxes += [{**box, "score": "high"}, {**box, "bbox": None}]
    result = check(tiny_data, tmp_path / "data", good(), boxes)
    found = errors(result)
    assert (found["annotation-score"].places, found["annotation-bbox"].places) == (("box 5",), ("box 6",))
    (others,) = [finding for finding in result.findings if finding.code == "boxes-other"]
    assert others.level == "info" and "out of 4" in others.problem
    (change,) = write_repaired(result, tmp_path / "out")
    assert str(change).endswith("b.json, box 4: box clipped to the frame")
    assert json.loads((tmp_path / "out/b.json").read_text())[3]["bbox"] == [150, 30, 42, 70]


@pytest.mark.parametrize(
    ("content", "problem"), [([], '"images" and "annotations"'), ({"images": []}, '"images" and "annotations"')]
)
def test_a_file_of_another_shape_is_refused(
    tiny_data: SyntheticFiles, tmp_path: Path, content: Any, problem: str
) -> None:
    assert problem in errors(check(tiny_data, tmp_path, content))["json-unusable"].text


def test_ann_file_is_checked_and_repaired_beside_a_csv(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    content = good()
    content["annotations"].append(person(5, 12, 1, bbox=(-3, 30, 60, 70)))
    check(tiny_data, tmp_path / "data", content)
    with (tmp_path / "data/val.yaml").open("a") as file:
        file.write(f"csv_gt_file: {tiny_data.root / 'train.csv'}\n")
    result = examine([str(tmp_path / "data/val.yaml")], CheckOptions(is_quick=False, workers=1))
    assert any(finding.code == "box-outside" and finding.file.endswith("a.json") for finding in result.findings)
    (change,) = write_repaired(result, tmp_path / "out")
    assert change.file.endswith("a.json") and change.place == "annotation id 5"


VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 7, 11, 99, 0.5, 1e300, "", "a", "11", [], [1], [1, "x"], [1.5], {}, 2**60),
    *([1, 2, 3], [1, 2, 3, 4], [-4, -4, 300, 10], [0, 0, 0.5, 0.5], [1, 2, 3, None], ["1", "2", "3", "4"], "1234"),
)
FIELDS = ("id", "image_id", "bbox", "action_ids", "person_id", "score", "movie", "timestamp", "width", "height")


@settings(max_examples=100, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from(["images", "annotations"]),
            st.integers(0, 2),
            st.sampled_from([*FIELDS, "", "drop"]),
            st.sampled_from(VALUES),
        ),
        max_size=3,
    )
)
def test_what_training_refuses_is_an_error_of_the_doctor(
    edits: list[tuple[str, int, str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = good()
    for part, position, name, value in edits:
        entry = content[part][position]
        if name == "":
            content[part][position] = value
        elif name == "drop" and isinstance(entry, dict):
            entry.pop(FIELDS[position], None)
        elif isinstance(entry, dict):
            entry[name] = copy.deepcopy(value)
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(content))
    try:
        load_annotations(str(path))
        refused = ""
    except DataError as error:
        refused = str(error)
    findings = Findings()
    table = read_rows(str(path), "person_id", findings)
    if table is not None:
        check_boxes(table, findings)
    found = [finding.text for finding in findings.sorted() if finding.level == "error"]
    assert not refused or found, refused
