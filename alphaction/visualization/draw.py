"""Draws boxes, class names and scores over a frame."""

from collections.abc import Sequence

import cv2
import numpy as np

from alphaction.structures.boxes import Boxes
from alphaction.structures.labels import LabelMap

Colour = tuple[int, int, int]

# RGB, dark enough for white text; one a person, again from the first after the last.
PALETTE: tuple[Colour, ...] = (
    (214, 69, 65),
    (31, 119, 180),
    (39, 140, 70),
    (142, 68, 173),
    (196, 112, 10),
    (0, 132, 132),
    (190, 60, 130),
    (108, 92, 60),
)
_WHITE, _BLACK, _SHADE = (255, 255, 255), (0, 0, 0), (38, 38, 38)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Text is this share of the picture's short side high, so that it reads the same at every size.
_ROW_SHARE = 1 / 20


def display_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Returns (width, height) after small pictures are enlarged to ``short_side``; both are even."""
    factor = max(1.0, short_side / min(size))
    width, height = (max(2, round(extent * factor) // 2 * 2) for extent in size)
    return width, height


def draw_predictions(
    frame: np.ndarray,
    boxes: Boxes,
    labels: LabelMap,
    *,
    threshold: float = 0.3,
    top: int = 3,
    truth: Boxes | None = None,
    colours: Sequence[int] | None = None,
    short_side: int = 480,
) -> np.ndarray:
    """Returns a new picture of the frame with boxes and, for each person, its classes as bars with names.

    Args:
        frame: [H, W, 3] uint8 RGB.
        boxes: persons with ``scores`` [n, K], or [n] for a detector's; any image size, they are scaled.
        labels: the K classes.
        threshold: lowest class score that is written.
        top: most classes written for one person.
        truth: true persons with ``labels`` [m, K]; thin white boxes with black on white names below.
        colours: position in ``PALETTE`` for each person, so that it keeps its colour; in order without it.
        short_side: smaller frames are enlarged to this many pixels on the short side.

    Raises:
        ValueError: the scores or true labels have another number of columns than there are classes.
    """
    for name, columns in (("scores", boxes.scores), ("labels", truth.labels if truth else None)):
        if columns is not None and columns.dim() == 2 and columns.shape[1] != len(labels):
            raise ValueError(f"The {name} have {columns.shape[1]} columns, the label map {len(labels)} classes.")
    picture = _enlarge(frame, display_size((frame.shape[1], frame.shape[0]), short_side))
    size = (picture.shape[1], picture.shape[0])
    outline = max(2, min(size) // 200)
    names = [] if truth is None else list(zip(_corners(truth, size), _true_names(truth, labels), strict=True))
    for corners, _ in names:
        _draw_outline(picture, corners, _WHITE, thickness=1)
    order = colours if colours is not None else range(len(boxes))
    people = list(zip(_corners(boxes, size), (PALETTE[i % len(PALETTE)] for i in order), strict=True))
    for corners, colour in people:
        _draw_outline(picture, corners, colour, thickness=outline)
    for corners, true_names in names:
        _draw_rows(picture, corners, [(name, 1.0) for name in true_names], _WHITE, below=True)
    for person, (corners, colour) in enumerate(people):
        rows = score_rows(boxes, person, labels, threshold=threshold, top=top)
        _draw_rows(picture, corners, rows, colour, below=False)
    return picture


def score_rows(boxes: Boxes, person: int, labels: LabelMap, *, threshold: float, top: int) -> list[tuple[str, float]]:
    """Returns (class name, score) of one person, best first."""
    if boxes.scores is None:
        return []
    scores = boxes.scores[person].detach().cpu().float()
    if scores.dim() == 0:
        return [("person", float(scores))] if float(scores) >= threshold else []
    best = scores.argsort(descending=True, stable=True)[:top].tolist()
    return [(labels.names[column], float(scores[column])) for column in best if scores[column] >= threshold]


def draw_caption(picture: np.ndarray, text: str) -> np.ndarray:
    """Returns the picture with a line of text below it."""
    row = _text_metrics(picture)[0]
    strip = np.full((row, picture.shape[1], 3), _SHADE, np.uint8)
    captioned = np.concatenate([picture, strip])
    _put_text(captioned, text, (row // 4, picture.shape[0]), _WHITE)
    return captioned


def _enlarge(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if (frame.shape[1], frame.shape[0]) == size:
        return frame.copy()
    return cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)


def _corners(boxes: Boxes, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Returns left, top, right, bottom of each box in whole pixels of a picture of ``size``."""
    rounded = boxes.resize(size).clip().xyxy.cpu().round().int().tolist()
    return [(left, top, right, bottom) for left, top, right, bottom in rounded]


def _true_names(truth: Boxes, labels: LabelMap) -> list[list[str]]:
    if truth.labels is None:
        return [[] for _ in range(len(truth))]
    return [[labels.names[column] for column in row.nonzero()[:, 0].tolist()] for row in truth.labels.cpu()]


def _draw_outline(picture: np.ndarray, corners: tuple[int, int, int, int], colour: Colour, *, thickness: int) -> None:
    left, top, right, bottom = corners
    cv2.rectangle(picture, (left, top), (right, bottom), colour, thickness=thickness)


def _draw_rows(
    picture: np.ndarray,
    corners: tuple[int, int, int, int],
    rows: Sequence[tuple[str, float]],
    colour: Colour,
    *,
    below: bool,
) -> None:
    """Draws one filled row a class above or below the box, held inside the picture."""
    if not rows:
        return
    row, font_scale, thickness = _text_metrics(picture)
    texts = [name if below else f"{name} {score:.2f}" for name, score in rows]
    width = max(cv2.getTextSize(text, _FONT, font_scale, thickness)[0][0] for text in texts) + row // 2
    left = max(0, min(corners[0], picture.shape[1] - width))
    first = corners[3] + 3 if below else corners[1] - row * len(rows)
    first = max(0, min(first, picture.shape[0] - row * len(rows)))
    for index, (text, (_, score)) in enumerate(zip(texts, rows, strict=True)):
        top = first + index * row
        cv2.rectangle(picture, (left, top), (left + width, top + row - 1), _SHADE, thickness=-1)
        filled = left + round(width * min(1.0, max(0.0, score)))
        cv2.rectangle(picture, (left, top), (filled, top + row - 1), colour, thickness=-1)
        _put_text(picture, text, (left + row // 4, top), _BLACK if colour == _WHITE else _WHITE)


def _put_text(picture: np.ndarray, text: str, left_top: tuple[int, int], colour: Colour) -> None:
    row, font_scale, thickness = _text_metrics(picture)
    baseline = (left_top[0], left_top[1] + round(row * 0.72))
    cv2.putText(picture, text, baseline, _FONT, font_scale, colour, thickness, cv2.LINE_AA)


def _text_metrics(picture: np.ndarray) -> tuple[int, float, int]:
    """Returns the height of a row in pixels, the font's scale and the width of its strokes."""
    row = max(14, round(min(picture.shape[:2]) * _ROW_SHARE))
    return row, row / 40, max(1, round(row / 22))
