"""From the uint8 frames of a batch to the float clips of both pathways, on whatever device the frames are."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alphaction.structures.clip import Media


class ClipNormalizer:
    """Normalises frames and splits them into pathways.

    Args:
        mean: of each channel on the 0..255 scale, in the order the network sees the channels.
        std: of each channel, likewise.
        to_bgr: True gives the network BGR, False RGB.
    """

    def __init__(self, *, mean: Sequence[float], std: Sequence[float], to_bgr: bool = False) -> None:
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.to_bgr = to_bgr

    def __call__(self, media: Media) -> tuple[Tensor, Tensor]:
        """Returns the slow and the fast clip, [N, 3, T, H, W] float32 each, 0 outside of ``media.valid_size``.

        Args:
            media: of a batch.
        """
        inside = _inside(media)
        return self._clip(media.frames, media.slow_index, inside), self._clip(media.frames, media.fast_index, inside)

    def _clip(self, frames: Tensor, index: Tensor, inside: Tensor) -> Tensor:
        num_clips, num_frames, height, width, num_channels = frames.shape
        first = torch.arange(num_clips, device=index.device)[:, None] * num_frames
        taken = frames.flatten(0, 1).index_select(0, (first + index).flatten())  # [N * T, H, W, 3]
        taken = taken.view(num_clips, index.shape[1], height, width, num_channels)
        clip = torch.empty(
            (num_clips, num_channels, index.shape[1], height, width),
            dtype=torch.float32,
            device=frames.device,
        )
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            source = num_channels - 1 - channel if self.to_bgr else channel
            # The factor is 0 outside, which costs no pass of its own.
            clip[:, channel].copy_(taken[..., source]).sub_(mean).mul_(inside / std)
        return clip


def _inside(media: Media) -> Tensor:
    """Returns [N, 1, H, W]: 1.0 where a clip has video, 0.0 where it is padded."""
    height, width = media.frames.shape[2:4]
    rows = torch.arange(height, device=media.frames.device) < media.valid_size[:, :1]  # [N, H]
    columns = torch.arange(width, device=media.frames.device) < media.valid_size[:, 1:]
    return (rows[:, None, :, None] & columns[:, None, None, :]).float()
