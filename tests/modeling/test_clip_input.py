from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from alphaction.modeling.clip_input import ClipNormalizer
from alphaction.structures.clip import Media

MEAN, STD = (122.7717, 115.9465, 102.9801), (57.375, 57.375, 57.375)


def media_of(clips: list[Tensor], slow: list[list[int]], fast: list[list[int]]) -> Media:
    """Returns a batch of clips [T, H, W, 3], padded at the right and at the bottom with 255."""
    height, width = (max(clip.shape[axis] for clip in clips) for axis in (1, 2))
    frames = torch.full((len(clips), len(clips[0]), height, width, 3), 255, dtype=torch.uint8)
    for row, clip in zip(frames, clips, strict=True):
        row[:, : clip.shape[1], : clip.shape[2]] = clip
    sizes = torch.tensor([clip.shape[1:3] for clip in clips])
    return Media(frames, torch.tensor(slow), torch.tensor(fast), sizes)


def random_clip(frames: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (frames, height, width, 3), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(("to_bgr", "name"), [(False, "tf_normalize"), (True, "tf_normalize_bgr")])
def test_it_equals_the_golden_numbers(golden_dir: Path, to_bgr: bool, name: str) -> None:
    ops = np.load(golden_dir / "ops.npz")
    media = media_of([torch.from_numpy(ops["tf_clip_in"])], [[0]], [[0, 1, 2]])
    slow, fast = ClipNormalizer(mean=MEAN, std=STD, to_bgr=to_bgr)(media)
    expected = torch.from_numpy(ops[name])[None]
    torch.testing.assert_close(fast, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(slow, expected[:, :, :1], rtol=0, atol=1e-6)


def test_it_equals_normalising_each_clip_and_padding_it_with_zeros() -> None:
    clips = [random_clip(4, 6, 9), random_clip(4, 8, 5)]
    slow_index, fast_index = [[0, 2], [1, 3]], [[0, 1, 2, 3], [3, 3, 1, 0]]
    std = (57.375, 40.0, 61.5)
    slow, fast = ClipNormalizer(mean=MEAN, std=std)(media_of(clips, slow_index, fast_index))
    for found, index in ((slow, slow_index), (fast, fast_index)):
        for row, clip, frames in zip(found, clips, index, strict=True):
            expected = torch.zeros_like(row)
            height, width = clip.shape[1:3]
            normalised = (clip[frames].float() - torch.tensor(MEAN)) / torch.tensor(std)
            expected[:, :, :height, :width] = normalised.permute(3, 0, 1, 2)
            torch.testing.assert_close(row, expected, rtol=0, atol=1e-6)


def test_no_clip_gives_empty_pathways() -> None:
    empty = torch.zeros(0, 1, dtype=torch.int64)
    media = Media(torch.zeros(0, 3, 8, 8, 3, dtype=torch.uint8), empty, empty, torch.zeros(0, 2, dtype=torch.int64))
    slow, fast = ClipNormalizer(mean=MEAN, std=STD)(media)
    assert slow.shape == fast.shape == (0, 3, 1, 8, 8)


def test_a_pathway_without_a_frame_is_empty() -> None:
    media = media_of([random_clip(2, 4, 4)], [[0]], [[0, 1]])
    media = Media(media.frames, torch.zeros(1, 0, dtype=torch.int64), media.fast_index, media.valid_size)
    assert ClipNormalizer(mean=MEAN, std=STD)(media)[0].shape == (1, 3, 0, 4, 4)
