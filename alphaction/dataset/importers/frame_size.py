"""Boxes in pixels, of a format that does not say the size of its frames: are they of this video at this size?"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphaction.utils.errors import DataError

# People walk out of the frame, and boxes with them; of a video of another size more boxes lie further outside.
_SLACK, _MOST_BEYOND = 0.05, 0.25


def require_same_size(path: Path, video: str, xyxy: NDArray[np.float64], size: tuple[int, int]) -> None:
    """Makes sure that boxes were drawn on frames of this size.

    Args:
        path: the file of the boxes, for the message.
        video: the name of the video.
        xyxy: [n, 4] left, top, right, bottom as fractions of the video's frame.
        size: (width, height) of that frame, in pixels.

    Raises:
        DataError: many of the boxes reach far beyond it.
    """
    is_beyond = (xyxy[:, 2:] > 1 + _SLACK).any(axis=1)
    if not len(xyxy) or is_beyond.mean() <= _MOST_BEYOND:
        return
    across, down = (xyxy[:, 2:].max(axis=0) * size).round().astype(int).tolist()
    raise DataError(
        f"{path}: {is_beyond.sum()} of {len(xyxy)} boxes lie outside of the frames of {video}, which are {size[0]} x "
        f"{size[1]} pixels; the boxes reach to {across}, {down}. They were drawn on the video at another size: give "
        "the folder of that one (--videos). Data sets hold fractions, so their video_root may be changed to a smaller "
        "copy afterwards."
    )
