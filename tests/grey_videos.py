"""Small videos whose frames say their number by their grey."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GREY_STEP = 4


def write_video(path, num_frames, rate=10, size=(64, 48), first_grey=0):
    """Writes frames of the grey levels first_grey, + 4, + 8, ... (modulo 240)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"g": "12", "crf": "12"}
        for i in range(num_frames):
            image = np.full((size[1], size[0], 3), (first_grey + GREY_STEP * i) % 240, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def frame_number(image):
    """Returns the number (modulo 60) that an image's grey level says."""
    return round(float(image.mean()) / GREY_STEP)


def write_text(path, *lines):
    Path(path).write_text("".join(f"{line}\n" for line in lines))
    return Path(path)
