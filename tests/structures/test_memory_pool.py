"""The long-term feature memory in one process."""

import math

import pytest
import torch
from memories import DIM, expected_window, keys_of, persons, random_memory, small_pool, values_at

from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool
from alphaction.utils.errors import DataError

A905, B905 = ClipKey("a", 905_000), ClipKey("b", 905_000)


@pytest.mark.parametrize("rate", [1, 2, 3])
@pytest.mark.parametrize("before, after", [(0, 0), (2, 3), (40, 0), (30, 30)])
def test_a_window_holds_what_a_look_up_of_each_second_finds(before, after, rate):
    pool, keys, expected = random_memory(seed=before + rate)
    wanted = [*keys[:20], keys[3]]
    window = pool.fetch(wanted, before=before, after=after, rate=rate)
    features, losses = expected_window(expected, wanted, before, after, rate)
    assert window.shape == (21, before + after + 1, 3)
    assert torch.equal(window.padded("cpu"), features)
    found = torch.zeros(losses.numel())
    found[window.position] = window.loss
    assert torch.equal(found.view_as(losses), losses)
    assert (window.position.diff() > 0).all()


def test_a_window_may_be_around_a_second_without_key_frame():
    pool = small_pool()
    pool.write(keys_of("a", [909]), persons(7), [1])
    window = pool.fetch(keys_of("a", [915]), before=6, after=1, rate=1)
    assert window.features[:, 0].tolist() == [7]
    assert window.position.tolist() == [0]


def test_another_movie_is_never_remembered():
    pool = small_pool()
    pool.write(keys_of("a", range(900, 910)), persons(*range(10)), [2] * 10)
    assert len(pool.fetch([B905], before=2000, after=2000, rate=1).features) == 0
    assert len(pool.fetch([A905], before=2000, after=2000, rate=1).features) == 20


def test_the_own_second_is_in_the_window():
    pool = small_pool()
    pool.write([A905], persons(3), [1])
    assert pool.fetch([A905], before=4, after=2, rate=1).position.tolist() == [4 * 2]


def test_a_factor_scales_each_person():
    pool = small_pool()
    pool.write(keys_of("a", [904, 905]), persons(3, 5), [1, 2], loss=0.5)
    window = pool.fetch([A905], before=1, after=0, rate=1)
    padded = window.padded("cpu", torch.float64, factor=torch.tensor([2.0, 1.0, 0.5]))
    assert padded.dtype == torch.float64 and padded.shape == (1, 4, DIM)
    assert padded[0, :, 0].tolist() == [6, 0, 5, 2.5]
    assert window.loss.tolist() == [0.5] * 3


def test_an_empty_memory_gives_zeros():
    window = small_pool().fetch([A905, B905], before=1, after=1, rate=1)
    assert window.features.shape == (0, DIM)
    assert torch.equal(window.padded("cpu"), torch.zeros(2, 6, DIM))


def test_no_clips_are_no_problem():
    pool = small_pool()
    pool.write([], torch.zeros(0, 0, DIM), [])
    pool.write_together([], torch.zeros(0, 2, DIM), [])
    assert pool.fetch([], before=1, after=1, rate=1).padded("cpu").shape == (0, 6, DIM)
    nothing = MemoryPool.create([], max_per_second=2, dim=DIM)
    assert nothing.num_filled == 0


def test_a_later_write_replaces_all_persons():
    pool = small_pool()
    pool.write([A905], persons(3), [2], loss=1.0)
    pool.write([A905], persons(4), [1], loss=2.0)
    assert values_at(pool, A905) == [4]
    assert pool.fetch([A905], before=0, after=0, rate=1).loss.tolist() == [2]
    pool.write([A905], persons(4), [0])
    assert values_at(pool, A905) == [] and pool.num_filled == 0


def test_of_a_key_frame_twice_in_a_batch_the_first_is_kept():
    pool = small_pool()
    pool.write([A905, B905, A905], persons(1, 2, 3), [1, 1, 2])
    assert (values_at(pool, A905), values_at(pool, B905)) == ([1], [2])
    pool.write_together([A905, B905, A905], persons(4, 5, 6), [1, 1, 2])
    assert (values_at(pool, A905), values_at(pool, B905)) == ([4], [5])


def test_a_key_frame_given_twice_has_one_slot():
    pool = MemoryPool.create([A905, A905, B905], max_per_second=1, dim=DIM)
    assert pool.nbytes < 4 * (DIM * 2 + 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_beyond_half_precision_are_clamped(dtype):
    pool = small_pool()
    features = torch.zeros(1, 2, DIM, dtype=dtype)
    features[0, 0, :4] = torch.tensor([math.inf, -math.inf, 65504.0, 1.5], dtype=dtype)
    pool.write([A905], features, [1])
    written = pool.fetch([A905], before=0, after=0, rate=1).features[0]
    assert written.tolist() == [65504, -65504, 65504, 1.5, 0, 0]
    assert features[0, 0, 0] == math.inf


def test_features_are_detached_and_their_loss_is_unknown_unless_given():
    pool = small_pool()
    pool.write([A905], persons(1).requires_grad_() * 2, [1])
    window = pool.fetch([A905], before=0, after=0, rate=1)
    assert not window.features.requires_grad and window.loss.isnan().all()


def test_fetches_share_one_buffer():
    pool = small_pool()
    pool.write([A905, B905], persons(1, 2), [1, 1])
    first = pool.fetch([A905], before=5, after=5, rate=1)
    again = pool.fetch([B905], before=5, after=5, rate=1)
    assert first.features.data_ptr() == again.features.data_ptr()
    larger = pool.fetch([A905, B905] * 20, before=5, after=5, rate=1)
    assert larger.features[:, 0].tolist() == [1, 2] * 20


def test_the_size_is_that_of_full_slots():
    pool = MemoryPool.create(keys_of("a", range(99)), max_per_second=5, dim=2304)
    assert pool.nbytes == 100 * (5 * 2304 * 2 + 4 + 1 + 1)


def test_key_frames_between_seconds_are_explained():
    with pytest.raises(DataError, match=r"a@902\.5s is not at a whole second.*counts whole seconds"):
        MemoryPool.create([A905, ClipKey("a", 902_500)], max_per_second=2, dim=DIM)


@pytest.mark.parametrize("key", [ClipKey("a", 950_000), ClipKey("c", 905_000)])
def test_a_key_frame_that_is_not_in_the_memory_cannot_be_written(key):
    pool = small_pool()
    with pytest.raises(ValueError, match=r"a@950s is no key frame|movie 'c' is not in the memory"):
        pool.write([A905, key], persons(1, 2), [1, 1])
    assert pool.num_filled == 0


@pytest.mark.parametrize(
    "features, counts",
    [
        (torch.zeros(1, 2, DIM), [1, 1]),
        (torch.zeros(2, 2, DIM), [1, 1]),
        (torch.zeros(1, 2, DIM + 1), [1]),
        (torch.zeros(1, 3, DIM), [3]),
        (torch.zeros(1, 1, DIM), [2]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(features, counts):
    with pytest.raises(ValueError, match="do not fit 1 key frames with up to 2 persons of 6 channels"):
        small_pool().write([A905], features, counts)


def test_more_rows_than_the_memory_has_are_fine_when_they_are_empty():
    pool = small_pool()
    pool.write([A905, B905], persons(1, 2, rows=4), [2, 1])
    assert (values_at(pool, A905), values_at(pool, B905)) == ([1, 1], [2])


@pytest.mark.parametrize("words", [{"before": -1, "after": 0, "rate": 1}, {"before": 0, "after": 0, "rate": 0}])
def test_windows_that_make_no_sense_are_refused(words):
    with pytest.raises(ValueError, match="must"):
        small_pool().fetch([A905], **words)


def test_a_second_has_room_for_one_to_255_persons():
    for number in (0, 256):
        with pytest.raises(ValueError, match=f"max_per_second is {number}"):
            small_pool(max_per_second=number)
