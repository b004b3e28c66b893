"""What random clips cost to decode from a video as it is, and written anew by ``tools/process_ava_videos.py``."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.dataset.frames import Pathways, Window
from alphaction.dataset.preparation.reencode import ReencodeJob, ReencodeSettings, reencode_video
from alphaction.dataset.sources import WholeVideo
from alphaction.dataset.transforms.video import Resize
from alphaction.dataset.video_file import probe
from alphaction.utils.logger import format_table

# A training clip of the released 4x16 recipe.
_PATHWAYS = Pathways(frame_num=64, tau=16, alpha=8, slow_jitter=True)
_WINDOW = Window(frame_num=64, sample_rate=1, fps=25.0)
_RESIZE = Resize(256, 464)


@dataclass(frozen=True, slots=True)
class ReadingCost:
    """CPU seconds of a clip (medians), and bytes of the file.

    Attributes:
        video: its name.
        decode: of the video as it is, and written anew.
        load: likewise, with the resizing that follows.
        size: likewise, bytes of the file.
        seconds: what writing it anew took.
    """

    video: str
    decode: tuple[float, float]
    load: tuple[float, float]
    size: tuple[int, int]
    seconds: float


def report(videos: list[Path], repeats: int) -> str:
    """Returns a table of the costs of the videos, each in both forms.

    Raises:
        VideoError: a video cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        costs = [measure(video, Path(folder), repeats) for video in videos]
    header = ("video", "decoding", "anew", "ratio", "with resizing", "anew", "ratio", "bytes")
    return format_table(
        header,
        [
            (
                cost.video,
                *(f"{value * 1000:.1f} ms" for value in cost.decode),
                f"{cost.decode[1] / cost.decode[0]:.2f}",
                *(f"{value * 1000:.1f} ms" for value in cost.load),
                f"{cost.load[1] / cost.load[0]:.2f}",
                f"{cost.size[1] / cost.size[0]:.2f}",
            )
            for cost in costs
        ],
    )


def measure(video: Path, folder: Path, repeats: int) -> ReadingCost:
    """Returns what clips at the same random times cost in both forms, in turn, on one thread.

    Args:
        video: a file.
        folder: where the other form is written.
        repeats: clips that are read each way.

    Raises:
        VideoError: the video cannot be read.
    """
    settings = ReencodeSettings(folder)
    start = time.process_time()
    reencode_video(ReencodeJob(video, settings))
    seconds = time.process_time() - start
    sources = [WholeVideo(str(path), probe(path)) for path in (video, settings.output(video))]
    rng = np.random.default_rng(0)
    times = rng.uniform(0, sources[0].info.duration * 1000, repeats + 1)
    clips = np.array([[_cost(source, int(t), seed) for source in sources] for seed, t in enumerate(times)])[1:]
    (decode, load), (new_decode, new_load) = np.median(clips, axis=0).tolist()
    sizes = video.stat().st_size, settings.output(video).stat().st_size
    return ReadingCost(video.name, (decode, new_decode), (load, new_load), sizes, seconds)


def _cost(source: WholeVideo, timestamp_ms: int, seed: int) -> tuple[float, float]:
    """Returns CPU seconds of decoding a clip, and of decoding and resizing it."""
    plan = _PATHWAYS.plan(np.random.default_rng(seed))
    start = time.process_time()
    decoded = source.read(timestamp_ms, plan.positions, _WINDOW)
    decoding = time.process_time() - start
    _RESIZE(decoded.frames, (), np.random.default_rng(seed))
    return decoding, time.process_time() - start
