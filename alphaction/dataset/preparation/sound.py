"""The sound of a video without gaps, from the time of its first picture on (PyAV)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.video_file import VideoInfo, as_fraction, open_video, packets_of
from alphaction.utils.words import counted

Samples: TypeAlias = NDArray[np.float32]  # [channels, n]
# The rates AAC knows, in samples a second; sound of another one is resampled to the last.
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 88200, 96000, 48000)
_FORMAT = "fltp"
# Time stamps that differ by less from where the samples before end are rounded ones.
_SLACK_SECONDS = Fraction(1, 50)
_UNUSABLE = "its sound cannot be decoded and is left out"


class Sound:
    """Blocks of samples that follow each other; what is missing in between is silence.

    Args:
        container: the file, open for nothing but its sound.
        stream: the sound in it.
        info: what ``probe`` says of the video.

    Attributes:
        rate: samples a second.
        layout: "mono" or "stereo"; more channels are mixed down to two.
    """

    def __init__(self, container: Any, stream: Any, info: VideoInfo) -> None:
        own = stream.codec_context.rate
        self.rate: int = own if own in _AAC_RATES else _AAC_RATES[-1]
        self.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._packets, self._start = packets_of(container, stream), info.start
        self._lost: Counter[str] = Counter()
        self._end = round(Fraction(info.duration) * self.rate)
        self._blocks = self._read()
        self._next = next(self._blocks, None)

    def __bool__(self) -> bool:
        """Returns whether there are samples left."""
        return self._next is not None

    @property
    def fault(self) -> str | None:
        """What was wrong with the sound read so far, None if nothing."""
        parts = [f"{counted(number, 'part')} of its sound {why}" for why, number in self._lost.items()]
        return f"{', '.join(parts)}, silent instead" if parts else None

    def until(self, seconds: Fraction | None) -> Iterator[Any]:
        """Yields the next audio frames: those that begin before a time from the first picture; None: all."""
        while self._next is not None and (seconds is None or self._next[0] < seconds * self.rate):
            place, samples = self._next
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=_FORMAT, layout=self.layout)
            frame.pts, frame.sample_rate, frame.time_base = place, self.rate, Fraction(1, self.rate)
            yield frame
            self._next = next(self._blocks, None)

    def _read(self) -> Iterator[tuple[int, Samples]]:
        """Yields (position of the first sample, samples), without gap or overlap from position 0 on."""
        written = 0
        for seconds, samples in self._decoded():
            place = written if seconds is None else round((seconds - self._start) * self.rate)
            if written and abs(place - written) < _SLACK_SECONDS * self.rate:
                place = written
            if place > max(self._end, written):
                self._lost["lay behind the last picture"] += 1
                continue
            while written < place:
                silence = np.zeros((len(samples), min(place - written, self.rate)), np.float32)
                yield written, silence
                written += silence.shape[1]
            samples = samples[:, written - place :]
            if samples.shape[1]:
                yield written, samples
                written += samples.shape[1]

    def _decoded(self) -> Iterator[tuple[Fraction | None, Samples]]:
        """Yields (time in the file, samples at our rate and layout); without a time they follow those before."""
        resampler, form = None, None
        try:
            for frame in self._frames():
                if (frame.format.name, frame.layout.name, frame.sample_rate) != form:
                    form = frame.format.name, frame.layout.name, frame.sample_rate
                    resampler = av.AudioResampler(format=_FORMAT, layout=self.layout, rate=self.rate)
                seconds = None if frame.pts is None else frame.pts * as_fraction(frame.time_base)
                frame.pts = None
                assert resampler is not None
                for block in resampler.resample(frame):
                    yield seconds, _samples(block)
                    seconds = None
            for block in resampler.resample(None) if resampler else ():
                yield None, _samples(block)
        except (av.FFmpegError, ValueError):  # a damaged file; channels that cannot be mixed
            self._lost["could not be read up to the end"] += 1

    def _frames(self) -> Iterator[Any]:
        """Yields the decoded frames; what cannot be decoded is left out and counted."""
        for packet in self._packets:
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self._lost["could not be decoded"] += 1


def _samples(block: Any) -> Samples:
    """Returns the samples as the encoder takes them: it refuses those that are no numbers."""
    return np.nan_to_num(np.asarray(block.to_ndarray(), np.float32), nan=0.0, posinf=1.0, neginf=-1.0)


@contextmanager
def open_sound(path: str | Path, info: VideoInfo) -> Iterator[tuple[Sound | None, str | None]]:
    """Yields the sound of a video and None, or None and why its sound cannot be used; (None, None) if it has none.

    Args:
        path: a video file.
        info: what ``probe`` says of it.

    Raises:
        VideoError: the file cannot be read.
    """
    with open_video(path) as (container, _):
        stream = container.streams.best("audio")
        if stream is None:
            has_any = any(each.type == "audio" for each in container.streams)
            yield None, _UNUSABLE if has_any else None
        elif stream.codec_context is None:
            yield None, _UNUSABLE
        else:
            sound = Sound(container, stream, info)
            yield (sound, None) if sound else (None, _UNUSABLE)
