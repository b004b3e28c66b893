"""Joins samples to a batch: frames are padded to one size, everything else stays a list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alphaction.structures.clip import ClipBatch, ClipSample, Media, SkippedClip


@dataclass(frozen=True, slots=True)
class ClipCollator:
    """Collates samples; a plain object, so that worker processes can be given it.

    Attributes:
        size_divisibility: height and width become a multiple of this; 0 = the largest of the batch.
    """

    size_divisibility: int = 0

    def __call__(self, samples: Sequence[ClipSample | SkippedClip]) -> ClipBatch:
        return collate_clips(samples, self.size_divisibility)


def collate_clips(samples: Sequence[ClipSample | SkippedClip], size_divisibility: int = 0) -> ClipBatch:
    """Returns the batch of the readable samples, N of them; N is 0 when all were skipped.

    Frames stand at the top left of [N, T, H, W, 3], zeros fill the rest; T is the largest number of distinct
    frames of a sample, the pathways' indices never point beyond a sample's own.
    """
    clips = [sample for sample in samples if isinstance(sample, ClipSample)]
    skipped = [sample for sample in samples if isinstance(sample, SkippedClip)]
    skipped += [entry for clip in clips for entry in clip.skipped]
    return ClipBatch(
        keys=tuple(clip.key for clip in clips),
        media=_join([clip.media for clip in clips], size_divisibility),
        targets=tuple(clip.target for clip in clips),
        skipped=tuple(skipped),
    )


def _join(media: Sequence[Media], size_divisibility: int) -> Media:
    if not media:
        none = torch.zeros(0, 0, dtype=torch.int64)
        return Media(torch.zeros(0, 0, 0, 0, 3, dtype=torch.uint8), none, none, none.reshape(0, 2))
    shapes = torch.tensor([entry.frames.shape[:3] for entry in media])
    num_frames, height, width = shapes.amax(dim=0).tolist()
    if size_divisibility > 0:
        height, width = (-(-extent // size_divisibility) * size_divisibility for extent in (height, width))
    frames = torch.zeros(len(media), num_frames, height, width, 3, dtype=torch.uint8)
    for entry, target in zip(media, frames, strict=True):
        t, h, w = entry.frames.shape[:3]
        target[:t, :h, :w] = entry.frames
    return Media(
        frames=frames,
        slow_index=_stack(entry.slow_index for entry in media),
        fast_index=_stack(entry.fast_index for entry in media),
        valid_size=_stack(entry.valid_size for entry in media),
    )


def _stack(tensors: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(tensors))
