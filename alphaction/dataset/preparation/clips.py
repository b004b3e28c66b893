"""Movies cut to one-second clips and key frames: ``<clip_root>/<movie>/<second>.mp4``, ``<kframe_root>/.../.jpg``."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from alphaction.dataset.preparation.damage import Damage, DamageWatch
from alphaction.dataset.preparation.encode import Scaler, fitted_size, write_picture, write_video
from alphaction.dataset.preparation.record import Recipe, Record, load_record, recipe_of
from alphaction.dataset.preparation.stream import frames_at_rate, num_slots
from alphaction.dataset.video_file import VideoError, VideoInfo, probe
from alphaction.utils.files import PARTIAL_SUFFIX

# A job is at most so long, so that several processes share a movie.
_SECONDS_OF_JOB = 60


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """What is cut, and how.

    Attributes:
        clip_root: folder of the clips.
        kframe_root: folder of the key frames, or None for none.
        first: first second of a movie.
        last: last second, or None for the movie's own.
        fps: frames of a clip.
        short_side: most pixels of a clip's short side; smaller movies keep their size.
    """

    clip_root: Path
    kframe_root: Path | None = None
    first: int = 900
    last: int | None = 1800
    fps: int = 25
    short_side: int = 360

    def clip(self, movie: str, second: int) -> Path:
        return self.clip_root / movie / f"{second}.mp4"

    def key_frame(self, movie: str, second: int) -> Path | None:
        return None if self.kframe_root is None else self.kframe_root / movie / f"{second}.jpg"

    def outputs(self, movie: str, second: int) -> list[Path]:
        """Returns the files of a second."""
        key_frame = self.key_frame(movie, second)
        return [self.clip(movie, second), *([key_frame] if key_frame else [])]

    def recipe(self) -> dict[str, int]:
        """Returns the settings that decide how a clip looks."""
        return {"short side": self.short_side, "frames a second": self.fps}


@dataclass(frozen=True, slots=True)
class ClipJob:
    """The seconds ``first`` to ``stop - 1`` of a movie, to be cut."""

    path: Path
    info: VideoInfo
    first: int
    stop: int
    settings: ClipSettings

    def __len__(self) -> int:
        return self.stop - self.first

    def outputs(self) -> list[Path]:
        """Returns the files of all its seconds."""
        return [
            path for second in range(self.first, self.stop) for path in self.settings.outputs(self.path.stem, second)
        ]


@dataclass(frozen=True, slots=True)
class Cut:
    """What a job has done: the number of seconds, and what could not be decoded of them."""

    num_seconds: int
    damage: Damage


@dataclass(frozen=True, slots=True)
class MoviePlan:
    """What is left to do of a movie.

    Attributes:
        path: the movie.
        jobs: seconds to cut.
        first, stop: the seconds asked for, ``stop`` not among them.
        num_there: seconds an earlier run has cut.
        anew: seconds that an earlier run has cut and that must be cut again, by reason.
        outdated: seconds that this run does not cover and that were made differently, by reason.
        recipe: what its clips are made from now.
        record: what the files that are there were made from.
    """

    path: Path
    jobs: tuple[ClipJob, ...]
    first: int
    stop: int
    num_there: int
    anew: Counter[str]
    outdated: Counter[str]
    recipe: Recipe
    record: Record


def plan_movie(path: Path, settings: ClipSettings) -> MoviePlan:
    """Returns the seconds of a movie that are not there yet, and removes what a killed run left half written.

    Raises:
        VideoError: the movie cannot be read, or ends before the first second.
        DataError: the record of earlier runs cannot be read.
    """
    recipe, info = recipe_of(path, settings.recipe()), probe(path)
    num_seconds = -(-num_slots(info, settings.fps) // settings.fps)
    stop = num_seconds if settings.last is None else min(num_seconds, settings.last + 1)
    if stop <= settings.first:
        raise VideoError(
            path,
            f"it lasts {info.duration:.1f} s and has nothing from second {settings.first} on; "
            "--whole cuts every second of a video",
        )
    for root in (settings.clip_root, settings.kframe_root):
        if root is not None:
            _remove_leftovers(root / path.stem)
    record = load_record(settings.clip_root, path)
    why = {
        second: _why_cut(record, settings.outputs(path.stem, second), recipe) for second in range(settings.first, stop)
    }
    to_cut = [second for second, reason in why.items() if reason is not None]
    jobs = tuple(ClipJob(path, info, first, end, settings) for first, end in _runs(to_cut))
    anew = Counter(reason for reason in why.values() if reason)
    covered = {settings.clip(path.stem, second).name for second in why}
    outdated = record.outdated(settings.clip_root / path.stem, covered, recipe)
    return MoviePlan(path, jobs, settings.first, stop, len(why) - len(to_cut), anew, outdated, recipe, record)


def cut_clips(job: ClipJob) -> Cut:
    """Writes the clips and key frames of a job; a second without a picture that can be decoded repeats the last one.

    Raises:
        VideoError: the movie cannot be read.
        DataError: a file cannot be written.
    """
    settings, info = job.settings, job.info
    size = fitted_size(info.width, info.height, settings.short_side)
    scale, watch = Scaler(size), DamageWatch(info)
    slots = frames_at_rate(job.path, info, settings.fps, job.first * settings.fps, job.stop * settings.fps, watch)
    count = 0
    for second, of_second in groupby(slots, key=lambda entry: entry[0] // settings.fps):
        frames = _scaled(scale, of_second)
        _write_second(settings, job.path.stem, second, frames, size)
        count += 1
    return Cut(count, watch.found().within(job.first, job.stop))


def _why_cut(record: Record, outputs: list[Path], recipe: Recipe) -> str | None:
    """Returns None for a second that is there; else why it must be cut again, "" if a file of it is missing."""
    if not all(path.exists() for path in outputs):
        return ""
    return next((why for path in outputs if (why := record.why_anew(path, recipe))), None)


def _scaled(scale: Scaler, slots: Iterator[tuple[int, Any]]) -> list[Any]:
    """Returns the frames of the slots; a frame that is shown for several slots is scaled once."""
    frames: list[Any] = []
    source = None
    for _, frame in slots:
        frames.append(frames[-1] if frame is source else scale(frame))
        source = frame
    return frames


def _write_second(settings: ClipSettings, movie: str, second: int, frames: list[Any], size: tuple[int, int]) -> None:
    key_frame = settings.key_frame(movie, second)
    if key_frame is not None:
        write_picture(key_frame, frames[0])
    rate = Fraction(settings.fps)
    write_video(
        settings.clip(movie, second), enumerate(frames), time_base=1 / rate, rate=rate, size=size, options={"crf": "23"}
    )


def _runs(seconds: list[int]) -> Iterator[tuple[int, int]]:
    """Yields (first, stop) of consecutive seconds, no longer than a job."""
    first = 0
    for place in range(1, len(seconds) + 1):
        is_end = place == len(seconds) or seconds[place] != seconds[place - 1] + 1
        if is_end or place - first == _SECONDS_OF_JOB:
            yield seconds[first], seconds[place - 1] + 1
            first = place


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
        path.unlink(missing_ok=True)
