import math
from itertools import chain, islice

import numpy as np
import pytest

from alphaction.dataset.samplers import TestBatchSampler, TrainBatchSampler
from alphaction.utils.errors import UserError

GROUPS = np.random.default_rng(0).random(37) < 0.3


def make(**changes):
    arguments = {"num_clips": 37, "clips_per_batch": 6, "seed": 3, "groups": GROUPS, "num_iterations": 21}
    return TrainBatchSampler(**(arguments | changes))


def indices(batches):
    return [[draw.index for draw in batch] for batch in batches]


@pytest.mark.parametrize("num_clips", [1, 5, 6, 7, 12, 37])
def test_an_epoch_is_the_clips_divided_by_the_batch_rounded_up_and_has_them_all(num_clips):
    sampler = make(num_clips=num_clips, groups=GROUPS[:num_clips])
    batches = sampler.global_batches(0)
    assert batches.shape == (math.ceil(num_clips / 6), 6) and sampler.iterations_per_epoch == len(batches)
    assert set(batches.ravel().tolist()) == set(range(num_clips))
    if num_clips >= 6:
        assert (np.bincount(batches.ravel()) <= 2).all()


def test_batches_hold_one_orientation_except_the_left_over_ones():
    mixed = [len(set(GROUPS[batch])) > 1 for batch in make().global_batches(4)]
    assert sum(mixed) <= 2 and not any(mixed[:-2])


def test_full_batches_come_in_the_order_of_the_permutation():
    sampler = make(groups=None)
    order = np.random.default_rng([3, 2]).permutation(37)
    flat = sampler.global_batches(2).ravel()
    assert flat.tolist() == [*order.tolist(), *order[:5].tolist()]  # the last batch is filled from the beginning


@pytest.mark.parametrize("start", [1, 6, 7, 8, 20])
def test_a_resumed_run_draws_what_the_uninterrupted_one_draws(start):
    assert list(make(start_iter=start)) == list(make())[start:]


def test_epochs_are_drawn_anew_and_seeds_differ():
    first, second = make().global_batches(0), make().global_batches(1)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, make(seed=4).global_batches(0))
    draws = [draw for batch in make() for draw in batch]
    assert {(draw.seed, draw.epoch) for draw in draws} == {(3, 0), (3, 1), (3, 2)}


@pytest.mark.parametrize("world_size", [2, 3, 6])
def test_processes_share_each_global_batch(world_size):
    shares = [list(make(rank=rank, world_size=world_size)) for rank in range(world_size)]
    joined = [list(chain(*parts)) for parts in zip(*map(indices, shares), strict=True)]
    assert joined == indices(make())
    assert {len(batch) for share in shares for batch in share} == {6 // world_size}


def test_without_an_end_it_goes_on():
    sampler = make(num_iterations=None)
    assert len(list(islice(sampler, 50))) == 50
    with pytest.raises(TypeError, match="never ends"):
        len(sampler)
    assert len(make(start_iter=5)) == 16


def test_a_batch_that_cannot_be_shared_is_an_error():
    with pytest.raises(UserError, match="VIDEOS_PER_BATCH 6 cannot be shared evenly by 4 processes"):
        make(world_size=4)


def test_more_processes_than_clips_is_an_error():
    with pytest.raises(UserError, match="40 processes cannot share 37 clips"):
        make(world_size=40, clips_per_batch=40)
    with pytest.raises(UserError, match="3 processes cannot share 2 clips"):
        TestBatchSampler(size_groups=[1, 1], clips_per_batch=1, world_size=3)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_evaluation_gives_every_clip_to_one_process_in_order(world_size):
    sizes = [(256, 341)] * 7 + [(256, 455)] * 3 + [(341, 256)] * 5
    seen = []
    for rank in range(world_size):
        sampler = TestBatchSampler(size_groups=sizes, clips_per_batch=2, rank=rank, world_size=world_size)
        batches = list(sampler)
        assert len(sampler) == len(batches)
        assert all(len({sizes[index] for index in batch}) == 1 and len(batch) <= 2 for batch in batches)
        assert list(chain(*batches)) == list(range(rank, 15, world_size))
        seen += list(chain(*batches))
    assert sorted(seen) == list(range(15))
