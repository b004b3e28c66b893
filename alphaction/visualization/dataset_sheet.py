"""Key frames of a data set with its labelled persons and a detector's boxes, on one page to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.visualization.contact_sheet import KeyFrame, write_contact_sheet


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One panel of the page.

    Attributes:
        half: of the data set it is in, for its caption.
        key: the key frame.
        frame: [H, W, 3] uint8 RGB.
        persons: labelled boxes with ``labels`` [n, K].
        detected: a detector's boxes, or None.
    """

    half: str
    key: ClipKey
    frame: np.ndarray
    persons: Boxes
    detected: Boxes | None = None


def write_dataset_sheet(
    frames: Sequence[LabelledFrame], labels: LabelMap, output_path: str | Path, *, columns: int = 3
) -> Path:
    """Writes a PNG with one panel a key frame and returns its path.

    As in annotated videos, labelled persons are white, with the names of their actions below; a detector's boxes are
    coloured, with their scores above.

    Args:
        frames: what to show, in reading order.
        labels: the K classes.
        output_path: the PNG to write.
        columns: panels side by side.

    Raises:
        ValueError: there is no frame.
    """
    panels = [
        KeyFrame(
            entry.frame,
            ClipPrediction(ClipKey(f"{entry.half}: {entry.key.video}", entry.key.timestamp_ms), _detected(entry)),
            entry.persons,
        )
        for entry in frames
    ]
    return write_contact_sheet(panels, labels, output_path, columns=columns, threshold=0.0, short_side=320)


def _detected(entry: LabelledFrame) -> Boxes:
    return Boxes.empty(entry.persons.size) if entry.detected is None else entry.detected
