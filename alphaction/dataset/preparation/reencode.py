"""Whole videos written anew so that any of their frames is soon decoded; their sound goes with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from alphaction.dataset.preparation.damage import Damage, DamageWatch
from alphaction.dataset.preparation.encode import Scaler, fitted_size, write_video
from alphaction.dataset.preparation.pool import advance
from alphaction.dataset.preparation.sound import open_sound
from alphaction.dataset.preparation.stream import frames_from
from alphaction.dataset.video_file import probe

# Time stamps of a written file: fine enough for every frame rate, as MPEG's own clock.
_TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True, slots=True)
class ReencodeSettings:
    """How videos are written anew.

    Attributes:
        root: folder of the new files, ``<root>/<video>.mp4``.
        short_side: most pixels of the short side; smaller videos keep their size.
        keyframe_every: frames from one key frame to the next: a reader decodes at most so many before its own.
        quality: x264's constant rate factor; lower is better and larger.
    """

    root: Path
    short_side: int = 256
    keyframe_every: int = 12
    quality: int = 20

    def output(self, video: Path) -> Path:
        return self.root / f"{video.stem}.mp4"

    def recipe(self) -> dict[str, int]:
        """Returns the settings that decide how a new file looks."""
        return {"short side": self.short_side, "keyframe every": self.keyframe_every, "quality": self.quality}

    def options(self) -> dict[str, str]:
        """Returns x264's options: key frames in a fixed rhythm, no B-frames, tools that decode fast."""
        every = str(self.keyframe_every)
        return {"crf": str(self.quality), "g": every, "keyint_min": every, "bf": "0", "tune": "fastdecode"}


@dataclass(frozen=True, slots=True)
class ReencodeJob:
    """A video to be written anew."""

    path: Path
    settings: ReencodeSettings


@dataclass(frozen=True, slots=True)
class Reencoded:
    """What was written.

    Attributes:
        num_frames: pictures of the new file.
        sound_fault: what is wrong with the sound, None if nothing or if there is none.
        damage: what could not be decoded.
    """

    num_frames: int
    sound_fault: str | None
    damage: Damage


def reencode_video(job: ReencodeJob) -> Reencoded:
    """Writes a video anew: all of its frames and its sound, at their times.

    The first frame is at time 0, so that seconds from the first frame mean the same in both files. What cannot be
    decoded is left out, and told.

    Raises:
        VideoError: the video cannot be read.
        DataError: the file cannot be written.
    """
    info = probe(job.path)
    size, watch = fitted_size(info.width, info.height, job.settings.short_side), DamageWatch(info)
    with open_sound(job.path, info) as (sound, fault):
        num_frames = write_video(
            job.settings.output(job.path),
            _stamped(frames_from(job.path, info.start, watch), Scaler(size)),
            time_base=_TIME_BASE,
            rate=Fraction(info.fps).limit_denominator(1001),
            size=size,
            options=job.settings.options(),
            sound=sound,
        )
        return Reencoded(num_frames, sound.fault if sound is not None else fault, watch.found())


def _stamped(frames: Iterator[tuple[Fraction, Any]], scale: Scaler) -> Iterator[tuple[int, Any]]:
    """Yields (time stamp, frame), rising; a frame at the time of the one before is left out."""
    previous, told = -1, Fraction(0)
    for time, frame in frames:
        stamp = round(time / _TIME_BASE)
        if stamp > previous:
            yield stamp, scale(frame)
            previous = stamp
        if time >= told + 1:
            advance(float(time - told))
            told = time
