import pickle

import torch

from alphaction.dataset.collate import ClipCollator, collate_clips
from alphaction.structures.clip import ClipKey, ClipSample, Media, SkippedClip


def sample(name, num_frames, height, width, skipped=()):
    frames = torch.full((num_frames, height, width, 3), 7, dtype=torch.uint8)
    index = torch.arange(2)
    return ClipSample(ClipKey(name, 0), Media(frames, index[:1], index, torch.tensor([height, width])), name, skipped)


def test_frames_are_padded_to_the_largest_and_to_a_multiple():
    batch = ClipCollator(16)([sample("a", 3, 20, 30), sample("b", 2, 33, 16)])
    assert batch.media.frames.shape == (2, 3, 48, 32, 3) and batch.media.frames.dtype == torch.uint8
    assert batch.media.valid_size.tolist() == [[20, 30], [33, 16]]
    assert batch.media.slow_index.shape == (2, 1) and batch.media.fast_index.shape == (2, 2)
    assert int((batch.media.frames == 7).sum()) == 3 * (3 * 20 * 30 + 2 * 33 * 16)
    assert int((batch.media.frames[1, :2, :33, :16] == 7).sum()) == 3 * 2 * 33 * 16
    assert batch.keys == (ClipKey("a", 0), ClipKey("b", 0)) and batch.targets == ("a", "b")


def test_divisibility_zero_pads_to_the_largest_only():
    assert collate_clips([sample("a", 1, 20, 30), sample("b", 1, 33, 16)]).media.frames.shape == (2, 1, 33, 30, 3)


def test_skipped_clips_are_listed_in_test_and_in_training():
    bad, worse = SkippedClip(ClipKey("x", 0), "broken"), SkippedClip(ClipKey("y", 0), "broken")
    batch = collate_clips([bad, sample("a", 1, 4, 4, skipped=(worse,))])
    assert len(batch) == 1 and batch.skipped == (bad, worse)


def test_a_batch_of_skipped_clips_only_is_empty():
    batch = collate_clips([SkippedClip(ClipKey("x", 0), "broken")])
    assert len(batch) == 0 and batch.media.frames.shape[0] == 0 and len(batch.skipped) == 1
    assert len(batch.to("cpu")) == 0


def test_the_collator_crosses_processes():
    assert pickle.loads(pickle.dumps(ClipCollator(16))) == ClipCollator(16)
