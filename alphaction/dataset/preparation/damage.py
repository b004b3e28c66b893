"""What decoding a video loses, told from pictures that are meant to be shown long by what the file itself shows."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from alphaction.dataset.decode import UNTIMED_FORMATS
from alphaction.dataset.video_file import VideoInfo, as_fraction
from alphaction.utils.words import counted

# A trace of damage speaks for a gap at most this far away: decoders give pictures back late.
_NEAR_SECONDS = 1
# Bytes that belong to no packet are a hole if they could hold this share of what is missing there, which is long enough
# to be no skipped picture, and are so many times what the format has between packets anyway.
_HOLE_SHARE, _HOLE_SECONDS, _HOLE_FACTOR = Fraction(1, 4), Fraction(1, 2), 4
# A video that ends this much before its length has lost its end.
_MISSING_SECONDS = Fraction(1, 2)
# GIF codes a pixel in 12 bits at most; palettes and the like are small. A larger packet holds more than its picture.
_GIF_BYTES_A_PIXEL, _GIF_BYTES_BESIDES = 1.6, 4096
# A file was not read to its end if this share of it follows the last packet. MP4 knows its packets beforehand.
_UNREAD_SHARE, _LISTED_FORMATS = 0.1, "mov"
_SHOWN_SPANS = 3


@dataclass(frozen=True, slots=True)
class Damage:
    """What a video has lost, in seconds from its first picture; true if there is any.

    Attributes:
        lost: (begin, end) of stretches without pictures, in order.
        faulty: times of pictures that are there and show faults.
        notes: what else is wrong, as half sentences.
    """

    lost: tuple[tuple[float, float], ...] = ()
    faulty: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lost or self.faulty or self.notes)

    def __or__(self, other: "Damage") -> "Damage":
        """Returns the damage that two parts of a video have together."""
        notes = tuple(dict.fromkeys(self.notes + other.notes))
        faulty = tuple(sorted({*self.faulty, *other.faulty}))
        return Damage(_joined((*self.lost, *other.lost)), faulty, notes)

    def within(self, first: float, stop: float) -> "Damage":
        """Returns what concerns the seconds from ``first`` to ``stop``."""
        lost = [(max(begin, first), min(end, stop)) for begin, end in self.lost]
        faulty = tuple(time for time in self.faulty if first <= time < stop)
        return Damage(tuple((begin, end) for begin, end in lost if end > begin), faulty, self.notes)

    def describe(self) -> str:
        """Returns it as half sentences."""
        return "; ".join([*_say_lost(self.lost), *_say_faulty(self.faulty), *self.notes])


class DamageWatch:
    """Sees what ``frames_from`` reads of a video, and tells what was lost in it.

    A gap in the times of the pictures alone may be meant. It is damage if something near it says so: a packet that
    could not be decoded or gave no picture, a picture that the decoder marks, or bytes that belong to no packet.

    Args:
        info: what ``probe`` says of the video.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._info, self._interval = info, Fraction(1 / info.fps)
        self.restart("")

    def restart(self, format_name: str) -> None:
        """Forgets what was seen: reading begins (again)."""
        self._format, self._is_at_end = format_name, False
        self._covered: int | None = None
        self._num_packets = 0
        self._first: Fraction | None = None
        self._num_bytes, self._time_read, self._promised = 0, Fraction(0), Fraction(self._info.duration)
        self._stamps: list[Fraction] = []
        self._holes: list[tuple[int, Fraction]] = []
        self._failed: list[Fraction] = []
        self._marked: list[Fraction] = []
        self._gaps: list[tuple[Fraction, Fraction]] = []
        self._cut_at: Fraction | None = None
        self._end: Fraction | None = None

    def read(self, packet: Any, *, is_picture: bool) -> None:
        """Notes a packet of any stream: where it lies in the file, and when it is shown."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if not packet.size:
            return
        if stamp is not None and packet.time_base:
            self._time_read = stamp * as_fraction(packet.time_base) - self._info.start
            if is_picture and self._format not in UNTIMED_FORMATS:
                self._stamps.append(self._time_read)
        if self._format == "gif":
            most = _GIF_BYTES_A_PIXEL * self._info.width * self._info.height + _GIF_BYTES_BESIDES
            self._cut_at = self._time_read if packet.size > most else self._cut_at
        if packet.pos is not None:
            if self._covered is not None and packet.pos > self._covered:
                self._holes.append((packet.pos - self._covered, self._time_read))
            self._covered = max(self._covered or 0, packet.pos + packet.size)
            self._num_bytes += packet.size
            self._num_packets += 1

    def failed(self) -> None:
        """Notes that the packet read last could not be decoded."""
        self._failed.append(self._time_read)

    def shown(self, time: Fraction, frame: Any) -> None:
        """Notes a picture, ``time`` seconds after the first."""
        ticks = getattr(frame, "duration", 0) or 0
        lasting = ticks * as_fraction(frame.time_base) if ticks and frame.time_base else self._interval
        self._first = time if self._first is None else self._first
        if self._end is not None and time - self._end > self._interval / 2:
            self._gaps.append((self._end, time))
        self._end = max(time + lasting, self._end or time)
        if frame.is_corrupt:
            self._marked.append(time)

    def ended(self, num_bytes: int, promised: Fraction) -> None:
        """Notes that no packet is left in the file, which has so many bytes and by its header lasts so many seconds."""
        self._is_at_end = True
        if self._format in UNTIMED_FORMATS:
            self._promised = max(self._promised, promised)
        is_read = num_bytes - (self._covered or num_bytes) < _UNREAD_SHARE * num_bytes
        if self._end is None or is_read or self._format.startswith(_LISTED_FORMATS):
            return
        if _any_within(sorted([*self._marked, *self._failed]), self._end - _NEAR_SECONDS, self._end + _NEAR_SECONDS):
            self._cut_at = self._end

    def found(self) -> Damage:
        """Returns what was lost in the part that was read."""
        doubtful = sorted({*self._marked, *self._failed})
        stamps, holes = sorted(self._stamps), self._large_holes()
        gaps = (*self._gaps, *self._missing_end())
        lost = [gap for gap in gaps if self._is_backed(gap, doubtful, stamps, holes)]
        spans = _joined((float(begin), float(end)) for begin, end in lost)
        near = [(begin - _NEAR_SECONDS, end + _NEAR_SECONDS) for begin, end in spans]
        faulty = [float(time) for time in doubtful if time >= 0]
        faulty = [time for time in faulty if not any(begin <= time <= end for begin, end in near)]
        return Damage(spans, tuple(faulty), (*self._notes(holes),))

    def _missing_end(self) -> list[tuple[Fraction, Fraction]]:
        if self._end is None or not self._is_at_end:
            return []
        is_short = self._promised - self._end > max(_MISSING_SECONDS, 3 * self._interval)
        return [(self._end, self._promised)] if is_short else []

    def _is_backed(
        self,
        gap: tuple[Fraction, Fraction],
        doubtful: Sequence[Fraction],
        stamps: Sequence[Fraction],
        holes: Sequence[tuple[Fraction, int]],
    ) -> bool:
        """Returns whether something speaks for a gap being a loss; all are in the order of their times."""
        begin, end = gap
        if _any_within(doubtful, begin - _NEAR_SECONDS, end + _NEAR_SECONDS):
            return True
        slack = self._interval / 4
        place = bisect_left(stamps, begin - slack)
        if place < len(stamps) and stamps[place] < end - 2 * slack:
            return True
        return self._first_hole(end - begin, begin - _NEAR_SECONDS, end + _NEAR_SECONDS, holes) is not None

    def _large_holes(self) -> list[tuple[Fraction, int]]:
        """Returns (time, bytes) of the holes that the format does not have everywhere, in the order of their times."""
        sizes = sorted(num_bytes for num_bytes, _ in self._holes)
        num_without = self._num_packets - len(sizes)
        middle = self._num_packets // 2 - num_without
        usual = sizes[middle] if 0 <= middle < len(sizes) else 0
        return sorted((time, num_bytes) for num_bytes, time in self._holes if num_bytes > _HOLE_FACTOR * usual)

    def _first_hole(
        self, seconds: Fraction, first: Fraction, last: Fraction, holes: Sequence[tuple[Fraction, int]]
    ) -> Fraction | None:
        """Returns when, from ``first`` to ``last``, bytes are missing that could hold so many seconds."""
        read = (self._end or Fraction(0)) - (self._first or Fraction(0))
        if seconds < _HOLE_SECONDS or read <= 0:
            return None
        least = _HOLE_SHARE * seconds * self._num_bytes / read
        for place in range(bisect_left(holes, (first, 0)), len(holes)):
            time, num_bytes = holes[place]
            if time > last:
                break
            if num_bytes >= least:
                return time
        return None

    def _notes(self, holes: Sequence[tuple[Fraction, int]]) -> Iterable[str]:
        if self._cut_at is not None:
            yield f"what follows {float(self._cut_at):.1f} s cannot be read"
        for begin, end in self._missing_end() if self._format in UNTIMED_FORMATS else ():
            time = self._first_hole(end - begin, Fraction(0), end, holes)
            if time is not None:
                missing = f"about {float(end - begin):.1f} s are missing at {float(time):.1f} s"
                yield f"{missing}, and all that follows comes so much too early, as the file holds no times"


def _any_within(times: Sequence[Fraction], first: Fraction, last: Fraction) -> bool:
    """Returns whether one of the times, which are in order, lies from ``first`` to ``last``."""
    place = bisect_left(times, first)
    return place < len(times) and times[place] <= last


def _joined(spans: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Returns the stretches in order; those that overlap, or lie next to each other, are one."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1] + _NEAR_SECONDS / 2:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return tuple(joined)


def _say_lost(spans: tuple[tuple[float, float], ...]) -> list[str]:
    if not spans:
        return []
    more = f" and {len(spans) - _SHOWN_SPANS} more" if len(spans) > _SHOWN_SPANS else ""
    total = sum(end - begin for begin, end in spans)
    digits = 1 if total > 0.1 else 2
    places = ", ".join(f"{begin:.{digits}f} s to {end:.{digits}f} s" for begin, end in spans[:_SHOWN_SPANS])
    return [f"{places}{more} cannot be decoded ({total:.{digits}f} s)"]


def _say_faulty(times: tuple[float, ...]) -> list[str]:
    if not times:
        return []
    if len(times) == 1:
        return [f"1 picture is damaged, at {times[0]:.1f} s"]
    return [f"{counted(len(times), 'picture')} are damaged, from {times[0]:.1f} s to {times[-1]:.1f} s"]
