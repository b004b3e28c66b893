"""A whole import: what is kept, split, written and counted."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.ava_files import AvaFiles
from alphaction.dataset.importers import standard_folder
from alphaction.dataset.importers.report import format_report
from alphaction.dataset.importers.rows import RowsBuilder
from alphaction.dataset.importers.run import ImportPlan, import_dataset
from alphaction.dataset.importers.splitting import split_rows
from alphaction.structures.ava_csv import load_ground_truth_csv, load_person_boxes_csv
from alphaction.structures.clip import ClipKey
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import DataError, UserError

BOX = "0.1,0.1,0.5,0.5"
ROWS = [
    f"{video},{second},{BOX},{action},1" for video, action in (("train_00", 3), ("train_01", 5)) for second in (1, 4)
]
ROWS += [f"val_00,{second},{BOX},{action},1" for second in (1, 4) for action in (3, 5)]
LABELS = 'item {\n name: "walk"\n id: 3\n}\nitem {\n name: "talk"\n id: 5\n}\n'


@pytest.fixture
def plan(videos: Path, tmp_path: Path) -> ImportPlan:
    (tmp_path / "rows.csv").write_text("\n".join(ROWS) + "\n")
    (tmp_path / "labels.pbtxt").write_text(LABELS)
    files = (tmp_path / "rows.csv", tmp_path / "labels.pbtxt")
    return ImportPlan("ava-csv", files, videos, tmp_path / "out")


def add_rows(plan: ImportPlan, *rows: str) -> None:
    plan.files[0].write_text("\n".join([*ROWS, *rows]) + "\n")


def test_the_folder_is_a_data_set(plan: ImportPlan) -> None:
    report = import_dataset(plan)
    assert sorted(path.name for path in plan.out.iterdir()) == [
        *("import.json", "labels.pbtxt", "train.csv", "train.yaml", "val.csv", "val.yaml")
    ]
    for name in ("train", "val"):
        entry = DatasetCatalog.get(str(plan.out / f"{name}.yaml"))
        files = AvaFiles.from_arguments(entry.name, entry.arguments)
        assert files.load_labels().names == ("walk", "talk")
        assert len(load_ground_truth_csv(files.csv_gt_file)) == len(report.rows[name])
        assert (Path(files.video_root) / "val_00.mp4").is_file()


def test_every_class_is_in_both_halves_where_that_can_be(plan: ImportPlan) -> None:
    for seed in range(5):
        report = import_dataset(replace(plan, seed=seed))
        assert set(report.split.val) == {"val_00"} and set(report.rows["train"].action.tolist()) == {3, 5}


def test_what_cannot_be_used_is_counted_by_reason(plan: ImportPlan, videos: Path) -> None:
    bad_rows = {
        f"gone,1,{BOX},3,1": f"labels of videos that are not in {videos}",
        f"val_00,60,{BOX},3,1": "labels at times outside their video",
        "val_00,4,0.1,0.1,0.1,0.5,3,1": "boxes without an area inside the frame",
        "val_00,4,1.01,0.1,1.05,0.5,3,1": "boxes without an area inside the frame",
        ROWS[0]: "labels that are there twice",
    }
    add_rows(plan, *bad_rows, "train_00,2,-0.05,0.1,0.5,0.5,3,1", "train_00,5", "gone,5")
    report = import_dataset(plan)
    assert report.left_out == Counter(bad_rows.values())
    assert sum(len(rows) for rows in report.rows.values()) + report.left_out.total() == report.num_labels == 14
    assert f"Not in {videos}: gone." in report.notes
    assert "1 label with a box that was cut at the edge of the frame." in report.notes
    assert "Left out: 1 key frame without persons, in no video of the folder." in report.notes
    assert report.rows["train"].frames_without_boxes == (ClipKey("train_00", 5000),)
    text = format_report(report)
    assert "Of 14 labels 9 were written and 5 left out:" in text and "      2  boxes without an area" in text


def test_a_video_that_cannot_be_read_is_named(plan: ImportPlan, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(plan.videos, tmp_path / "videos"))
    (folder / "train_01.mp4").write_bytes(b"nothing")
    report = import_dataset(replace(plan, videos=folder, split_by="video"))
    assert report.left_out == {"labels of videos that cannot be read": 2}
    assert any(note.startswith("The video train_01 cannot be read:") for note in report.notes)


def test_nothing_left_is_an_error_that_says_why(plan: ImportPlan, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"None of 8 labels .* 8 labels of videos that are not in"):
        import_dataset(replace(plan, videos=tmp_path / "empty"))
    assert not plan.out.exists()


def test_boxes_follow_the_halves_and_the_threshold_is_written(plan: ImportPlan, tmp_path: Path) -> None:
    boxes = [f"{video},{second},{BOX},,0.4" for video in ("train_00", "val_00", "else") for second in (1, 2, 5)]
    (tmp_path / "boxes.csv").write_text("\n".join(boxes) + "\n")
    report = import_dataset(replace(plan, boxes=(tmp_path / "boxes.csv",), box_thresh=0.3))
    assert report.num_boxes == {"train": 2, "val": 2}
    assert "Left out: 5 person boxes at times of neither training nor validation." in report.notes
    assert len(load_person_boxes_csv(plan.out / "val_boxes.csv")) == 2
    assert yaml.safe_load((plan.out / "val.yaml").read_text())["box_thresh"] == 0.3
    assert report.found is not None and (report.found.num_found, report.found.num_persons) == (1, 2)


def test_json_boxes_follow_the_images_and_others_are_counted(plan: ImportPlan, tmp_path: Path) -> None:
    images = [
        {"id": i, "movie": name, "timestamp": 1, "width": 192, "height": 128}
        for i, name in enumerate(("train_00", "val_00"))
    ]
    box = {"bbox": [19, 12, 96, 64], "category_id": 1}
    entries = [{"id": i, "image_id": i, "action_ids": [1], **box} for i in (0, 1)]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": entries}))
    boxes = [{"image_id": i, "score": 0.9, **box} for i in (0, 1, 7)] + [{**box, "image_id": 1, "category_id": 3}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    given = replace(plan, format="alphaction", files=(tmp_path / "a.json",), boxes=(tmp_path / "boxes.json",))
    report = import_dataset(given)
    assert report.num_boxes == {"train": 1, "val": 1}
    assert "Left out: 2 boxes of other images or categories." in report.notes
    with pytest.raises(DataError, match="give the boxes as CSV"):
        import_dataset(replace(plan, boxes=(tmp_path / "boxes.json",)))


def test_boxes_of_other_videos_are_refused(plan: ImportPlan, tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text(f"else,1,{BOX},,0.4\n")
    with pytest.raises(DataError, match="none of the 1 boxes is at a time of a validation video"):
        import_dataset(replace(plan, boxes=(tmp_path / "boxes.csv",)))


def test_given_files_are_the_halves(plan: ImportPlan, tmp_path: Path) -> None:
    (tmp_path / "later.csv").write_text(f"train_00,5,{BOX},5,1\n")
    report = import_dataset(replace(plan, val_files=(tmp_path / "later.csv",)))
    assert report.split.by == "files" and len(report.rows["train"]) == 8 and len(report.rows["val"]) == 1
    assert "No label in val for 1 class, so that nothing is measured: walk." in format_report(report)


def test_only_a_folder_of_ours_is_written_over_and_others_files_stay(plan: ImportPlan) -> None:
    plan.out.mkdir()
    (plan.out / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty and was not written by an import"):
        import_dataset(plan)
    (plan.out / "mine.txt").unlink()
    import_dataset(plan)
    (plan.out / "mine.txt").write_text("mine")
    import_dataset(replace(plan, groups="exclusive"))
    assert (plan.out / "mine.txt").read_text() == "mine"
    assert yaml.safe_load((plan.out / "val.yaml").read_text())["groups"] == "exclusive"


def test_what_was_edited_since_the_import_is_not_written_over(plan: ImportPlan) -> None:
    import_dataset(plan)
    import_dataset(plan)
    edited = plan.out / "train.yaml"
    edited.write_text(edited.read_text() + "keep_classes: [3]\n")
    with pytest.raises(DataError, match=r"train\.yaml: edited since the import.*--overwrite"):
        import_dataset(plan)
    assert "keep_classes" in edited.read_text()
    import_dataset(replace(plan, overwrite=True))
    assert "keep_classes" not in edited.read_text()
    (plan.out / "val.csv").unlink()  # nothing of it to lose
    import_dataset(plan)


def test_boxes_that_a_second_import_does_not_have_are_said_to_be_gone(plan: ImportPlan, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(
        "".join(f"{video},{second},{BOX},,0.9\n" for video in ("train_00", "train_01", "val_00") for second in (1, 4))
    )
    import_dataset(replace(plan, boxes=(boxes,)))
    report = import_dataset(plan)
    assert any("boxes of the import before are gone" in note for note in report.notes)


def test_a_write_that_fails_leaves_the_old_folder(plan: ImportPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    import_dataset(plan)
    before = {path.name: path.read_bytes() for path in plan.out.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(standard_folder, "_write_rows", full)
    with pytest.raises(UserError, match="No space left on device"):
        import_dataset(replace(plan, groups="exclusive"))
    assert {path.name: path.read_bytes() for path in plan.out.iterdir()} == before
    assert [path for path in plan.out.parent.iterdir() if path.name.startswith(".")] == []


def test_label_types_stay_and_names_are_quotable(plan: ImportPlan) -> None:
    plan.files[1].write_text(
        "label {\n name: \"say 'hi'\"\n label_id: 3\n label_type: PERSON_INTERACTION\n}\n"
        'label {\n name: "walk"\n label_id: 5\n label_type: PERSON_MOVEMENT\n}\n'
    )
    report = import_dataset(plan)
    groups = yaml.safe_load((plan.out / "train.yaml").read_text())["groups"]
    assert groups == {"pose": [5], "person": [3]}
    assert load_label_map(plan.out / "labels.pbtxt", groups) == report.labels


def make_rows(times: dict[str, list[int]]) -> RowsBuilder:
    builder = RowsBuilder()
    for video, seconds in times.items():
        for second in seconds:
            builder.add(ClipKey(video, second * 1000), (0.1, 0.1, 0.5, 0.5), 1)
    return builder


def test_one_video_is_split_by_time_with_a_gap() -> None:
    rows = make_rows({"a": list(range(20))}).rows()
    split = split_rows(rows, None, 0.25, seed=0, gap_seconds=3.0)
    assert split.by == "time" and split.train == {"a": (0, 12000)} and split.val == {"a": (15000, 19000)}
    assert split.side("train", rows).timestamp_ms.max() == 12000
    with pytest.raises(DataError, match="too short to be split by time with a gap of 30 s"):
        split_rows(rows, "time", 0.25, seed=0, gap_seconds=30.0)


def test_a_single_key_frame_is_not_blamed_on_the_gap() -> None:
    with pytest.raises(DataError, match=r"No video has more than one key frame.* more videos") as raised:
        split_rows(make_rows({"a": [1]}).rows(), None, 0.25, seed=0, gap_seconds=3.0)
    assert "--gap" not in str(raised.value)


def test_a_split_by_video_repeats_with_its_seed() -> None:
    rows = make_rows({f"v{i}": [1, 2] for i in range(10)}).rows()
    chosen = [frozenset(split_rows(rows, "video", 0.3, seed, 3.0).val) for seed in (1, 1, 2, 3)]
    assert chosen[0] == chosen[1] and len(set(chosen)) > 1 and {len(names) for names in chosen} == {3}
    assert np.isclose(len(split_rows(rows, "video", 0.3, 1, 3.0).side("val", rows)), 6)
    with pytest.raises(DataError, match="There is one video, a; split it by time"):
        split_rows(make_rows({"a": [1]}).rows(), "video", 0.3, 0, 3.0)


def test_a_call_that_was_stopped_between_two_folders_loses_nothing(plan: ImportPlan) -> None:
    import_dataset(plan)
    (plan.out / "mine.txt").write_text("mine")
    plan.out.rename(plan.out.with_name(".out.old"))
    import_dataset(plan)
    assert (plan.out / "mine.txt").read_text() == "mine" and (plan.out / "train.csv").is_file()
    assert not plan.out.with_name(".out.old").exists()


def test_a_split_by_time_takes_the_end_that_has_more_classes() -> None:
    builder = make_rows({"a": list(range(20))})
    builder.add(ClipKey("a", 1000), (0.1, 0.1, 0.5, 0.5), 2)
    builder.add(ClipKey("a", 12000), (0.1, 0.1, 0.5, 0.5), 2)
    assert split_rows(builder.rows(), "time", 0.25, 0, 3.0).val == {"a": (0, 4000)}
