import runpy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"
OPS = np.load(GOLDEN / "ops.npz")
randn = runpy.run_path(str(GOLDEN / "golden_weights.py"))["randn"]
NAMES = ("weight", "bias", "running_mean", "running_var")


def golden_norm() -> FrozenBatchNorm3d:
    norm = FrozenBatchNorm3d(4)
    norm.load_state_dict({name: torch.from_numpy(OPS[f"fbn_{name}"]) for name in NAMES})
    return norm


def test_output_equals_the_golden_numbers() -> None:
    x = torch.from_numpy(randn("ops/fbn/x", (2, 4, 2, 3, 3)))
    torch.testing.assert_close(golden_norm()(x), torch.from_numpy(OPS["fbn_out"]), rtol=1e-5, atol=1e-6)


def test_it_equals_batch_norm_in_eval_mode_and_so_does_its_gradient() -> None:
    frozen, live = golden_norm(), nn.BatchNorm3d(4).eval()
    live.load_state_dict(frozen.state_dict(), strict=False)
    x = torch.randn(2, 4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    for given, norm in zip(inputs, (frozen, live), strict=True):
        norm(given).square().sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)


def test_it_has_four_buffers_and_no_parameter() -> None:
    norm = FrozenBatchNorm3d(4)
    assert tuple(norm.state_dict()) == NAMES
    assert not list(norm.parameters())


def test_it_starts_as_the_identity() -> None:
    x = torch.randn(1, 4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(FrozenBatchNorm3d(4)(x), x, rtol=1e-4, atol=1e-5)


def test_weights_of_a_live_batch_norm_load_strictly() -> None:
    live = nn.Sequential(nn.BatchNorm3d(4))
    live(torch.randn(2, 4, 1, 3, 3, generator=torch.Generator().manual_seed(0)))
    state = live.state_dict()
    frozen = nn.Sequential(FrozenBatchNorm3d(4))
    frozen.load_state_dict(state, strict=True)
    assert torch.equal(frozen[0].running_mean, live[0].running_mean)
    assert "0.num_batches_tracked" in state  # the caller's dict is left as it was


def test_it_keeps_half_precision() -> None:
    assert golden_norm()(torch.ones(1, 4, 1, 2, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16
