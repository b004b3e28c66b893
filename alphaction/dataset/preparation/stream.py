"""The frames of a video one after the other, as they are or at a constant rate, from any time on (PyAV)."""

import heapq
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from alphaction.dataset.decode import SLACK_SECONDS, UNTIMED_FORMATS
from alphaction.dataset.preparation.damage import DamageWatch
from alphaction.dataset.video_file import VideoError, VideoInfo, as_fraction, open_video, packets_of

# Where to begin reading for a time: at the key frame before it, at one this much earlier, or at the beginning.
_SECONDS_BACK = (0, 10, None)


def num_slots(info: VideoInfo, fps: int) -> int:
    """Returns how many frames a video has at a constant rate."""
    return max(math.ceil((Fraction(info.duration) - SLACK_SECONDS) * fps), 1)


def frames_at_rate(
    path: str | Path, info: VideoInfo, fps: int, first: int, stop: int, watch: DamageWatch
) -> Iterator[tuple[int, Any]]:
    """Yields (slot, frame) of the slots ``first`` to ``stop - 1`` that lie within the video, in order.

    Slot k is the time k / fps from the video's first frame. It shows the frame that begins nearest to it, the later of
    two, unless an earlier one is still shown: the rule of ffmpeg's ``fps`` filter, with which AVA's clips were cut.

    Args:
        path: a video file.
        info: what ``probe`` says of it.
        fps: slots a second.
        first: the first slot.
        stop: the slot to stop before.
        watch: sees what is read.

    Raises:
        VideoError: the file cannot be read.
    """
    slot, stop, shown = first, min(stop, num_slots(info, fps)), None
    for time, frame in frames_from(path, info.start, watch, Fraction(first, fps)):
        while shown is not None and slot < stop and time >= Fraction(2 * slot + 1, 2 * fps):
            yield slot, shown
            slot += 1
        if slot >= stop:
            return
        shown = frame
    while shown is not None and slot < stop:
        yield slot, shown
        slot += 1


def frames_from(
    path: str | Path, start: Fraction, watch: DamageWatch, after: Fraction = Fraction(0)
) -> Iterator[tuple[Fraction, Any]]:
    """Yields (seconds from the first frame, frame) in the order of display; the first lies at or before ``after``.

    Packets that cannot be decoded are left out.

    Args:
        path: a video file.
        start: ``VideoInfo.start`` of it.
        watch: sees what is read.
        after: the time from which frames are wanted.

    Raises:
        VideoError: the file cannot be read, or no frame can be decoded.
    """
    for seconds_back in _SECONDS_BACK if after > 0 else (None,):
        with open_video(path) as (container, stream):
            if seconds_back is not None and not _seek(container, stream, start + after - seconds_back):
                continue
            watch.restart(container.format.name)
            frames = ((time - start, frame) for time, frame in _decoded(container, stream, watch))
            first = next(frames, None)
            if first is not None and (seconds_back is None or first[0] <= after):
                for time, frame in itertools.chain([first], frames):
                    watch.shown(time, frame)
                    yield time, frame
                return
    raise VideoError(path, "no frame can be decoded")


def _seek(container: Any, stream: Any, seconds: Fraction) -> bool:
    """Returns whether the next packets are those from the key frame before a time; formats without times say no."""
    if container.format.name in UNTIMED_FORMATS:
        return False
    try:
        container.seek(int(seconds / as_fraction(stream.time_base)), stream=stream)
    except av.FFmpegError:
        return False
    return True


def _decoded(container: Any, stream: Any, watch: DamageWatch) -> Iterator[tuple[Fraction, Any]]:
    """Yields (time in the file, frame); where the format has no times, frames take those of the packets in order."""
    tick = as_fraction(stream.time_base)
    is_timed = container.format.name not in UNTIMED_FORMATS
    rate = as_fraction(stream.average_rate or stream.guessed_rate or 25)
    waiting: list[int] = []
    latest = Fraction(-1)
    for packet in packets_of(container):
        is_picture = packet.stream.index == stream.index
        watch.read(packet, is_picture=is_picture)
        if not is_picture:
            continue
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.size and stamp is not None:
            heapq.heappush(waiting, stamp)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            watch.failed()
            if packet.size and stamp is not None:
                waiting.remove(stamp)
                heapq.heapify(waiting)
            continue
        for frame in frames:
            earliest = heapq.heappop(waiting) if waiting else None
            known = frame.pts if is_timed else earliest
            latest = known * tick if known is not None else latest + 1 / rate
            yield latest, frame
    watch.ended(container.size, (stream.duration or 0) * tick)
