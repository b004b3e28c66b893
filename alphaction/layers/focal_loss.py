"""Focal losses: cross-entropy that plays down easy examples (Lin et al., Focal Loss, 2017, equation 5)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# -log(p) of a class that is there stops here, at the smallest normal float32 p; its gradient goes on.
_LARGEST_NLL = -math.log(torch.finfo(torch.float32).tiny)
# Keeps the slope of (1 - p) ** gamma finite at p = 1 for gamma below 1.
_SMALLEST_MISS = 1e-12


def sigmoid_focal_loss(logits: Tensor, targets: Tensor, *, gamma: float = 2.0, alpha: float = -1.0) -> Tensor:
    """Returns [R, K] losses of independent yes/no decisions, neither summed nor averaged.

    Args:
        logits: [R, K].
        targets: [R, K] of 0 and 1, any dtype.
        gamma: exponent on the probability of the wrong answer; 0 is plain cross-entropy.
        alpha: weight of positives, ``1 - alpha`` that of negatives; below 0 both weigh 1.
    """
    is_positive = targets > 0
    signed = torch.where(is_positive, logits, -logits)  # the logit of the right answer
    nll = F.softplus(-signed)
    loss = torch.where(is_positive, _saturate(nll), nll) * _modulation(torch.sigmoid(-signed), gamma)
    return loss if alpha < 0 else loss * torch.where(is_positive, alpha, 1 - alpha)


def softmax_focal_loss(logits: Tensor, labels: Tensor, *, gamma: float = 2.0, alpha: float = -1.0) -> Tensor:
    """Returns [R] losses of one choice among K classes, neither summed nor averaged.

    Args:
        logits: [R, K].
        labels: [R] int64, the right class.
        gamma: exponent on the probability of the other classes; 0 is plain cross-entropy.
        alpha: factor on every loss; below 0 it is 1.
    """
    log_p = F.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    loss = _saturate(-log_p) * _modulation(-torch.expm1(log_p), gamma)
    return loss if alpha < 0 else loss * alpha


def _modulation(miss: Tensor, gamma: float) -> Tensor | float:
    """Returns (1 - p) ** gamma for ``miss`` = 1 - p."""
    return 1.0 if gamma == 0 else miss.clamp(min=_SMALLEST_MISS) ** gamma


def _saturate(nll: Tensor) -> Tensor:
    return nll - (nll - _LARGEST_NLL).clamp(min=0).detach()
