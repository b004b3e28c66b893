"""Any detection model of torchvision as a person detector."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

from alphaction.detection.base import Detections, Image
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import UserError
from alphaction.utils.published import find_weights
from alphaction.utils.registry import nearest

# COCO's categories as torchvision numbers them, the background included.
_NUM_CATEGORIES = 91


class TorchvisionDetector:
    """Finds what the model knows, in COCO's categories.

    Args:
        model: of ``torchvision.models.detection``, on ``device``.
        min_score: boxes below are left out.
        device: where the model is.
        source: what its weights are, for ``describe``.
    """

    def __init__(self, model: nn.Module, *, min_score: float, device: torch.device, source: str) -> None:
        self._model, self._min_score, self._device, self._source = model.eval(), min_score, device, source

    @classmethod
    def from_name(
        cls, name: str, weights: Path | None, *, min_score: float, device: torch.device
    ) -> "TorchvisionDetector":
        """Returns the detector of a model's name.

        Args:
            name: as ``torchvision.models.list_models(torchvision.models.detection)`` lists it.
            weights: state dict of it; without it torchvision fetches its own.
            min_score: boxes below are left out.
            device: where to put the model.

        Raises:
            UserError: there is no such model, or its weights cannot be read or fetched.
        """
        names = torchvision.models.list_models(module=torchvision.models.detection)
        if name not in names:
            raise UserError(f'torchvision has no detection model "{name}"; {nearest(name, names)}')
        path = weights or find_weights(f"torchvision:{name}")
        model = _load_model(name, path).to(device)
        return cls(model, min_score=min_score, device=device, source=f"{name} {_digest(path)}, from {min_score:g}")

    @torch.no_grad()
    def detect(self, images: Sequence[Image], keys: Sequence[ClipKey]) -> list[Detections]:
        """Returns the boxes of each image, of all categories."""
        if not images:
            return []
        tensors = [torch.from_numpy(image).to(self._device).permute(2, 0, 1).float() / 255 for image in images]
        return [self._choose(found) for found in self._model(tensors)]

    def describe(self) -> str:
        return self._source

    def _choose(self, found: dict[str, Any]) -> Detections:
        kept = (found["scores"] >= self._min_score).cpu().numpy()
        columns = [found[name].cpu().numpy() for name in ("boxes", "scores", "labels")]
        boxes, scores, labels = columns
        best_first = np.argsort(-scores[kept], kind="stable")
        return Detections(
            boxes.astype(np.float32)[kept], scores.astype(np.float32)[kept], labels.astype(np.int64)[kept]
        ).select(best_first)


def _load_model(name: str, path: Path) -> nn.Module:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for what is not a file of its own
        raise UserError(f"Cannot read the detector's weights {path}: {error}") from error
    state = state.get("model", state) if isinstance(state, dict) else state
    model = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=_NUM_CATEGORIES)
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        first = str(error).splitlines()[:3]
        raise UserError(f"{path} holds no weights of {name} for COCO's categories: {' '.join(first)}") from error
    return model


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
