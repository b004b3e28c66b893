import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from alphaction.layers.roi_pool_3d import ROIAlign3d, ROIPool3d
from alphaction.structures.boxes import Boxes

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"
OPS = np.load(GOLDEN / "ops.npz")
randn = runpy.run_path(str(GOLDEN / "golden_weights.py"))["randn"]
SCALE = 1 / 16
POOLERS = {
    "roi_align_sr0": ROIAlign3d(resolution=7, spatial_scale=SCALE, sampling_ratio=0),
    "roi_align_sr2": ROIAlign3d(resolution=7, spatial_scale=SCALE, sampling_ratio=2),
    "roi_pool": ROIPool3d(resolution=7, spatial_scale=SCALE),
}


def golden_boxes() -> tuple[list[Boxes], torch.Tensor]:
    """Returns the boxes of each clip, and the golden row of each of them in that order."""
    rois = torch.from_numpy(OPS["roi_rois"])
    rows = [(rois[:, 0] == clip).nonzero()[:, 0] for clip in range(2)]
    return [Boxes(rois[index, 1:], (208, 144)) for index in rows], torch.cat(rows)


@pytest.mark.parametrize("name", POOLERS)
def test_output_and_gradient_equal_the_golden_numbers(name: str) -> None:
    features = torch.from_numpy(OPS["roi_input"]).requires_grad_()
    boxes, rows = golden_boxes()
    pooled = POOLERS[name](features, boxes)
    torch.testing.assert_close(pooled, torch.from_numpy(OPS[f"{name}_out"])[rows], rtol=1e-5, atol=1e-5)
    pooled.backward(torch.from_numpy(randn("ops/roi/grad", (8, 6, 3, 7, 7)))[rows])
    torch.testing.assert_close(features.grad, torch.from_numpy(OPS[f"{name}_gradin"]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", POOLERS)
def test_clips_without_a_box_are_passed_over(name: str) -> None:
    features = torch.from_numpy(OPS["roi_input"])
    one = Boxes(torch.tensor([[16.0, 16.0, 96.0, 112.0]]), (208, 144))
    pooled = POOLERS[name](features, [Boxes.empty((208, 144)), one])
    assert torch.equal(pooled, POOLERS[name](features[1:], [one]))


@pytest.mark.parametrize("name", POOLERS)
def test_no_box_at_all_gives_no_row_and_zero_gradients(name: str) -> None:
    features = torch.from_numpy(OPS["roi_input"]).requires_grad_()
    pooled = POOLERS[name](features, [Boxes.empty((208, 144))] * 2)
    assert pooled.shape == (0, 6, 3, 7, 7)
    pooled.sum().backward()
    assert features.grad is not None and not features.grad.any()


def test_half_precision_maps_are_pooled_in_float32() -> None:
    features = torch.from_numpy(OPS["roi_input"]).bfloat16()
    boxes, _ = golden_boxes()
    align: nn.Module = POOLERS["roi_align_sr0"]
    assert torch.equal(align(features, boxes), align(features.float(), boxes))
