"""How much boxes have in common, for arrays of numpy."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


def box_iou(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """Returns [n, m] intersection over union of [n, 4] and [m, 4] boxes x1, y1, x2, y2; 0 where both have no area."""
    return _iou(first[:, None], second[None])


def pair_iou(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """Returns [n] intersection over union of two lists of n boxes; see :func:`box_iou`."""
    return _iou(first, second)


def _iou(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    """Returns [...] of [..., 4] and [..., 4], which are broadcast against each other."""
    extent = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = extent.clip(min=0).prod(axis=-1)
    areas = ((boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(axis=-1) for boxes in (first, second))
    union = sum(areas) - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)
