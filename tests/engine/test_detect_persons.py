import json
from pathlib import Path

import numpy as np
import pytest
from made_videos import frame_number, write_text, write_video

from alphaction.dataset.annotations import load_annotations, load_boxes_json
from alphaction.detection.base import Detections
from alphaction.detection.file_boxes import FileBoxes
from alphaction.engine.detect_persons import Look, detect_persons
from alphaction.engine.person_files import ALPHACTION_JSON, AVA_CSV, BoxFiles, write_boxes
from alphaction.engine.person_truth import compare_with_truth
from alphaction.engine.person_videos import list_videos, open_one
from alphaction.structures.ava_csv import load_person_boxes_csv
from alphaction.utils.errors import DataError, UserError


class GreyDetector:
    """Finds a person whose left edge is the number of the frame, and a dog; stops where it is told to."""

    def __init__(self, stop_at=None) -> None:
        self.batches: list[list[str]] = []
        self._stop_at = stop_at

    def detect(self, images, keys):
        if self._stop_at in [key.video for key in keys]:
            raise KeyboardInterrupt
        self.batches.append([str(key) for key in keys])
        return [self.one(frame_number(image)) for image in images]

    def one(self, number):
        boxes = np.array([[number, 0, number + 4, 8], [0, 0, 9, 9], [1, 1, 3, 3]], np.float32)
        return Detections(boxes, np.array([0.9, 0.8, 0.1], np.float32), np.array([1, 18, 1], np.int64))

    def describe(self):
        return "grey"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos of 25 and 30 frames at 10 a second, 64 x 48."""
    for name, num in (("one.mp4", 25), ("two.mkv", 30)):
        write_video(tmp_path / "videos" / name, num, rate=10)
    return tmp_path / "videos"


def run(folder, keep, detector, **look):
    return detect_persons(list_videos([folder]), detector, Look(**{"batch": 2, **look}), keep)


def test_every_second_of_every_video_is_looked_at_in_batches(folder, tmp_path) -> None:
    detector = GreyDetector()
    found = run(folder, tmp_path / "keep", detector)
    assert [video.times_ms for video in found.videos] == [(0, 1000, 2000)] * 2
    lefts = [boxes.xyxy[0, 0] for video in found.videos for boxes in video.found]
    assert lefts == [0, 10, 20] * 2
    assert detector.batches == [["one@0s", "one@1s"], ["one@2s"], ["two@0s", "two@1s"], ["two@2s"]]


def test_only_persons_are_kept_unless_objects_are_asked_for(folder, tmp_path) -> None:
    persons = run(folder, tmp_path / "keep", GreyDetector()).videos[0]
    everything = run(folder, tmp_path / "keep", GreyDetector(), with_objects=True).videos[0]
    assert persons.found[0].categories.tolist() == [1, 1]
    assert everything.found[0].categories.tolist() == [1, 18, 1]


def test_a_killed_run_goes_on_with_the_next_video(folder, tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "keep", GreyDetector(stop_at="two"))
    second = GreyDetector()
    found = run(folder, tmp_path / "keep", second)
    assert {key.split("@")[0] for batch in second.batches for key in batch} == {"two"}
    assert found.num_kept == 1 and [video.video for video in found.videos] == ["one", "two"]
    whole = run(folder, tmp_path / "other", GreyDetector())
    for resumed, expected in zip(found.videos, whole.videos, strict=True):
        for left, right in zip(resumed.found, expected.found, strict=True):
            assert np.array_equal(left.xyxy, right.xyxy) and np.array_equal(left.scores, right.scores)


def test_boxes_of_other_settings_or_of_another_file_are_not_used(folder, tmp_path) -> None:
    run(folder, tmp_path / "keep", GreyDetector())
    assert run(folder, tmp_path / "keep", GreyDetector(), every=0.5).num_kept == 0
    assert run(folder, tmp_path / "keep", GreyDetector(), every=0.5).num_kept == 2
    write_video(folder / "one.mp4", 25, rate=10, first_grey=40)
    assert run(folder, tmp_path / "keep", GreyDetector(), every=0.5).num_kept == 1


def test_a_damaged_file_of_kept_boxes_is_made_anew(folder, tmp_path) -> None:
    run(folder, tmp_path / "keep", GreyDetector())
    (tmp_path / "keep/one.json").write_text('{"settings": ')
    assert run(folder, tmp_path / "keep", GreyDetector()).num_kept == 1


def test_videos_that_cannot_be_read_are_skipped_and_named(folder, tmp_path) -> None:
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "broken.avi").write_bytes(b"no video" * 100)
    found = run(folder, tmp_path / "keep", GreyDetector())
    assert [video.video for video in found.videos] == ["one", "two"]
    assert set(found.skipped) == {"empty", "broken"} and "0 bytes" in found.skipped["empty"]


def test_nothing_to_read_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match="There is no video in"):
        list_videos([write_text(tmp_path / "note.txt", "none").parent])
    (tmp_path / "deep").mkdir()
    write_text(tmp_path / "deep/videos.mp4", "none")
    with pytest.raises(DataError, match=r"give its folder .*deep"):
        list_videos([tmp_path])
    write_text(tmp_path / "videos.mp4", "none")
    with pytest.raises(DataError, match="The video cannot be used"):
        detect_persons(list_videos([tmp_path]), GreyDetector(), Look(), tmp_path / "keep")


def test_two_videos_of_one_name_are_refused(folder) -> None:
    write_video(folder / "sub" / "one.mp4", 3, rate=10)
    with pytest.raises(DataError, match='both the video "one"'):
        list_videos([folder, folder / "sub"])


def test_one_second_clips_are_read_at_their_first_frames(tmp_path) -> None:
    for second in (7, 8):
        write_video(tmp_path / "videos" / "movie" / f"{second}.mp4", 10, rate=10, first_grey=4 * second)
    found = run(tmp_path / "videos", tmp_path / "keep", GreyDetector())
    assert found.videos[0].video == "movie" and found.videos[0].times_ms == (7000, 8000)
    assert [boxes.xyxy[0, 0] for boxes in found.videos[0].found] == [7, 8]
    assert "whole seconds only" in run_skipped(tmp_path, every=0.5)


def run_skipped(tmp_path, **look):
    write_video(tmp_path / "videos" / "other.mp4", 10, rate=10)
    return run(tmp_path / "videos", tmp_path / "keep", GreyDetector(), **look).skipped["movie"]


def test_times_of_a_file_of_boxes_are_those_of_the_file(folder, tmp_path) -> None:
    csv = write_text(tmp_path / "boxes.csv", "one,1.5,0.5,0.5,1.0,1.0,,0.7")
    found = run(folder, tmp_path / "keep", FileBoxes.from_csv(csv))
    assert found.videos[0].times_ms == (1500,) and "no box of the video" in found.skipped["two"]
    assert found.videos[0].found[0].xyxy.tolist() == [[32, 24, 64, 48]]


def test_the_csv_holds_good_persons_and_lists_times_without_one(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector(), with_objects=True)
    files = BoxFiles.at(tmp_path / "boxes.csv", AVA_CSV)
    written = write_boxes(found.videos, AVA_CSV, files, 0.5, None)
    rows = load_person_boxes_csv(files.boxes)
    assert len(rows) == 6 and rows.score.tolist() == pytest.approx([0.9] * 6)
    assert rows.xyxy[1].tolist() == pytest.approx([10 / 64, 0, 14 / 64, 8 / 48], abs=1e-5)
    assert [path.name for path in written] == ["boxes.csv", "boxes_objects.json", "boxes_images.json"]
    write_boxes(found.videos, AVA_CSV, files, 0.95, None)
    assert len(load_person_boxes_csv(files.boxes).frames_without_boxes) == 6


def test_json_boxes_refer_to_the_images_beside_them(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector(), with_objects=True)
    files = BoxFiles.at(tmp_path / "out", ALPHACTION_JSON)
    write_boxes(found.videos, ALPHACTION_JSON, files, 0.5, None)
    images = load_annotations(str(files.images)).images
    rows, left_out = load_boxes_json(str(files.boxes), images, 1)
    assert (len(rows), left_out) == (6, 0) and rows.timestamp_ms.tolist() == [0, 1000, 2000] * 2
    assert rows.xyxy[4].tolist() == pytest.approx([10 / 64, 0, 14 / 64, 8 / 48])
    objects = json.loads(files.objects.read_text())
    assert [entry["category_id"] for entry in objects] == [18] * 6 and objects[0]["bbox"] == [0, 0, 9, 9]


def test_json_boxes_take_the_image_ids_of_an_annotation_file(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector())
    image = {"id": 10001, "movie": "two", "timestamp": 1, "width": 64, "height": 48}
    ids = write_text(tmp_path / "ann.json", json.dumps({"images": [image], "annotations": []}))
    files = BoxFiles.at(tmp_path / "out.json", ALPHACTION_JSON)
    assert write_boxes(found.videos, ALPHACTION_JSON, files, 0.5, ids) == [files.boxes]
    assert [entry["image_id"] for entry in json.loads(files.boxes.read_text())] == [10001]


def test_a_file_name_of_the_other_format_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"does not end in \.csv"):
        BoxFiles.at(tmp_path / "boxes.json", AVA_CSV)


def test_a_person_of_two_actions_is_one_person_of_the_truth(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector())
    box = f"{10 / 64:.5f},0,{14 / 64:.5f},{8 / 48:.5f}"
    truth = write_text(
        tmp_path / "gt.csv", f"one,1,{box},1,0", f"one,1,{box},2,0", "one,2,0,0,1,1,1,0", "other,1,0,0,1,1,1,0"
    )
    scores = compare_with_truth(truth, found.videos, 0.5)
    assert (scores.num_frames, scores.num_persons) == (2, 2)
    assert (scores.recall, scores.precision) == (0.5, 0.5)


def test_tracks_of_the_mot_challenge_are_a_truth(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector())
    rows = ["1,1,0,0,4,8,1,-1,-1,-1", "11,1,10,0,4,8,0,-1,-1,-1", "12,1,0,0,4,8,1,-1,-1,-1"]
    truth = write_text(tmp_path / "one.txt", *rows)
    scores = compare_with_truth(truth, found.videos, 0.5)
    # Frame 11 is second 1: its person is not to be judged, nor is the box on it. Second 2 lies behind the last row.
    assert (scores.num_frames, scores.num_persons, scores.num_boxes, scores.recall) == (2, 1, 1, 1.0)


def test_tracks_of_the_video_at_another_size_are_no_truth(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector())
    truth = write_text(tmp_path / "one.txt", "1,1,300,200,40,80,1,-1,-1,-1", "12,1,0,0,4,8,1,-1,-1,-1")
    with pytest.raises(DataError, match=r"1 of 2 boxes lie outside of the frames of one, .* reach to 340, 280"):
        compare_with_truth(truth, found.videos, 0.5)


def test_a_truth_of_other_videos_is_refused(folder, tmp_path) -> None:
    found = run(folder, tmp_path / "keep", GreyDetector())
    truth = write_text(tmp_path / "gt.csv", "three,1,0,0,1,1,1,0")
    with pytest.raises(DataError, match="speaks of no key frame that was looked at"):
        compare_with_truth(truth, found.videos, 0.5)


def test_key_times_reach_up_to_the_end(folder) -> None:
    video = open_one("one", folder / "one.mp4")
    assert video.num_frames == 25
    assert video.key_times_ms(0.5) == [0, 500, 1000, 1500, 2000]
    assert len(open_one("two", folder / "two.mkv").key_times_ms(1.0)) == 3
