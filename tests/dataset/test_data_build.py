"""The loader as the engine uses it: workers, processes and resumed runs change nothing."""

import pytest
import torch
from made_videos import open_ava, small_cfg, write_text, write_video

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.build import build_dataset, concat_datasets, load_labels, make_data_loader
from alphaction.dataset.transforms.video import RandomFlip
from alphaction.structures.clip import Draw
from alphaction.utils.errors import DataError, UserError

JITTER = ["INPUT.COLOR_JITTER", True, "INPUT.SLOW_JITTER", True]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    write_video(root / "wide.mp4", 100)
    write_video(root / "tall.mp4", 100, size=(48, 64))
    write_video(root / "other.mp4", 50)
    write_text(root / "labels.txt", "walk", "stand")
    rows = [f"{name},{time},0.1,0.1,0.9,0.9,1,0" for name in ("wide", "tall") for time in (1, 2, 3)]
    write_text(root / "one.csv", *rows, "wide,1.5,0.1,0.1,0.9,0.9,2,0")
    write_text(root / "two.csv", "other,1,0.1,0.1,0.9,0.9,1,0")
    write_text(
        root / "set.yaml", "dataset: AVAVideoDataset", "video_root: .", "csv_gt_file: one.csv", "label_file: labels.txt"
    )
    return root


def open_set(root, name, is_train=True, cfg=None, **changes):
    arguments = {"video_root": root, "csv_gt_file": root / name, "label_file": root / "labels.txt"}
    return open_ava(is_train, cfg, **(arguments | changes))


def batches(dataset, cfg, **arguments):
    arguments = {"is_train": True, "seed": 5, "num_iterations": 8} | arguments
    return list(make_data_loader(dataset, cfg, **arguments))


def same(one, two):
    return (
        one.keys == two.keys
        and torch.equal(one.media.frames, two.media.frames)
        and all(torch.equal(a.persons.xyxy, b.persons.xyxy) for a, b in zip(one.targets, two.targets, strict=True))
    )


def test_a_dataset_yaml_names_class_and_files(root):
    dataset = build_dataset(small_cfg(), str(root / "set.yaml"), is_train=True)
    assert len(dataset) == 7 and dataset.evaluator == "ava"
    assert load_labels(DatasetCatalog.get(str(root / "set.yaml"))) == dataset.labels


def test_an_unknown_dataset_class_names_the_nearest(root):
    write_text(root / "bad.yaml", "dataset: AVAVideoDatset", "video_root: .", "csv_gt_file: one.csv")
    with pytest.raises(ValueError, match='did you mean "AVAVideoDataset"'):
        build_dataset(small_cfg(), str(root / "bad.yaml"), is_train=True)


def test_workers_change_no_batch(root):
    cfg = small_cfg(*JITTER)
    dataset = open_set(root, "one.csv", cfg=cfg)
    alone = batches(dataset, cfg)
    cfg.DATALOADER.NUM_WORKERS = 2
    assert all(same(one, two) for one, two in zip(alone, batches(dataset, cfg), strict=True))


def test_a_resumed_loader_gives_the_batches_of_the_uninterrupted_one(root):
    cfg = small_cfg(*JITTER)
    dataset = open_set(root, "one.csv", cfg=cfg)
    whole = batches(dataset, cfg)
    assert len(whole) == 8
    assert all(same(one, two) for one, two in zip(whole[5:], batches(dataset, cfg, start_iter=5), strict=True))


def test_two_processes_get_the_clips_of_one(root):
    cfg = small_cfg(*JITTER)
    dataset = open_set(root, "one.csv", cfg=cfg)
    whole = [batch.keys for batch in batches(dataset, cfg)]
    shares = [[batch.keys for batch in batches(dataset, cfg, rank=rank, world_size=2)] for rank in (0, 1)]
    assert [a + b for a, b in zip(*shares, strict=True)] == whole


def test_every_epoch_sees_every_clip_in_batches_of_one_orientation(root):
    cfg = small_cfg("SOLVER.VIDEOS_PER_BATCH", 3)
    epoch = batches(open_set(root, "one.csv", cfg=cfg), cfg, num_iterations=3)
    assert len({key for batch in epoch for key in batch.keys}) == 7
    assert len({key.video for key in epoch[0].keys}) == len({key.video for key in epoch[1].keys}) == 1


def test_evaluation_batches_are_not_padded_for_a_neighbour(root):
    cfg = small_cfg("DATALOADER.SIZE_DIVISIBILITY", 0, "TEST.VIDEOS_PER_BATCH", 4)
    loaded = batches(open_set(root, "one.csv", is_train=False, cfg=cfg), cfg, is_train=False)
    assert [tuple(batch.media.frames.shape[2:4]) for batch in loaded] == [(32, 42), (42, 32)]
    assert [len(batch) for batch in loaded] == [4, 3]


def test_the_batch_of_an_evaluation_is_divided_by_the_processes(root):
    cfg = small_cfg("TEST.VIDEOS_PER_BATCH", 4)
    dataset = open_set(root, "one.csv", is_train=False, cfg=cfg)
    shares = [batches(dataset, cfg, is_train=False, rank=rank, world_size=2) for rank in (0, 1)]
    assert max(len(batch) for share in shares for batch in share) == 2
    found = [key for share in shares for batch in share for key in batch.keys]
    assert sorted(found) == sorted(dataset.key(index) for index in range(7))


def test_training_sets_are_joined(root):
    one, two = open_set(root, "one.csv"), open_set(root, "two.csv")
    joined = concat_datasets([one, two])
    assert len(joined) == 8 and joined.labels == one.labels and concat_datasets([one]) is one
    assert joined.key(7) == two.key(0) and joined.key(3) == one.key(3)
    assert joined.size_group(7) == two.size_group(0)
    assert torch.equal(joined[Draw(1, 2, 7)].media.frames, two[Draw(1, 2, 0)].media.frames)
    with pytest.raises(IndexError):
        joined[8]


def test_training_sets_of_other_classes_or_with_the_same_clips_do_not_join(root):
    one = open_set(root, "one.csv")
    with pytest.raises(DataError, match=r"set 2 has the classes \[1\], the first has \[1, 2\]"):
        concat_datasets([one, open_set(root, "two.csv", keep_classes=[1])])
    with pytest.raises(DataError, match=r"7 clips are in more than one of DATASETS\.TRAIN, such as wide@1s"):
        concat_datasets([one, one])


def test_a_batch_that_processes_cannot_share_is_an_error(root):
    with pytest.raises(UserError, match="cannot be shared evenly by 3 processes"):
        batches(open_set(root, "one.csv"), small_cfg(), world_size=3)


def test_mirrored_clips_have_mirrored_boxes(root):
    cfg = small_cfg("INPUT.FLIP_PROB", 1.0)
    plain = open_set(root, "two.csv", cfg=small_cfg("INPUT.FLIP_PROB", 0.0))[0]
    mirrored = open_set(root, "two.csv", cfg=cfg)[0]
    assert any(isinstance(step, RandomFlip) for step in open_set(root, "two.csv", cfg=cfg).transforms.steps)
    torch.testing.assert_close(mirrored.media.frames, plain.media.frames.flip(2))
    torch.testing.assert_close(mirrored.target.persons.xyxy, plain.target.persons.flip().xyxy)
