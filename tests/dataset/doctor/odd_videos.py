"""Videos with something odd about them, of small grey frames."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (64, 48)
TICK = Fraction(1, 1000)


def write_odd_video(path: Path, steps_ms: list[int], rate: int = 25, *, sound_first: bool = False) -> Path:
    """Writes frames that last the given milliseconds; the header says ``rate`` where its container lets it."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000) if sound_first else None
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = TICK
        stream.options = {"g": "12", "tune": "zerolatency"}
        if sound is not None:
            write_silence(container, sound)
        stamp = 0
        for number, step in enumerate(steps_ms):
            frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), 4 * number % 240, np.uint8), "rgb24")
            frame.pts, frame.time_base = stamp, TICK
            stamp += step
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        write_silence(container, container.add_stream("aac", rate=16000))
    return path


def write_silence(container, stream) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
    frame.sample_rate = 16000
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
