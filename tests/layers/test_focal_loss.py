from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

from alphaction.layers.focal_loss import sigmoid_focal_loss, softmax_focal_loss

OPS = np.load(Path(__file__).parents[1] / "fixtures" / "golden" / "ops.npz")
CASES = [("g2_a-1", 2, -1), ("g2_a0.25", 2, 0.25), ("g0_a-1", 0, -1), ("g1.5_a0.75", 1.5, 0.75)]


def golden(name: str) -> torch.Tensor:
    return torch.from_numpy(OPS[name])


@pytest.mark.parametrize(("case", "gamma", "alpha"), CASES)
def test_sigmoid_loss_and_gradient_equal_the_golden_numbers(case: str, gamma: float, alpha: float) -> None:
    logits = golden("focal_logits").requires_grad_()
    loss = sigmoid_focal_loss(logits, golden("focal_targets"), gamma=gamma, alpha=alpha)
    torch.testing.assert_close(loss, golden(f"sigmoid_focal_{case}"), rtol=1e-5, atol=1e-6)
    loss.sum().backward()
    torch.testing.assert_close(logits.grad, golden(f"sigmoid_focal_{case}_grad"), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("case", "gamma", "alpha"), CASES)
def test_softmax_loss_and_gradient_equal_the_golden_numbers(case: str, gamma: float, alpha: float) -> None:
    logits = golden("focal_logits").requires_grad_()
    loss = softmax_focal_loss(logits, golden("focal_labels"), gamma=gamma, alpha=alpha)
    torch.testing.assert_close(loss, golden(f"softmax_focal_{case}"), rtol=1e-5, atol=1e-6)
    loss.sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    expected = golden(f"softmax_focal_{case}_grad")
    known = expected.isfinite()  # the golden numbers are not, where p is 1 and gamma 0
    torch.testing.assert_close(logits.grad[known], expected[known], rtol=1e-4, atol=1e-6)


def test_without_focus_they_are_cross_entropy() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 3, 1, 1, 2])
    targets = F.one_hot(labels, 4)
    torch.testing.assert_close(
        softmax_focal_loss(logits, labels, gamma=0), F.cross_entropy(logits, labels, reduction="none")
    )
    torch.testing.assert_close(
        sigmoid_focal_loss(logits, targets, gamma=0),
        F.binary_cross_entropy_with_logits(logits, targets.float(), reduction="none"),
    )


def test_sigmoid_loss_equals_torchvision_s() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(6, 5, generator=generator) * 4, torch.rand(6, 5, generator=generator) < 0.3
    expected = torchvision_focal_loss(logits, targets.float(), alpha=0.25, gamma=2)
    torch.testing.assert_close(sigmoid_focal_loss(logits, targets, gamma=2, alpha=0.25), expected)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_gradients_are_finite_for_any_logit(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 0.0]], requires_grad=True)
    labels = torch.tensor([0, 0])
    losses = sigmoid_focal_loss(logits, F.one_hot(labels, 3), gamma=gamma).sum()
    (losses + softmax_focal_loss(logits, labels, gamma=gamma).sum()).backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_no_box_gives_no_loss() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    assert sigmoid_focal_loss(logits, torch.zeros(0, 3, dtype=torch.uint8)).shape == (0, 3)
    softmax_focal_loss(logits, torch.zeros(0, dtype=torch.int64)).sum().backward()
    assert logits.grad is not None
