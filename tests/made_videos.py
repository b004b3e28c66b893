"""Small videos whose frames say their number, and a data set around them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from alphaction.config import get_cfg
from alphaction.config.paths_catalog import DatasetEntry
from alphaction.dataset.datasets.ava import AVAVideoDataset

GOLDEN = Path(__file__).parent / "fixtures/golden"
# Frame i is grey of this many steps times i: far enough apart to survive compression.
GREY_STEP = 4


def write_video(
    path, num_frames, rate=25, size=(64, 48), first_grey=0, codec="libx264", first_seconds=0.0, **container_options
):
    """Writes frames of the grey levels first_grey, + 4, + 8, ... (modulo 240)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"g": "12", "crf": "12"} if codec == "libx264" else {"qmin": "1", "qmax": "2", "bf": "2"}
        for i in range(num_frames):
            image = np.full((size[1], size[0], 3), (first_grey + GREY_STEP * i) % 240, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = 1 / Fraction(rate).limit_denominator(1001)
            frame.pts = i + round(first_seconds * Fraction(rate).limit_denominator(1001))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def frame_number(image):
    """Returns the number (modulo 60) that an image's grey level says."""
    return round(float(image.mean()) / GREY_STEP)


def small_cfg(*options):
    """Returns a config with a window of 8 frames, one slow frame of four and two fast ones, at 32 pixels."""
    cfg = get_cfg()
    cfg.merge_from_list(["INPUT.FRAME_NUM", 8, "INPUT.FRAME_SAMPLE_RATE", 1, "INPUT.TAU", 4, "INPUT.ALPHA", 2])
    cfg.merge_from_list(["INPUT.MIN_SIZE_TRAIN", 32, "INPUT.MIN_SIZE_TEST", 32, "DATALOADER.NUM_WORKERS", 0])
    cfg.merge_from_list(["SOLVER.VIDEOS_PER_BATCH", 2, "TEST.VIDEOS_PER_BATCH", 2, *options])
    return cfg


def open_ava(is_train, cfg=None, **arguments):
    arguments = {key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()}
    entry = DatasetEntry("made", "AVAVideoDataset", arguments)
    return AVAVideoDataset.from_catalog(entry, cfg or small_cfg(), is_train)


def write_text(path, *lines):
    Path(path).write_text("".join(f"{line}\n" for line in lines))
    return Path(path)
