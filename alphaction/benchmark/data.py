"""What a training clip costs before it reaches the model, against the plain way of doing the same."""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
import cv2
import numpy as np
import torch

from alphaction.benchmark import reading
from alphaction.dataset.collate import collate_clips
from alphaction.dataset.frames import Pathways, Window
from alphaction.dataset.sources import ClipFolder, find_movies
from alphaction.dataset.transforms.build import ClipTransforms
from alphaction.dataset.transforms.video import ColourJitter, RandomFlip, Resize, resized_size
from alphaction.structures.clip import ClipKey, ClipSample, Media
from alphaction.utils.errors import DataError
from alphaction.utils.logger import format_table

T = TypeVar("T")
# The most that ours may cost of the plain way; a change that passes these is a step back.
DECODE_LIMIT = 0.66
TRANSFORM_LIMIT = 0.23
BYTES_LIMIT = 0.27
# A training clip of the released 4x16 recipe.
_PATHWAYS = Pathways(frame_num=64, tau=16, alpha=8, slow_jitter=True)
_WINDOW = Window(frame_num=64, sample_rate=1, fps=25.0)
_SHORT_SIDE, _LONG_SIDE, _DIVISIBILITY = 256, 464, 16
_TRANSFORMS = ClipTransforms(Resize(_SHORT_SIDE, _LONG_SIDE), (ColourJitter(20.0, 0.1, 0.1), RandomFlip(0.5)))
_MEAN, _STD = np.array([122.7717, 115.9465, 102.9801], np.float32), np.float32(57.375)
_FILES_OF_WINDOW = (-2, -1, 0, 1)


@dataclass(frozen=True, slots=True)
class Cost:
    """One step in ours and in the plain way, in CPU seconds or bytes of a clip (medians)."""

    step: str
    ours: float
    plain: float
    limit: float

    @property
    def ratio(self) -> float:
        return self.ours / self.plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this measurement."""
    parser.add_argument("--video-root", default="", help="folder with <movie>/<second>.mp4; without it a movie is made")
    parser.add_argument("--repeats", type=int, default=15, help="clips to load each way")
    parser.add_argument(
        "--reencode", nargs="+", type=Path, metavar="VIDEO", help="compare videos with their re-encoded form instead"
    )


def run(args: argparse.Namespace) -> str:
    """Returns a table of what a clip costs in ours and in the plain way, and whether the ratios are within limits.

    With ``--reencode`` the table is about videos as they are and written anew.
    """
    if args.reencode:
        return reading.report(args.reencode, args.repeats)
    with tempfile.TemporaryDirectory() as made:
        root = Path(args.video_root or made)
        if not args.video_root:
            write_movie(root / "movie", seconds=len(_FILES_OF_WINDOW))
        costs = measure(root, args.repeats)
    rows = [
        (
            cost.step,
            f"{cost.ours:.4g}",
            f"{cost.plain:.4g}",
            f"{cost.ratio:.3f}",
            f"{cost.limit:.2f}",
            "yes" if cost.ratio <= cost.limit else "NO",
        )
        for cost in costs
    ]
    return format_table(("step of one clip", "ours", "plain", "ratio", "limit", "within"), rows)


def measure(root: Path, repeats: int) -> list[Cost]:
    """Returns the costs of loading clips of the movies below ``root``, ours and plain in turn, on one thread.

    Raises:
        DataError: no movie has four seconds in a row.
    """
    folder, second = _any_window(root)
    files = [folder.file(second + step) for step in _FILES_OF_WINDOW]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        clips = [_load_both(folder, second, files, np.random.default_rng(seed)) for seed in range(repeats + 1)]
    finally:
        cv2.setNumThreads(threads)
    ours, plain = (np.median([clip[way] for clip in clips[1:]], axis=0).tolist() for way in (0, 1))
    steps = (
        ("decoding, CPU s", DECODE_LIMIT),
        ("resize, colour, mirror, CPU s", TRANSFORM_LIMIT),
        ("bytes through the loader", BYTES_LIMIT),
    )
    return [Cost(name, ours[i], plain[i], limit) for i, (name, limit) in enumerate(steps)]


def write_movie(folder: Path, seconds: int, size: tuple[int, int] = (640, 360)) -> None:
    """Writes ``0.mp4`` .. of one second each (H.264, 25 frames): textures that move, as real footage does."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 256, (120, 200, 3), np.uint8), (1200, 720), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 12, (8, size[1], size[0], 3), np.uint8)  # the grain of a camera
    for second in range(seconds):
        with av.open(str(folder / f"{second}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for frame in range(25 * second, 25 * second + 25):
                image = _scene(texture, frame, size) + noise[frame % 8]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())


def _scene(texture: np.ndarray, frame: int, size: tuple[int, int]) -> np.ndarray:
    """Returns a view that pans over the texture, with two patches of it that move on their own."""
    width, height = size
    image = (texture[frame % 300 : frame % 300 + height, 2 * frame % 500 : 2 * frame % 500 + width] // 2).copy()
    for speed, top in ((5, 40), (-3, 150)):
        left = (speed * frame) % (width - 100)
        image[top : top + 180, left : left + 90] = 60 + texture[300:480, left // 4 : left // 4 + 90] // 2
    return image


def _any_window(root: Path) -> tuple[ClipFolder, int]:
    movies = find_movies(root, sorted(path.name for path in root.iterdir() if path.is_dir()))
    for movie in movies.values():
        if isinstance(movie, ClipFolder) and movie.last - movie.first >= len(_FILES_OF_WINDOW) - 1:
            return movie, movie.first - _FILES_OF_WINDOW[0]
    raise DataError(f"{root} has no movie folder with {len(_FILES_OF_WINDOW)} files <second>.mp4 in a row.")


def _load_both(
    folder: ClipFolder, second: int, files: Sequence[Path], rng: np.random.Generator
) -> tuple[tuple[float, float, int], tuple[float, float, int]]:
    """Returns (seconds of decoding, seconds of transforms, bytes) of a clip, ours and plain."""
    plan = _PATHWAYS.plan(rng)
    ours_decoding, decoded = _timed(lambda: folder.read(second * 1000, plan.positions, _WINDOW))
    ours_transforms, (frames, _) = _timed(lambda: _TRANSFORMS(decoded.frames, (), rng))
    slow, fast = (torch.from_numpy(decoded.index[index]) for index in (plan.slow_index, plan.fast_index))
    media = Media(torch.from_numpy(frames), slow, fast, torch.tensor(frames.shape[1:3]))
    batch = collate_clips([ClipSample(ClipKey("movie", second * 1000), media, None)], _DIVISIBILITY)
    plain_decoding, images = _timed(lambda: _decode_plainly(files))
    plain_transforms, clip = _timed(lambda: _transform_plainly(images, rng))
    padded = np.prod([-(-extent // _DIVISIBILITY) * _DIVISIBILITY for extent in clip.shape[1:3]])
    plain_bytes = int(padded) * 3 * clip.itemsize * (len(slow) + len(fast))
    return (
        (ours_decoding, ours_transforms, batch.media.frames.nbytes),
        (plain_decoding, plain_transforms, plain_bytes),
    )


def _decode_plainly(files: Sequence[Path]) -> list[np.ndarray]:
    """Returns all frames of the files."""
    images = []
    for path in files:
        with av.open(str(path)) as container:
            images += [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return images


def _transform_plainly(images: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Returns the 64 middle frames resized, shifted in HSV with wide integers, and normalised: [64, H, W, 3]."""
    first = (len(images) - _PATHWAYS.frame_num) // 2
    height, width = images[0].shape[:2]
    size = resized_size((width, height), _SHORT_SIDE, _LONG_SIDE)
    clip = np.stack([cv2.resize(image, size) for image in images[first : first + _PATHWAYS.frame_num]])
    hsv = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2HSV) for image in clip]).astype(np.int32)
    hue, saturation, value = (int(rng.integers(-bound, bound + 1)) for bound in (10, 26, 26))
    hsv[..., 0] = (hsv[..., 0] + hue) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] + saturation, 0, 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + value, 0, 255)
    shifted = np.stack([cv2.cvtColor(image, cv2.COLOR_HSV2RGB) for image in hsv.astype(np.uint8)])
    return (shifted.astype(np.float32) - _MEAN) / _STD


def _timed(step: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = step()
    return time.process_time() - start, result
