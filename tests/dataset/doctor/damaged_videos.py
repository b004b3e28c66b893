"""Videos of noise, which compress badly, and damage in the middle of a file."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (64, 48)


def write_noise(path: Path, num_frames: int, rate: int = 25) -> Path:
    """Writes frames of noise, all of about as many bytes; a key frame every twelve."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"g": "12", "preset": "ultrafast"}
        for number in range(num_frames):
            noise = rng.integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def overwrite(path: Path, first: float, last: float) -> None:
    """Puts random bytes from one share of the file to another."""
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    start, stop = int(first * len(content)), int(last * len(content))
    content[start:stop] = np.random.default_rng(1).integers(0, 256, stop - start)
    path.write_bytes(content.tobytes())
