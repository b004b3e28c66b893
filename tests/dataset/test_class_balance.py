"""Sampling by class: hand-worked shares, and what the sampler makes of them."""

from itertools import chain

import numpy as np
import pytest
from made_videos import open_ava, small_cfg, write_text, write_video

from alphaction.dataset.build import concat_datasets, make_data_loader
from alphaction.dataset.class_balance import clip_shares
from alphaction.dataset.samplers import TrainBatchSampler
from alphaction.utils.errors import ConfigError

# Ten clips: all show class 0, one class 1, two class 2; class 3 has no clip.
PRESENCE = np.zeros((10, 4), bool)
PRESENCE[:, 0] = True
PRESENCE[0, 1] = PRESENCE[1:3, 2] = True


def make(shares, **changes):
    arguments = {"num_clips": 10, "clips_per_batch": 4, "seed": 3, "shares": shares, "num_iterations": 30}
    return TrainBatchSampler(**(arguments | changes))


def test_repeat_factors_follow_by_hand():
    # f = 1, 0.1 and 0.2: sqrt(0.4 / 0.1) = 2, sqrt(0.4 / 0.2) = 1.414; never below 1.
    assert clip_shares("repeat_factor", 0.4, PRESENCE) == pytest.approx([2, 2**0.5, 2**0.5, *[1] * 7])
    assert clip_shares("repeat_factor", 0.05, PRESENCE) == pytest.approx(np.ones(10))


def test_class_balanced_shares_follow_by_hand():
    # One draw in three for each class that has clips.
    assert clip_shares("class_balanced", 0.0, PRESENCE) == pytest.approx([1.1, 0.6, 0.6, *[0.1] * 7])


def test_without_labels_there_is_nothing_to_balance():
    with pytest.raises(ConfigError, match='SAMPLING "class_balanced" needs labelled clips'):
        clip_shares("class_balanced", 0.0, np.zeros((3, 2), bool))


def test_clips_are_drawn_in_proportion_to_their_shares():
    shares = clip_shares("repeat_factor", 0.4, PRESENCE)
    counts = [np.bincount(make(shares)._order(np.random.default_rng([3, epoch])), minlength=10) for epoch in range(600)]
    expected = shares * 10 / shares.sum()
    assert np.mean(counts, axis=0) == pytest.approx(expected, abs=0.06)
    assert all(np.abs(count - expected).max() < 1 and count.sum() == 10 for count in counts)


def test_an_epoch_keeps_its_length():
    sampler = make(clip_shares("class_balanced", 0.0, PRESENCE))
    assert sampler.iterations_per_epoch == 3 and sampler.global_batches(0).shape == (3, 4)


@pytest.mark.parametrize("start", [1, 3, 7])
def test_a_resumed_run_draws_what_the_uninterrupted_one_draws(start):
    shares = clip_shares("class_balanced", 0.0, PRESENCE)
    assert list(make(shares, start_iter=start)) == list(make(shares))[start:]


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_each_global_batch(world_size):
    shares = clip_shares("class_balanced", 0.0, PRESENCE)
    parts = [list(make(shares, rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert [list(chain(*batch)) for batch in zip(*parts, strict=True)] == list(make(shares))


def test_a_clip_that_comes_again_in_an_epoch_takes_other_chances():
    draws = [draw for batch in make(clip_shares("class_balanced", 0.0, PRESENCE), num_iterations=3) for draw in batch]
    rare = [draw for draw in draws if draw.index == 0]
    assert len(rare) > 2 and len(set(draws)) == len(draws)
    assert sorted(draw.epoch for draw in rare) == [repeat * 2**32 for repeat in range(len(rare))]


def test_shares_of_one_show_every_clip_once():
    order = make(np.ones(10))._order(np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(10))


def test_clips_of_one_orientation_still_come_together():
    shares = clip_shares("class_balanced", 0.0, PRESENCE)
    groups = np.arange(10) < 5
    sampler = make(shares, groups=groups)
    mixed = [len(set(groups[batch])) > 1 for batch in sampler.global_batches(2)]
    assert not any(mixed[:-2])


@pytest.fixture
def sets(tmp_path):
    """Two data sets: nine clips of persons who stand, then one of two persons of which one also walks."""
    write_text(tmp_path / "labels.txt", "walk", "stand")
    found = []
    for name, rows in {
        "common": [f"common,{second},0.1,0.1,0.4,0.9,2,0" for second in range(1, 10)],
        "rare": ["rare,1,0.1,0.1,0.4,0.9,2,0", "rare,1,0.1,0.1,0.4,0.9,1,0", "rare,1,0.5,0.1,0.9,0.9,2,1"],
    }.items():
        write_video(tmp_path / f"{name}.mp4", 250)
        write_text(tmp_path / f"{name}.csv", *rows)
        files = {"csv_gt_file": tmp_path / f"{name}.csv", "label_file": tmp_path / "labels.txt"}
        found.append(open_ava(True, video_root=tmp_path, **files))
    return found


def test_labels_are_counted_by_clip_and_class(sets):
    assert sets[1].label_counts().tolist() == [[1, 2]]
    assert concat_datasets(sets).label_counts().tolist() == [[0, 1]] * 9 + [[1, 2]]


def test_labels_are_counted_beyond_a_byte_of_columns(tmp_path):
    write_text(tmp_path / "labels.txt", *(f"action {i}" for i in range(20)))
    write_text(tmp_path / "set.csv", *(f"film,1,0.1,0.1,0.4,0.9,{class_id},0" for class_id in (1, 8, 9, 20)))
    write_video(tmp_path / "film.mp4", 50)
    dataset = open_ava(True, video_root=tmp_path, csv_gt_file=tmp_path / "set.csv", label_file=tmp_path / "labels.txt")
    assert np.flatnonzero(dataset.label_counts()[0]).tolist() == [0, 7, 8, 19]


@pytest.mark.parametrize(("sampling", "least"), [("uniform", 1), ("class_balanced", 5), ("repeat_factor", 2)])
def test_the_loader_draws_as_the_config_says(sets, sampling, least):
    cfg = small_cfg("DATALOADER.SAMPLING", sampling, "DATALOADER.REPEAT_THRESHOLD", 0.9)
    loader = make_data_loader(concat_datasets(sets), cfg, is_train=True, seed=0, num_iterations=5)
    keys = [key.video for batch in loader for key in batch.keys]
    assert len(keys) == 10 and least <= keys.count("rare") <= least + 1


def test_clips_that_are_never_drawn_are_told(tmp_path, caplog):
    write_text(tmp_path / "labels.txt", "act", "other")
    write_text(tmp_path / "set.csv", "film,1,0.1,0.1,0.4,0.9,1,0", "film,2,0.1,0.1,0.4,0.9,2,0")
    write_video(tmp_path / "film.mp4", 75)
    files = {"video_root": tmp_path, "csv_gt_file": tmp_path / "set.csv", "label_file": tmp_path / "labels.txt"}
    dataset = open_ava(True, **files, keep_classes=[1])
    for sampling, is_told in (("uniform", False), ("class_balanced", True)):
        caplog.clear()
        cfg = small_cfg("DATALOADER.SAMPLING", sampling)
        make_data_loader(dataset, cfg, is_train=True, seed=0, num_iterations=2)
        assert ('"class_balanced" never draws 1 of the 2 clips' in caplog.text) == is_told


@pytest.mark.parametrize(("threshold", "is_told"), [(0.01, True), (0.9, False)])
def test_a_threshold_that_changes_nothing_is_told(sets, caplog, threshold, is_told):
    cfg = small_cfg("DATALOADER.SAMPLING", "repeat_factor", "DATALOADER.REPEAT_THRESHOLD", threshold)
    make_data_loader(concat_datasets(sets), cfg, is_train=True, seed=0, num_iterations=5)
    assert ('"repeat_factor" has no effect: the rarest class is in 0.1 of the clips' in caplog.text) == is_told
