"""Videos whose frames say their number by their grey, in unusual forms."""

from fractions import Fraction

import av
import numpy as np

GREY_STEP = 4


def write_grey(path, num_frames, *, size=(64, 48), rate=25, codec="libx264", rotation=0, sound_first=False):
    """Writes frames of the grey levels 0, 4, 8, ... (modulo 240); with sound first, pictures begin 0.2 s later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000) if sound_first else None
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"g": "12", "crf": "12"} if codec == "libx264" else {"qmin": "1", "qmax": "2", "bf": "2"}
        if rotation:
            stream.set_display_rotation(rotation)
        for i in range(16 * num_frames // rate if sound else 0):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 16000, 1024 * i
            container.mux(sound.encode(silence))
        for i in range(num_frames):
            frame = av.VideoFrame.from_ndarray(grey_image(i, size), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, rate), i + (rate // 5 if sound else 0)
            container.mux(stream.encode(frame))
        for one in (sound, stream) if sound else (stream,):
            container.mux(one.encode())
    return path


def grey_image(number, size):
    image = np.full((size[1], size[0], 3), GREY_STEP * number % 240, np.uint8)
    image[: size[1] // 4, : size[0] // 4] = 255  # which corner is the first
    return image


def frame_number(image):
    """Returns the number (modulo 60) that the grey of an image's middle says."""
    height, width = image.shape[:2]
    return round(float(image[height // 3 : -height // 3, width // 3 : -width // 3].mean()) / GREY_STEP)
