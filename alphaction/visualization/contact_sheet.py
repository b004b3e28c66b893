"""Writes key frames with their predictions as one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.visualization.draw import draw_caption, draw_predictions

_GAP = 6
_BACKGROUND = 24
_WHITE = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LEGEND = "white boxes are labels, coloured ones detections"
_LEGEND_SCALE = 0.5


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """One panel of a contact sheet.

    Attributes:
        frame: [H, W, 3] uint8 RGB.
        prediction: with boxes.
        truth: true persons with ``labels``, or None.
    """

    frame: np.ndarray
    prediction: ClipPrediction
    truth: Boxes | None = None


def write_contact_sheet(
    key_frames: Sequence[KeyFrame],
    labels: LabelMap,
    output_path: str | Path,
    *,
    columns: int = 3,
    threshold: float = 0.3,
    top: int = 3,
    short_side: int = 300,
) -> Path:
    """Writes a PNG with one panel a key frame, ``columns`` side by side, and returns its path.

    Where there are true persons, a line on top says which boxes are theirs.

    Args:
        key_frames: what to show, in reading order; one entry gives a still of one frame.
        labels: the classes of scores and true labels.
        output_path: the PNG to write; its folder is created.
        columns: most panels side by side.
        threshold, top: see :func:`draw_predictions`.
        short_side: height of a panel in pixels.

    Raises:
        ValueError: there is no key frame, or a prediction has no boxes.
    """
    if not key_frames:
        raise ValueError("A contact sheet needs a key frame.")
    panels = []
    for entry in key_frames:
        if entry.prediction.boxes is None:
            raise ValueError(f"The prediction of {entry.prediction.key} has no boxes to draw.")
        picture = draw_predictions(
            entry.frame,
            entry.prediction.boxes,
            labels,
            threshold=threshold,
            top=top,
            truth=entry.truth,
            short_side=short_side,
        )
        panels.append(draw_caption(_to_height(picture, short_side), str(entry.prediction.key)))
    is_labelled = any(entry.truth is not None for entry in key_frames)
    sheet = _add_legend(_make_grid(panels, columns)) if is_labelled else _make_grid(panels, columns)
    output_path = Path(output_path)
    output_path.parent.mkdir(parents=True, exist_ok=True)
    output_path.write_bytes(encode_png(sheet))
    return output_path


def encode_png(picture: np.ndarray) -> bytes:
    """Returns the bytes of a PNG file of [H, W, 3] uint8 RGB."""
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = round(picture.shape[1] * height / picture.shape[0])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _add_legend(grid: np.ndarray) -> np.ndarray:
    """Returns the sheet with a line of text on top, in letters that fit its width."""
    width = cv2.getTextSize(_LEGEND, _FONT, 1.0, 1)[0][0]
    scale = min(_LEGEND_SCALE, (grid.shape[1] - 2 * _GAP) / width)
    height, base = cv2.getTextSize(_LEGEND, _FONT, scale, 1)[0][1], 2 * _GAP
    strip = np.full((height + 2 * base, grid.shape[1], 3), _BACKGROUND, np.uint8)
    cv2.putText(strip, _LEGEND, (_GAP, height + base), _FONT, scale, _WHITE, 1, cv2.LINE_AA)
    return np.concatenate([strip, grid])


def _make_grid(panels: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Returns the panels in cells as large as the largest of them."""
    columns = max(1, min(columns, len(panels)))
    rows = -(-len(panels) // columns)
    height, width = (max(panel.shape[axis] for panel in panels) + _GAP for axis in (0, 1))
    grid = np.full((rows * height + _GAP, columns * width + _GAP, 3), _BACKGROUND, np.uint8)
    for index, panel in enumerate(panels):
        top, left = _GAP + index // columns * height, _GAP + index % columns * width
        grid[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return grid
