"""Data sets of whole videos made here: what is read, what is left out, and what every mistake is answered with."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from made_videos import frame_number, open_ava, small_cfg, write_sound, write_text, write_video

from alphaction.structures.clip import ClipKey, ClipSample, Draw, SkippedClip
from alphaction.utils.errors import DataError

LABELS = ("walk", "stand", "turn left")
BOX = "0.25,0.25,0.75,0.75"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two movies of 4 s, one with sound beside it in the name of another; names start with - and _."""
    root = tmp_path_factory.mktemp("videos")
    write_video(root / "-abc.mp4", 100)
    write_video(root / "_x.mkv", 40, 10, size=(48, 64))
    (root / "-abc.srt").write_text("subtitles")
    return root


@pytest.fixture
def files(tmp_path, videos):
    return {
        "video_root": videos,
        "csv_gt_file": write_text(
            tmp_path / "gt.csv",
            f"-abc,0001,{BOX},1,0",
            f"-abc,0001,{BOX},3,0",
            "-abc,0001,0.0,0.0,0.5,0.5,2,1",
            f"-abc,2.5,{BOX},1,0",
            f"_x,3,{BOX},2,7",
        ),
        "label_file": write_text(tmp_path / "labels.txt", *LABELS),
    }


def keys(dataset):
    return [tuple(dataset.key(index)) for index in range(len(dataset))]


def test_a_csv_and_whole_videos_are_a_training_set(files):
    dataset = open_ava(True, small_cfg("INPUT.FLIP_PROB", 0.0), **files)
    assert keys(dataset) == [("-abc", 1000), ("-abc", 2500), ("_x", 3000)]
    sample = dataset[0]
    assert isinstance(sample, ClipSample)
    persons = sample.target.persons
    assert persons.labels.tolist() == [[1, 0, 1], [0, 1, 0]] and persons.scores is None
    # 64 x 48 becomes 42 x 32; the last pixel of a box is inside it
    expected = torch.tensor([[16, 12, 47, 35], [0, 0, 31, 23]]) * torch.tensor([42 / 64, 32 / 48] * 2)
    torch.testing.assert_close(persons.xyxy, expected)
    assert sample.target.frame_size == (64, 48) and sample.target.objects is None
    assert dataset.size_group(0) == (32, 42) == tuple(sample.media.frames.shape[1:3])
    assert dataset.size_group(2) == (42, 32) == tuple(dataset[2].media.frames.shape[1:3])


@pytest.mark.parametrize(
    ("index", "slow", "fast"),
    [
        (0, [22, 26], [21, 23, 25, 27]),  # frame i at 1 s + (i - 4) / 25 of 25 frames a second
        (1, [59, 3], [58, 0, 2, 4]),  # 2.5 s: 62.5; grey levels count to 60
        (2, [28, 30], [28, 29, 30, 30]),  # 10 frames a second, each is shown for a while
    ],
)
def test_frames_are_those_shown_at_the_times_of_the_window(files, index, slow, fast):
    media = open_ava(False, **files)[index].media
    assert [frame_number(media.frames[i].numpy()) for i in media.slow_index] == slow
    assert [frame_number(media.frames[i].numpy()) for i in media.fast_index] == fast
    assert len(media.frames) == len(set(slow) | set(fast))


def test_the_same_draw_gives_the_same_sample_and_another_epoch_another(files):
    cfg = small_cfg("INPUT.COLOR_JITTER", True, "INPUT.SLOW_JITTER", True)
    dataset = open_ava(True, cfg, **files)
    first, again, other = (dataset[Draw(1, epoch, 0)].media.frames.float().mean() for epoch in (0, 0, 5))
    assert first == again != other


def test_shuffled_frames_keep_the_clip_but_not_its_order(files):
    plain = open_ava(False, **files)[0].media
    mixed = open_ava(False, small_cfg("TEST.SHUFFLE_FRAMES", True), **files)[0].media
    seen = [frame_number(mixed.frames[i].numpy()) for i in mixed.fast_index]
    assert seen != sorted(seen) and set(seen) <= set(range(21, 29))
    assert len(mixed.fast_index) == len(plain.fast_index)


def test_without_detected_boxes_a_test_uses_the_labelled_ones_and_says_so(files, caplog):
    with caplog.at_level(logging.WARNING):
        target = open_ava(False, **files)[0].target
    assert "has no box_file" in caplog.text
    assert target.persons.labels is None and target.persons.scores.tolist() == [1.0, 1.0]


def test_detected_boxes_below_the_threshold_are_dropped_with_their_clips(files, tmp_path, caplog):
    boxes = write_text(
        tmp_path / "boxes.csv",
        f"-abc,0001,{BOX},,0.9",
        "-abc,0001,0,0,0.5,0.5,,0.8",
        "-abc,0001,0,0,0.2,0.2,,0.79",
        f"-abc,2.5,{BOX},,0.5",
        f"-abc,2,{BOX},,0.95",
        f"-abc,3,{BOX},,0.95",
        f"other,3,{BOX},,0.95",
    )
    with caplog.at_level(logging.INFO):
        dataset = open_ava(False, **files, box_file=boxes)
    assert keys(dataset) == [("-abc", 1000), ("-abc", 2000)]
    np.testing.assert_allclose(dataset[0].target.persons.scores, [0.9, 0.8])
    assert "2 person boxes outside the annotated part of their video" in caplog.text
    assert "2 person boxes of a score below TEST.BOX_THRESH 0.8, 2 key frames without a person" in caplog.text
    assert keys(open_ava(True, **files, box_file=boxes)) == [("-abc", 1000), ("-abc", 2500), ("_x", 3000)]


@pytest.mark.parametrize("is_train", [True, False])
def test_excluded_key_frames_are_left_out(files, tmp_path, is_train):
    excluded = write_text(tmp_path / "excluded.csv", "_x,0003", "-abc,2.5")
    dataset = open_ava(is_train, **files, exclusion_file=excluded)
    assert keys(dataset) == [("-abc", 1000)]
    assert dataset.excluded == {ClipKey("_x", 3000), ClipKey("-abc", 2500)}


def test_kept_classes_get_new_columns_and_the_others_are_counted(files, caplog):
    with caplog.at_level(logging.INFO):
        dataset = open_ava(True, **files, keep_classes=[2, 3])
    assert dataset.labels.ids == (2, 3)
    assert dataset[0].target.persons.labels.tolist() == [[0, 1], [1, 0]]
    assert "2 labels of classes not in keep_classes" in caplog.text


def test_persons_without_a_kept_class_stay_to_learn_its_absence_from(files, caplog):
    dataset = open_ava(True, **files, keep_classes=[2])
    assert keys(dataset) == [("-abc", 1000), ("-abc", 2500), ("_x", 3000)]
    assert [sample.target.persons.labels.tolist() for sample in dataset] == [[[0], [1]], [[0]], [[1]]]
    assert dataset.label_counts().tolist() == [[1], [0], [1]] and "say it of everybody" not in caplog.text


def test_persons_without_a_kept_exclusive_class_are_left_out(files, caplog):
    dataset = open_ava(True, **files, keep_classes=[2], groups="exclusive")
    assert keys(dataset) == [("-abc", 1000), ("_x", 3000)]
    assert '"stand" is the only exclusive class, so that everybody has it with score 1' in caplog.text


def test_a_class_that_every_person_has_is_told(files, tmp_path, caplog):
    files["csv_gt_file"] = write_text(
        tmp_path / "gt.csv", f"-abc,1,{BOX},1,0", f"-abc,2.5,{BOX},1,0", f"-abc,2.5,{BOX},2,0"
    )
    open_ava(True, **files)
    assert "all 2 persons do walk, so that a model learns to say it of everybody" in caplog.text
    caplog.clear()
    open_ava(False, **files)
    assert "say it of everybody" not in caplog.text


def test_rows_of_a_person_whose_boxes_differ_a_little_are_one_person(files, tmp_path, caplog):
    rows = ["-abc,1,0.1,0.1,0.5,0.5,1,4", "-abc,1,0.1,0.1,0.5,0.51,2,4", "-abc,1,0.6,0.6,0.9,0.9,3,4"]
    files["csv_gt_file"] = write_text(tmp_path / "gt.csv", *rows)
    with caplog.at_level(logging.WARNING):
        persons = open_ava(True, small_cfg("INPUT.FLIP_PROB", 0.0), **files)[0].target.persons
    assert persons.labels.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert "1 times one person id has two boxes apart" in caplog.text


def test_classes_that_tell_sides_warn_of_mirrored_clips(files, caplog):
    with caplog.at_level(logging.WARNING):
        open_ava(True, **files)
        open_ava(True, small_cfg("INPUT.FLIP_PROB", 0.0), **files)
    assert caplog.text.count("turn left. Set INPUT.FLIP_PROB 0") == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"-abc,1,{BOX},9,0", r"gt\.csv, row 2: class id 9 is not one of the 3 classes of .*labels\.txt"),
        (
            f"-abc,5,{BOX},1,0",
            r"gt\.csv: 1 key frames are outside their video: row 2, -abc@5s \(the video lasts 4\.00 s",
        ),
        (f"nowhere,1,{BOX},1,0", r"1 of 2 videos are not in .*: nowhere"),
    ],
)
def test_a_wrong_row_is_named_with_its_file(files, tmp_path, row, message):
    files["csv_gt_file"] = write_text(tmp_path / "gt.csv", f"-abc,1,{BOX},1,0", row)
    with pytest.raises(DataError, match=message):
        open_ava(True, **files)


def test_many_missing_videos_are_counted_and_the_first_ten_named(files, tmp_path):
    rows = [f"gone{number:02d},1,{BOX},1,0" for number in range(12)]
    files["csv_gt_file"] = write_text(tmp_path / "gt.csv", *rows)
    with pytest.raises(DataError, match=r"12 of 12 videos .*gone00, .*gone09, \.\.\.\."):
        open_ava(True, **files)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_root": "/nowhere"}, "video_root /nowhere is not a folder"),
        ({"video_root": ""}, 'Data set "made" needs video_root'),
        ({"csv_gt_file": ""}, 'Data set "made" needs ann_file'),
        ({"csv_gt_file": "/nowhere.csv"}, "/nowhere.csv"),
        ({"videoroot": "x"}, 'unknown entry "videoroot"; did you mean "video_root"'),
        ({"keep_classes": [2, 9]}, r"Class ids \[9\] are not in the label file"),
    ],
)
def test_a_wrong_entry_says_what_it_needs(files, change, message):
    with pytest.raises(DataError, match=message):
        open_ava(True, **(files | change))


def test_two_files_of_one_name_are_an_error(files, videos, tmp_path):
    root = tmp_path / "two"
    shutil.copytree(videos, root)
    shutil.copy(root / "-abc.mp4", root / "-abc.mov")
    with pytest.raises(DataError, match=r'Several files in .*two are the video "-abc": -abc\.mov, -abc\.mp4'):
        open_ava(True, **(files | {"video_root": root}))


def test_nothing_left_says_why(files, tmp_path):
    excluded = write_text(tmp_path / "excluded.csv", "_x,3", "-abc,2.5", "-abc,1")
    with pytest.raises(DataError, match=r"has no clip\. Left out: 3 excluded key frames"):
        open_ava(True, **files, exclusion_file=excluded)


@pytest.fixture
def with_bad_videos(files, videos, tmp_path):
    root = tmp_path / "some_bad"
    shutil.copytree(videos, root)
    (root / "empty.mp4").write_bytes(b"")
    (root / "noise.avi").write_bytes(np.random.default_rng(0).bytes(4000))
    write_sound(root / "sound.mp4")
    rows = [f"{name},1,{BOX},1,0" for name in ("empty", "-abc", "noise", "sound")]
    return files | {"video_root": root, "csv_gt_file": write_text(tmp_path / "bad.csv", *rows)}


def test_unreadable_videos_are_left_out_counted_and_named(with_bad_videos, caplog):
    with caplog.at_level(logging.INFO):
        dataset = open_ava(True, **with_bad_videos)
    assert keys(dataset) == [("-abc", 1000)]
    assert "3 videos cannot be read and are left out" in caplog.text
    for reason in ("empty.mp4: the file is empty", "noise.avi: corrupt", "sound.mp4: has no picture"):
        assert reason in caplog.text
    assert "3 key frames of unreadable videos" in caplog.text


def test_too_many_unreadable_videos_are_an_error(with_bad_videos):
    with pytest.raises(DataError, match=r"3 videos cannot be read, DATALOADER\.MAX_BAD_VIDEOS allows 2"):
        open_ava(True, small_cfg("DATALOADER.MAX_BAD_VIDEOS", 2), **with_bad_videos)


@pytest.fixture
def cut_clips(tmp_path, files):
    """A movie of seconds 0 .. 5; second 3 is damaged."""
    root = tmp_path / "clips"
    for second in range(6):
        write_video(root / "m" / f"{second}.mp4", 10, 10)
    (root / "m/3.mp4").write_bytes(b"damaged")
    rows = [f"m,{second},{BOX},1,0" for second in (1, 3, 5)]
    return files | {"video_root": root, "csv_gt_file": write_text(tmp_path / "clips.csv", *rows)}


def test_an_unreadable_clip_is_skipped_in_test_and_replaced_in_training(cut_clips):
    bad = ClipKey("m", 3000)
    skipped = open_ava(False, **cut_clips)[1]
    assert isinstance(skipped, SkippedClip) and skipped.key == bad and "3.mp4: corrupt" in skipped.reason
    train = open_ava(True, **cut_clips)
    sample = train[Draw(0, 0, 1)]
    assert sample.key == ClipKey("m", 5000) and [clip.key for clip in sample.skipped] == [bad]
    torch.testing.assert_close(sample.media.frames, train[Draw(0, 0, 2)].media.frames)


def test_a_clip_of_another_video_stands_in_first(cut_clips):
    write_video(cut_clips["video_root"] / "z" / "1.mp4", 10, 10)
    with Path(cut_clips["csv_gt_file"]).open("a") as file:
        file.write(f"z,1,{BOX},1,0\n")
    assert open_ava(True, **cut_clips)[Draw(0, 0, 1)].key == ClipKey("z", 1000)


def test_nothing_stands_in_when_no_clip_can_be_read(cut_clips):
    dataset = open_ava(True, **cut_clips)
    for second in range(6):
        (cut_clips["video_root"] / "m" / f"{second}.mp4").write_bytes(b"")
    assert isinstance(dataset[0], SkippedClip)


@pytest.mark.parametrize(
    ("time", "message"),
    [("7", r"m@7s \(there are clips of the seconds 0 to 5\)"), ("1.5", r"m@1\.5s \(one-second clips have key frames")],
)
def test_a_time_without_a_clip_is_an_error(cut_clips, tmp_path, time, message):
    cut_clips["csv_gt_file"] = write_text(tmp_path / "gt.csv", f"m,{time},{BOX},1,0")
    with pytest.raises(DataError, match=message):
        open_ava(True, **cut_clips)
