"""A video file opened with one decoding thread, and what can be known of it without decoding it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from alphaction.dataset.reading_notes import reading
from alphaction.utils.errors import DataError

# Before version 19 PyAV refuses a file whose tags are not UTF-8, unless it is told to replace what it cannot read.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# A video is truncated when this much of the length its header promises is missing.
_MISSING_SECONDS = 1.0
_MISSING_SHARE = 0.02


class VideoError(DataError):
    """A video file that cannot be read: says which, and why."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path, self.reason = str(path), reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video.

    Attributes:
        width: of the frames as they are shown (a phone's rotation applied), in pixels.
        height: likewise.
        fps: mean frames a second.
        duration: seconds from the first frame to the end of the last.
        start: seconds the file gives its first frame; our time 0.
    """

    width: int
    height: int
    fps: float
    duration: float
    start: Fraction


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Yields the container and its picture stream, decoded by one thread: the loader's workers are the parallel part.

    Raises:
        VideoError: missing, empty, corrupt, or without a picture; also for PyAV's errors while it is open.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise VideoError(path, "there is no such file")
    if os.path.getsize(name) == 0:
        raise VideoError(path, "the file is empty (0 bytes)")
    try:
        with reading(name), av.open(name, **_LENIENT) as container:
            stream = _picture_stream(path, container)
            if stream.codec_context is None:
                raise VideoError(path, "corrupt, or of a codec that cannot be decoded")
            stream.codec_context.thread_type = "SLICE"
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(path, f"corrupt, or not a video: {reason}") from error


def probe(path: str | Path) -> VideoInfo:
    """Returns the size, rate and length of a video; its first frame is decoded, its end is looked up.

    Raises:
        VideoError: missing, empty, corrupt, truncated, or without a picture.
    """
    with open_video(path) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise VideoError(path, "corrupt: no frame can be decoded")
        sideways = round(first.rotation / 90) % 2 == 1
        start = (first.pts or 0) * as_fraction(stream.time_base)
        fps = as_fraction(stream.average_rate or stream.guessed_rate or 25)
        promised = _promised_seconds(container, stream)
    end = _find_end(path, promised, fps)
    duration = float(end - start)
    # Some containers promise the time of the end and not the length: what fulfils either is whole.
    if promised is not None and promised - max(duration, float(end)) > max(_MISSING_SECONDS, _MISSING_SHARE * promised):
        raise VideoError(path, f"truncated: its header promises {promised:.1f} s, it ends after {duration:.1f} s")
    width, height = (first.height, first.width) if sideways else (first.width, first.height)
    return VideoInfo(width, height, float(fps), duration, start)


def packets_of(container: Any, *streams: Any) -> Iterator[Any]:
    """Yields the packets of some streams, of all if none is given, and then the empty ones that end them.

    PyAV (18.1) looks for an end of streams that a damaged file has shown only while it was read, and does not find
    them; by then the packets of the others have all come.
    """
    with suppress(IndexError):
        yield from container.demux(*streams)


def as_fraction(rational: Any) -> Fraction:
    """Returns a time base or rate of PyAV as a fraction: up to version 18 it is one, later a type of its own."""
    return Fraction(rational.numerator, rational.denominator)


def _picture_stream(path: str | Path, container: Any) -> Any:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # the cover of a song
            return stream
    held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise VideoError(path, f"has no picture stream, it holds {held} only")


def _promised_seconds(container: Any, stream: Any) -> float | None:
    """Returns the length of the picture that the header states, if it does."""
    if stream.duration:
        return float(stream.duration * as_fraction(stream.time_base))
    clock = stream.metadata.get("DURATION", "")  # Matroska: 00:00:10.333000000
    try:
        hours, minutes, seconds = (float(part) for part in clock.split(":"))
        return hours * 3600 + minutes * 60 + seconds
    except ValueError:
        is_alone = len(container.streams) == 1 and container.duration
        return container.duration / av.time_base if is_alone else None


def _find_end(path: str | Path, promised: float | None, fps: Fraction) -> Fraction:
    """Returns the time at which the last frame ends, from the last packets of the file."""
    ends: list[Fraction] = []
    if promised is not None:
        with open_video(path) as (container, stream):
            try:
                container.seek(int(promised / as_fraction(stream.time_base)), stream=stream)
                ends = _packet_ends(container, stream, fps)
            except av.FFmpegError:
                ends = []  # read it from the beginning instead
    if not ends:
        with open_video(path) as (container, stream):
            ends = _packet_ends(container, stream, fps)
    return max(ends, default=Fraction(0))


def _packet_ends(container: Any, stream: Any, fps: Fraction) -> list[Fraction]:
    packets = [packet for packet in packets_of(container, stream) if packet.size and not packet.is_corrupt]
    tick = as_fraction(stream.time_base)
    return [
        stamp * tick + (packet.duration * tick if packet.duration else 1 / fps)
        for packet in packets
        if (stamp := packet.pts if packet.pts is not None else packet.dts) is not None
    ]
