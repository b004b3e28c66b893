"""Pooling of boxes out of every time step of a feature map."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align, roi_pool

from alphaction.structures.boxes import Boxes


class ROIAlign3d(nn.Module):
    """Averages bilinear samples in the cells of each box, in every time step alike.

    There is no half-pixel shift and a box covers one position of the map at least, as in the first RoIAlign.

    Args:
        resolution: cells of a pooled box, per side.
        spatial_scale: size of the feature map over the size of the frame.
        sampling_ratio: samples per cell and side; 0 takes one for each position of the map the cell covers.
    """

    def __init__(self, *, resolution: int, spatial_scale: float, sampling_ratio: int = 0) -> None:
        super().__init__()
        self.resolution = resolution
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio

    def forward(self, features: Tensor, boxes: Sequence[Boxes]) -> Tensor:
        """Returns [R, C, T, resolution, resolution]: all boxes of the first clip, then of the second, ...

        Args:
            features: [N, C, T, H, W].
            boxes: one entry a clip, each with any number of boxes, none included.
        """

        def align(folded: Tensor, rois: Tensor) -> Tensor:
            return roi_align(folded, rois, self.resolution, self.spatial_scale, self.sampling_ratio, aligned=False)

        return _pool_each_time_step(align, features, boxes)


class ROIPool3d(nn.Module):
    """Takes the maximum in the cells of each box, in every time step alike.

    Args:
        resolution: cells of a pooled box, per side.
        spatial_scale: size of the feature map over the size of the frame.
    """

    def __init__(self, *, resolution: int, spatial_scale: float) -> None:
        super().__init__()
        self.resolution = resolution
        self.spatial_scale = spatial_scale

    def forward(self, features: Tensor, boxes: Sequence[Boxes]) -> Tensor:
        """Returns [R, C, T, resolution, resolution]; see :meth:`ROIAlign3d.forward`."""

        def pool(folded: Tensor, rois: Tensor) -> Tensor:
            return roi_pool(folded, rois, self.resolution, self.spatial_scale)

        return _pool_each_time_step(pool, features, boxes)


def _pool_each_time_step(pool: Callable[[Tensor, Tensor], Tensor], features: Tensor, boxes: Sequence[Boxes]) -> Tensor:
    # A box is the same in all time steps, so that time can travel as channels. Coordinates need float32.
    precise = torch.promote_types(features.dtype, torch.float32)
    folded = features.flatten(1, 2).to(precise)  # [N, C * T, H, W]
    rois = _with_clip_index(boxes, folded)
    return pool(folded, rois).unflatten(1, features.shape[1:3])


def _with_clip_index(boxes: Sequence[Boxes], like: Tensor) -> Tensor:
    """Returns [R, 5]: the position of the clip, then x1, y1, x2, y2."""
    rows = [
        torch.cat([entry.xyxy.new_full((len(entry.xyxy), 1), clip), entry.xyxy], dim=1)
        for clip, entry in enumerate(boxes)
    ]
    return torch.cat(rows).to(like) if rows else like.new_zeros(0, 5)
