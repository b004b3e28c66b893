"""What every person detector offers, and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.clip import ClipKey

Image: TypeAlias = NDArray[np.uint8]  # [H, W, 3] RGB

# COCO's category of persons, which is also category_id of AlphAction's box files.
PERSON = 1


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The boxes of one image, best first.

    Attributes:
        xyxy: [n, 4] float32 left, top, right, bottom in pixels, inside the image.
        scores: [n] float32, 0 to 1.
        categories: [n] int64 COCO category ids; ``PERSON`` is 1.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    categories: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def empty(cls) -> "Detections":
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def select(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> "Detections":
        """Returns the boxes at ``index`` (positions or a mask)."""
        return Detections(self.xyxy[index], self.scores[index], self.categories[index])


class PersonDetector(Protocol):
    """Finds persons, and other things if it knows them, in images."""

    def detect(self, images: Sequence[Image], keys: Sequence[ClipKey]) -> list[Detections]:
        """Returns the boxes of each image.

        Args:
            images: RGB images of any sizes.
            keys: which video and time each image is; detectors that look at pixels do not need it.

        Raises:
            DataError: nothing can be said about an image.
        """

    def describe(self) -> str:
        """Returns what decides the boxes (weights, sizes), so that boxes of other settings are told apart."""
