"""Exactly the frames that are asked for, from a video file, as RGB arrays (PyAV)."""

import bisect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from alphaction.dataset.video_file import VideoError, VideoInfo, as_fraction, open_video, packets_of, probe

__all__ = ["DecodedFrames", "Image", "VideoError", "VideoInfo", "decode_at_times", "decode_positions", "probe"]

Image: TypeAlias = NDArray[np.uint8]  # [H, W, 3] RGB
# Containers round times, Matroska to a millisecond: a frame this much later counts as already shown.
SLACK_SECONDS = Fraction(1, 2000)
# The codecs whose decoded frames carry the time of their own packet, so that a frame nobody refers to may be
# left undecoded. Others (MPEG-4 in AVI mixes times up) are decoded in full, and frames are counted.
_TIMED_CODECS = frozenset({"h264", "hevc"})
# Containers without times of display; FFmpeg makes some up in the order of decoding.
UNTIMED_FORMATS = ("avi",)


@dataclass(frozen=True, slots=True)
class DecodedFrames:
    """Answer to a request of n frames: the distinct ones, and which of them each of the n is.

    Attributes:
        frames: T images [H, W, 3] uint8 RGB, in the order of time.
        index: [n] int64 positions in ``frames``.
    """

    frames: list[Image]
    index: NDArray[np.int64]


def decode_at_times(path: str | Path, seconds: Sequence[Fraction], start: Fraction) -> DecodedFrames:
    """Returns the frames shown at the given times: of each the last one that began by then.

    Times before the first or after the last frame give that frame.

    Args:
        path: a video file.
        seconds: [n] times from the first frame of the video.
        start: ``VideoInfo.start`` of the file.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_video(path) as (container, stream):
        stamps = [(start + t + SLACK_SECONDS) // as_fraction(stream.time_base) for t in seconds]
        packets = _packets_around(container, stream, min(stamps), max(stamps))
        if packets is not None:
            return _shown_at(path, stream, packets, stamps)
    with open_video(path) as (container, stream):  # a format that cannot seek there: from the beginning
        packets = list(_read_until(packets_of(container, stream), stream, max(stamps)))
        return _shown_at(path, stream, packets, stamps)


def decode_positions(path: str | Path, positions: Sequence[int], clamp: bool = False) -> tuple[dict[int, Image], int]:
    """Returns the frames at these positions of a short file, and the number of frames it has.

    Args:
        path: a video file that is read from its beginning.
        positions: 0 is the first frame, -1 the last, as in a list.
        clamp: positions outside the file mean its first or last frame; else they are left out of the answer.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_video(path) as (container, stream):
        packets = [packet for packet in packets_of(container, stream) if packet.size]
        count = len(packets)
        if count == 0 or count < stream.frames:
            raise VideoError(path, f"truncated: {count} of {stream.frames} frames are there")
        place = {p: p if p >= 0 else p + count for p in positions}
        if clamp:
            place = {p: min(max(i, 0), count - 1) for p, i in place.items()}
        place = {p: i for p, i in place.items() if 0 <= i < count}
        images = _decode(path, stream, packets, sorted(set(place.values())))
        return {p: images[i] for p, i in place.items()}, count


def _shown_at(path: str | Path, stream: Any, packets: list[Any], stamps: Sequence[int]) -> DecodedFrames:
    if not packets:
        raise VideoError(path, "no frame can be read")
    shown = _stamps_in_order(packets, stream)
    ranks = [max(bisect.bisect_right(shown, stamp) - 1, 0) for stamp in stamps]
    distinct = sorted(set(ranks))
    images = _decode(path, stream, packets, distinct)
    return DecodedFrames([images[rank] for rank in distinct], np.searchsorted(distinct, ranks).astype(np.int64))


def _decode(path: str | Path, stream: Any, packets: list[Any], ranks: Sequence[int]) -> dict[int, Image]:
    """Returns the frames of these ranks in the order of display, counted from the first of ``packets``."""
    shown = _stamps_in_order(packets, stream)
    has_times = stream.container.format.name not in UNTIMED_FORMATS
    is_timed = has_times and stream.codec_context.name in _TIMED_CODECS and all(p.pts is not None for p in packets)
    wanted = {rank: shown[rank] for rank in ranks}
    try:
        found = _decode_wanted(stream, packets, set(wanted.values())) if is_timed else {}
        if len(found) < len(set(wanted.values())):
            found = _decode_all(stream, packets, sorted(set(wanted.values())), None if is_timed else shown)
    except av.FFmpegError as error:
        raise VideoError(path, f"corrupt, it cannot be decoded: {error.strerror or type(error).__name__}") from error
    if ranks and not found:
        raise VideoError(path, "no frame can be decoded")
    return {rank: found[stamp] for rank, stamp in wanted.items()}


def _decode_wanted(stream: Any, packets: list[Any], wanted: set[int]) -> dict[int, Image]:
    """Decodes the wanted frames and those they are predicted from; frames nobody refers to are skipped."""
    context, reformatter = stream.codec_context, VideoReformatter()
    found: dict[int, Image] = {}
    for packet in [*packets, None]:
        if len(found) == len(wanted):
            break
        context.skip_frame = "DEFAULT" if packet is None or packet.pts in wanted else "NONREF"
        for frame in context.decode(packet):
            if frame.pts in wanted:
                found[frame.pts] = _to_rgb(frame, reformatter)
    context.skip_frame = "DEFAULT"
    context.flush_buffers()
    return found


def _decode_all(
    stream: Any, packets: list[Any], wanted: Sequence[int], shown: Sequence[int] | None
) -> dict[int, Image]:
    """Decodes frame after frame; a wanted one that does not come out is the last that came before it.

    ``shown`` gives the times of the frames in order where those of the decoder cannot be trusted.
    """
    context, reformatter = stream.codec_context, VideoReformatter()
    pending, found, previous = deque(wanted), {}, None
    frames = (frame for packet in [*packets, None] for frame in context.decode(packet))
    for count, frame in enumerate(frames):
        stamp = frame.pts if shown is None else shown[min(count, len(shown) - 1)]
        while pending and pending[0] < stamp:
            found[pending.popleft()] = _to_rgb(previous or frame, reformatter)
        if not pending:
            break
        previous = frame
    return found | {stamp: _to_rgb(previous, reformatter) for stamp in pending if previous is not None}


def _to_rgb(frame: Any, reformatter: VideoReformatter) -> Image:
    image: Image = np.asarray(reformatter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)  # [H, W, 3]
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _stamps_in_order(packets: list[Any], stream: Any) -> list[int]:
    """Returns when the frames of the packets are shown, in order, in ticks of the stream."""
    stamps = [packet.pts for packet in packets]
    if None in stamps:
        stamps = [packet.dts for packet in packets]
    if None in stamps:
        ticks = 1 / (as_fraction(stream.average_rate or 25) * as_fraction(stream.time_base))
        return [int((stream.start_time or 0) + i * ticks) for i in range(len(packets))]
    return sorted(stamps)


def _packets_around(container: Any, stream: Any, first: int, last: int) -> list[Any] | None:
    """Returns the packets from the key frame at or before ``first`` to ``last``; None if no seek finds it."""
    for seconds_back in (0, 10):
        target = max(first - int(seconds_back / as_fraction(stream.time_base)), stream.start_time or 0)
        try:
            container.seek(int(target), stream=stream)
            packets = list(_read_until(packets_of(container, stream), stream, last))
        except av.FFmpegError:
            continue
        while packets and not packets[0].is_keyframe:
            packets.pop(0)
        if packets and packets[0].pts is not None and packets[0].pts <= max(first, stream.start_time or 0):
            # Pictures shown before the key frame need the group before it: the decoder drops them.
            return [packet for packet in packets if packet.pts is None or packet.pts >= packets[0].pts]
    return None


def _read_until(packets: Iterator[Any], stream: Any, last: int) -> Iterator[Any]:
    """Yields packets until all frames shown up to ``last`` must have come (no frame is shown before it is decoded)."""
    reorder = int(2 / as_fraction(stream.time_base))
    for packet in packets:
        if not packet.size:
            continue
        yield packet
        decoded = packet.dts if packet.dts is not None else (packet.pts or 0) - reorder
        if decoded > last:
            return
