"""The other forms of data sets: JSON annotations, folders of one-second clips, folders without a data set file."""

import json
import shutil
from pathlib import Path

import pytest

from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.finding import Finding

GOLDEN = Path(__file__).parents[2] / "fixtures/golden/data_files"
ANNOTATIONS = "annotations/ava_val_v2.2_min.json"


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Movies cut to seconds, with the original's JSON annotations and AVA's CSV."""
    shutil.copytree(GOLDEN, tmp_path / "data")
    lines = ["video_root: data/clips/trainval", f"ann_file: data/{ANNOTATIONS}"]
    lines += ["box_file: data/boxes/ava_val_det_person_bbox.json", "csv_gt_file: data/annotations/ava_val_v2.2.csv"]
    (tmp_path / "val.yaml").write_text("\n".join(lines) + "\n")
    return tmp_path


def check(*names: Path, is_quick: bool = False) -> Examination:
    return examine([str(name) for name in names], CheckOptions(is_quick=is_quick, workers=1))


def only(result: Examination, code: str) -> Finding:
    (found,) = [finding for finding in result.findings if finding.code == code]
    return found


def test_the_files_of_the_original_have_no_error(clips: Path) -> None:
    result = check(clips / "val.yaml")
    assert result.count("error") == 0
    assert only(result, "boxes-recall").text.count("157 of 181 labels") == 1
    assert result.facts["movB"].info.width == 640


def test_an_empty_clip_is_named(clips: Path) -> None:
    (clips / "data/clips/trainval/movB/4.mp4").write_bytes(b"")
    found = only(check(clips / "val.yaml"), "clip-empty")
    assert found.file.endswith("movB") and "4.mp4 is empty" in found.text and found.places == ("second 4",)


def test_key_frames_without_a_clip_are_named(clips: Path) -> None:
    for second in (17, 18, 19):
        (clips / f"data/clips/trainval/movC/{second}.mp4").unlink()
    table = clips / "data/annotations/ava_val_v2.2.csv"
    table.write_text("movC,0018,0.1,0.1,0.5,0.5,1,1\n" + table.read_text())
    found = only(check(clips / "val.yaml", is_quick=True), "time-outside")
    assert "row 1" in found.text and "clips of the seconds 0 to 16" in found.text


def test_sizes_of_the_annotations_that_the_videos_do_not_have_are_named(clips: Path) -> None:
    path = clips / "data" / ANNOTATIONS
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["width"] *= 2
    path.write_text(json.dumps(content))
    found = only_texts(check(clips / "val.yaml"), "video-size")
    assert len(found) == 3 and "images of movB are 1280 x 360, its frames are 640 x 360" in "".join(found)


def test_a_wrong_image_id_is_named_with_its_annotation(clips: Path) -> None:
    path = clips / "data" / ANNOTATIONS
    content = json.loads(path.read_text())
    content["annotations"][3]["image_id"] = 99999
    path.write_text(json.dumps(content))
    found = only(check(clips / "val.yaml"), "annotation-image")
    assert f"annotation id {content['annotations'][3]['id']}" in found.text and "99999" in found.text


def test_a_folder_without_data_set_file_is_told_apart_by_names(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    for path in folder.glob("*.yaml"):
        path.unlink()
    result = check(folder)
    train, val = (split.source for split in result.splits)
    assert (train.role, Path(train.files.csv_gt_file).name) == ("train", "train.csv")
    assert (Path(train.files.exclusion_file).name, train.files.box_file) == ("train_excluded.csv", "")
    assert (val.role, Path(val.files.box_file).name) == ("test", "val_boxes.csv")
    assert {Path(val.files.video_root).name, Path(val.files.label_file).name} == {"videos", "labels.pbtxt"}
    assert result.count("error") == 0 and "without a data set file" in only_texts(result, "folder-guess")[0]


def only_texts(result: Examination, code: str) -> list[str]:
    return [finding.text for finding in result.findings if finding.code == code]


def test_roles_of_files_whose_names_do_not_say(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    for old, new in ((tiny_data.train_yaml, "one.yaml"), (tiny_data.val_yaml, "two.yaml")):
        text = old.read_text()
        for name in ("videos", "train", "val", "labels"):
            text = text.replace(f": {name}", f": {tiny_data.root / name}")
        (tmp_path / new).write_text(text)
    roles = [split.source.role for split in check(tmp_path / "one.yaml", tmp_path / "two.yaml").splits]
    assert roles == ["train", "test"]


def test_the_threshold_of_the_data_set_goes_before_the_general_one(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    (folder / "val.yaml").write_text((folder / "val.yaml").read_text() + "box_thresh: 0.9999\n")
    found = only(check(folder, is_quick=True), "score-threshold")
    assert "no box reaches the score 0.9999" in found.text and "Lower the data set's box_thresh" in found.remedy


def test_a_typed_threshold_goes_before_that_of_the_data_set(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    (folder / "val.yaml").write_text((folder / "val.yaml").read_text() + "box_thresh: 0.1\n")
    typed = CheckOptions(BoxThreshold(0.9999, overrules=True), is_quick=True)
    found = only(examine([str(folder)], typed), "score-threshold")
    assert "no box reaches the score 0.9999" in found.text
    assert "Lower TEST.BOX_THRESH" in found.remedy and "as typed; the data set's own 0.1 does not hold" in found.remedy


def test_classes_that_are_left_out_on_purpose_are_no_mistake(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    for name in ("train.yaml", "val.yaml"):
        (folder / name).write_text((folder / name).read_text() + "keep_classes: [1, 5]\n")
    result = check(folder, is_quick=True)
    assert {finding.code for finding in result.findings} == {"boxes-recall"}


def test_halves_with_other_classes_are_named(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    (folder / "val.yaml").write_text((folder / "val.yaml").read_text() + "groups: exclusive\n")
    assert "are not those of" in only(check(folder, is_quick=True), "labels-differ").text


def test_several_exclusive_actions_of_one_person_are_named(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    for name in ("train.yaml", "val.yaml"):
        (folder / name).write_text((folder / name).read_text() + "groups: exclusive\n")
    found = [f for f in check(folder, is_quick=True).findings if f.code == "action-exclusive" and "train" in f.file]
    assert len(found) == 1 and "row 1: the person of train_00@1s has several actions" in found[0].text


def test_a_clip_that_is_missing_between_others_is_named(clips: Path) -> None:
    (clips / "data/clips/trainval/movB/6.mp4").unlink()
    found = only(check(clips / "val.yaml"), "time-outside")
    assert "movB@6s" in found.text and "lacks that second" in found.text


def test_a_key_frame_in_two_training_sets_is_named(tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    shutil.copy(folder / "train.yaml", folder / "train_more.yaml")
    found = only(check(folder, is_quick=True), "sets-share-frames")
    assert "train.csv, row 1" in found.text and "both are for training" in found.text and found.count == 6


def test_milliseconds_of_a_movie_of_clips_are_recognised(clips: Path) -> None:
    table = clips / "data/annotations/ava_val_v2.2.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    times = [f"{1000 * float(row[1]):.0f}" if row[0] == "movB" and float(row[1]) else row[1] for row in rows]
    table.write_text("".join(",".join([row[0], time, *row[2:]]) + "\n" for row, time in zip(rows, times, strict=True)))
    found = only(check(clips / "val.yaml", is_quick=True), "time-outside")
    assert "movB@" in found.text and "all its times look like milliseconds: divide them by 1000" in found.text
