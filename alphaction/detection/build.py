"""From what was typed to a detector."""

from pathlib import Path

import torch

from alphaction.detection.base import PersonDetector
from alphaction.detection.fetch import fetch_ssdlite
from alphaction.detection.file_boxes import FileBoxes
from alphaction.detection.ssdlite_detector import SSDLiteDetector
from alphaction.detection.tiles import TiledDetector
from alphaction.detection.torchvision_models import TorchvisionDetector
from alphaction.utils.errors import UserError

TORCHVISION, FILE, SSDLITE = "torchvision:", "file:", "ssdlite"


def build_detector(
    name: str, *, weights: Path | None, tiles: int, min_score: float, device: torch.device
) -> PersonDetector:
    """Returns a detector.

    Args:
        name: ``ssdlite``, ``torchvision:NAME`` or ``file:CSV``.
        weights: a file of weights; without it they are fetched.
        tiles: 1, or the parts along each axis that are looked at besides the whole image.
        min_score: boxes below are left out; those of a file are all taken.
        device: where to run.

    Raises:
        UserError: the name is unknown, or a file cannot be used or fetched.
    """
    if weights is not None and not weights.is_file():
        raise UserError(f"There is no file of weights {weights}.")
    if name.startswith(FILE):
        if weights is not None or tiles > 1:
            raise UserError(f"--detector {name} takes boxes as they are: leave out --weights and --tiles.")
        return FileBoxes.from_csv(name.removeprefix(FILE))
    detector: PersonDetector
    if name == SSDLITE:
        detector = SSDLiteDetector.from_file(weights or fetch_ssdlite(), min_score=min_score, device=device)
    elif name.startswith(TORCHVISION):
        model = name.removeprefix(TORCHVISION)
        detector = TorchvisionDetector.from_name(model, weights, min_score=min_score, device=device)
    else:
        raise UserError(f'Unknown detector "{name}"; use ssdlite, torchvision:NAME or file:PATH.')
    return TiledDetector(detector, tiles) if tiles > 1 else detector
