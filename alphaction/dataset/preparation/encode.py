"""Frames to H.264 files and pictures that are either whole or not there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from alphaction.dataset.preparation.sound import Sound
from alphaction.utils.errors import DataError
from alphaction.utils.files import replaced_when_complete

_JPEG_QUALITY = 95
# Of a channel of sound; low rates cannot use more than so many of a sample.
_BITS_A_SECOND, _BITS_A_SAMPLE = 80_000, 4


def fitted_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Returns the size with a short side of at most ``short_side``, both sides even, as H.264 wants them.

    Smaller videos are not enlarged; an odd side becomes one pixel shorter.
    """
    factor = min(Fraction(short_side, min(width, height)), Fraction(1))
    even_width, even_height = (max(2 * round(side * factor / 2 - Fraction(1, 100)), 2) for side in (width, height))
    return even_width, even_height


@dataclass(slots=True)
class Scaler:
    """Turns decoded frames upright and to one size.

    Attributes:
        size: (width, height) in pixels, even numbers.
    """

    size: tuple[int, int]
    _reformatter: VideoReformatter = field(default_factory=VideoReformatter)

    def __call__(self, frame: Any) -> Any:
        """Returns a frame in yuv420p; a phone's rotation is applied."""
        quarters = round(frame.rotation / 90) % 4
        if quarters:
            image = np.rot90(frame.to_ndarray(format="rgb24"), quarters)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        width, height = self.size
        return self._reformatter.reformat(frame, width, height, "yuv420p", interpolation="BICUBIC")


def write_video(
    path: Path,
    frames: Iterable[tuple[int, Any]],
    *,
    time_base: Fraction,
    rate: Fraction,
    size: tuple[int, int],
    options: Mapping[str, str],
    sound: Sound | None = None,
) -> int:
    """Writes an MP4 of H.264, and of AAC if there is sound, by one thread; returns the number of its frames.

    Args:
        path: the file; it appears when it is complete.
        frames: (rising time stamp, frame in yuv420p).
        time_base: seconds of a time stamp's unit.
        rate: frames a second, as the header says it.
        size: (width, height) of the frames.
        options: of the encoder libx264.
        sound: its time 0 is that of the time stamps.

    Raises:
        DataError: the file cannot be written.
    """
    count = 0
    try:
        with replaced_when_complete(path) as partial, av.open(str(partial), "w", format="mp4") as container:
            stream: Any = container.add_stream("libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.time_base = time_base
            stream.options = {**options, "threads": "1"}
            voice = _add_sound(container, sound) if sound else None
            for stamp, frame in frames:
                _adopt_colours(stream.codec_context, frame, is_first=count == 0)
                frame.pts, frame.time_base, frame.pict_type = stamp, time_base, PictureType.NONE
                container.mux(stream.encode(frame))
                count += 1
                if voice:
                    voice(stamp * time_base)
            container.mux(stream.encode(None))
            if voice:
                voice(None)
    except (OSError, av.FFmpegError) as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}. Finished files are kept.") from error
    return count


def write_picture(path: Path, frame: Any) -> None:
    """Writes a frame as JPEG.

    Raises:
        DataError: the file cannot be written.
    """
    image = frame.to_ndarray(format="bgr24")
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    try:
        with replaced_when_complete(path) as partial:
            partial.write_bytes(content.tobytes())
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}. Finished files are kept.") from error


def _add_sound(container: Any, sound: Sound) -> Callable[[Fraction | None], None]:
    """Adds a stream of AAC, and returns what writes the sound up to a time (None: to its end)."""
    stream: Any = container.add_stream("aac", rate=sound.rate, layout=sound.layout)
    channels = 1 if sound.layout == "mono" else 2
    stream.bit_rate = channels * min(_BITS_A_SECOND, _BITS_A_SAMPLE * sound.rate)

    def write(until: Fraction | None) -> None:
        for frame in sound.until(until):
            container.mux(stream.encode(frame))
        if until is None:
            container.mux(stream.encode(None))

    return write


def _adopt_colours(context: Any, frame: Any, *, is_first: bool) -> None:
    """Says in the header which colours the numbers of the frames mean."""
    if is_first:
        context.color_range, context.colorspace = frame.color_range, frame.colorspace
