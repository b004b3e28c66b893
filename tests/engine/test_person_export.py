import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_videos import write_text, write_video

import alphaction.dataset.importers  # noqa: F401  (fills the table of formats)
from alphaction.dataset.importers.run import ImportPlan, import_dataset
from alphaction.engine import person_run
from alphaction.engine.person_boxes import VideoBoxes
from alphaction.engine.person_export import Actions, choose_actions, prefill, track_video, write_export
from alphaction.engine.person_flags import parse_person_flags
from alphaction.engine.person_run import run_detection
from alphaction.structures.ava_csv import load_ground_truth_csv, load_person_boxes_csv
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError, UserError

SECONDS = np.arange(0, 11.9, 0.2)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "videos" / "street.mp4", 120, rate=10)


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """One person walks to the right, 0.03 of the width a second, another stands."""
    rows = []
    for second in SECONDS:
        left = 0.1 + 0.03 * second
        rows.append(f"street,{second:.1f},{left:.5f},0.2,{left + 0.1:.5f},0.8,,0.9")
        rows.append(f"street,{second:.1f},0.7,0.3,0.8,0.9,,0.8")
    return write_text(tmp_path / "boxes.csv", *rows)


def export(kind, video, boxes, out, *more):
    words = ["--videos", str(video.parent), "--detector", f"file:{boxes}", "--out", str(out), "--export", kind]
    lines: list[str] = []
    run_detection(parse_person_flags([*words, "--device", "cpu", *more]), lines.append)
    return lines


def tick_cvat(file: Path) -> None:
    """Does what a person does in CVAT: the first track walks, the second stands."""
    head, first, second = file.read_text().split("<track ")
    first = first.replace('name="walk">false', 'name="walk">true')
    second = second.replace('name="stand">false', 'name="stand">true')
    file.write_text("<track ".join([head, first, second]))


def pick_via3(file: Path) -> None:
    content = json.loads(file.read_text())
    for entry in content["metadata"].values():
        entry["av"]["2"] = {"1": "1", "2": "0"}[entry["av"]["1"]]
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "file", "correct"), [("cvat", "street.xml", tick_cvat), ("via3", "street.json", pick_via3)]
)
def test_what_a_person_has_picked_comes_back_as_a_data_set(kind, file, correct, video, boxes, tmp_path) -> None:
    lines = export(kind, video, boxes, tmp_path / "labels", "--actions", "stand,walk")
    assert lines[-1].endswith(f"{file}: 2 persons")
    correct(tmp_path / "labels" / file)
    import_dataset(
        ImportPlan(kind, (tmp_path / "labels" / file,), video.parent, tmp_path / "set", val_share=0.4, gap_seconds=1.0)
    )
    names = {}
    for block in (tmp_path / "set/labels.pbtxt").read_text().split("item")[1:]:
        name, number = block.split('"')[1], int(block.split("id:")[1].split()[0])
        names[number] = name
    rows = [load_ground_truth_csv(tmp_path / "set" / f"{side}.csv") for side in ("train", "val")]
    found = {}
    for part in rows:
        for time, action, box in zip(part.timestamp_ms.tolist(), part.action.tolist(), part.xyxy, strict=True):
            found[time // 1000, names[action]] = box
    assert set(found) == {(second, action) for second in range(12) for action in ("walk", "stand")}
    for second in range(12):
        left = 0.1 + 0.03 * second
        assert found[second, "walk"].tolist() == pytest.approx([left, 0.2, left + 0.1, 0.8], abs=0.002)
        assert found[second, "stand"].tolist() == pytest.approx([0.7, 0.3, 0.8, 0.9], abs=0.002)


def test_cvat_gets_the_labels_to_paste(video, boxes, tmp_path) -> None:
    export("cvat", video, boxes, tmp_path / "labels", "--actions", "stand,walk", "--exclusive")
    (label,) = json.loads((tmp_path / "labels/cvat_labels.json").read_text())
    assert label["attributes"][0]["values"][1:] == ["stand", "walk"]


def tracked() -> tuple[VideoBoxes, list[PersonTrack]]:
    boxes = VideoBoxes("street", Path("street.mp4"), (64, 48), 10.0, 60, (), ())
    seconds = np.arange(0.4, 3.1, 0.2)
    box = np.tile([0.25, 0.25, 0.5, 0.75], (len(seconds), 1))
    return boxes, [PersonTrack.without_actions("street", 1, seconds, box)]


def test_a_model_fills_in_the_actions_of_the_nearest_second(tmp_path) -> None:
    labels = LabelMap((1, 2, 3), ("stand", "walk", "talk"), ClassGroups(pose=(0, 1), object=(2,)))
    asked = []

    def predict(video, csv):
        rows = load_person_boxes_csv(csv)
        asked.append((video.name, rows.timestamp_ms.tolist(), rows.xyxy[0].tolist(), rows.score.tolist()))
        xyxy = torch.tensor([[40.0, 0.0, 60.0, 20.0], [16.0, 12.0, 32.0, 36.0]])  # another person, and ours
        by_second = {1: [0.2, 0.3, 0.9], 2: [0.6, 0.3, 0.1], 3: [0.6, 0.3, 0.7]}
        return [
            ClipPrediction(
                ClipKey("street", t * 1000), Boxes(xyxy, (64, 48), scores=torch.tensor([[0.1, 0.9, 0.9], s]))
            )
            for t, s in by_second.items()
        ]

    boxes, tracks = tracked()
    (filled,) = prefill(tracks, boxes, predict, labels, tmp_path, 0.5)
    assert asked == [("street.mp4", [1000, 2000, 3000], [0.25, 0.25, 0.5, 0.75], [1.0, 1.0, 1.0])]
    expected = [("walk", "talk")] * 6 + [("stand",)] * 5 + [("stand", "talk")] * 3
    assert list(zip(filled.seconds.round(1).tolist(), filled.actions, strict=True))[5] == (1.4, ("walk", "talk"))
    assert list(filled.actions) == expected
    assert list(tmp_path.iterdir()) == []


def test_a_track_the_model_says_nothing_of_stays_empty(tmp_path) -> None:
    boxes, tracks = tracked()
    (filled,) = prefill(tracks, boxes, lambda video, csv: [], LabelMap.ava(), tmp_path, 0.5)
    assert set(filled.actions) == {()}


def test_a_video_the_model_cannot_predict_on_is_named_and_counts_as_not_done(video, boxes, tmp_path, monkeypatch):
    class FailingPredictor:
        labels = LabelMap((1, 2), ("stand", "walk"), ClassGroups(object=(0, 1)))

        def predict(self, video, csv):
            raise DataError(f"{video.name} has no frames")

    opened = Actions(("stand", "walk")), FailingPredictor()
    monkeypatch.setattr(person_run, "_open_actions", lambda typed, process: opened)
    words = ["--videos", str(video.parent), "--detector", f"file:{boxes}", "--out", str(tmp_path), "--export", "cvat"]
    lines: list[str] = []
    assert run_detection(parse_person_flags([*words, "--device", "cpu"]), lines.append) == 1
    assert lines[-2:] == ["No actions are filled in for 1 video:", "  street: street.mp4 has no frames"]
    assert (tmp_path / "street.xml").is_file()


def test_one_posture_is_chosen_and_any_number_of_other_actions() -> None:
    labels = LabelMap((1, 2, 3, 4), ("lie", "sit", "read", "talk"), ClassGroups(pose=(0, 1), object=(2,), person=(3,)))
    assert choose_actions(np.array([0.1, 0.2, 0.4, 0.6]), labels, 0.5) == ("sit", "talk")
    assert choose_actions(np.array([0.9, 0.2, 0.5, 0.6]), labels, 0.5) == ("lie", "read", "talk")


def test_a_video_without_persons_is_exported_empty(tmp_path) -> None:
    boxes, _ = tracked()
    assert track_video(boxes, 0.4) == []
    file = write_export("via3", tmp_path, boxes, [], Actions(("walk",)))
    assert json.loads(file.read_text())["metadata"] == {}


@pytest.mark.parametrize("kind", ["cvat", "via3"])
def test_a_file_that_somebody_has_worked_on_is_not_written_over(kind: str, video: Path, boxes: Path, tmp_path: Path):
    file = tmp_path / "label" / f"street{'.xml' if kind == 'cvat' else '.json'}"
    words = (kind, video, boxes, tmp_path / "label", "--actions", "walk,stand")
    export(*words)
    export(*words)  # its own files are
    (tick_cvat if kind == "cvat" else pick_via3)(file)
    labelled = file.read_bytes()
    with pytest.raises(UserError, match=r"may hold somebody's labels.* --out"):
        export(*words)
    assert file.read_bytes() == labelled
