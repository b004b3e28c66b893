"""A folder of movies prepared: planned, shared by processes, resumed, and reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from alphaction.dataset.preparation.clips import ClipJob, ClipSettings, MoviePlan, cut_clips, plan_movie
from alphaction.dataset.preparation.pool import run_jobs
from alphaction.dataset.preparation.reencode import ReencodeJob, ReencodeSettings, reencode_video
from alphaction.dataset.sources import VIDEO_SUFFIXES
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted

# Called with (units done, units in all).
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Preparation:
    """What a run has done.

    Attributes:
        unit: what is counted: "one-second clip" or "video".
        num_movies: movies found.
        num_written: units written by this run.
        num_there: units of earlier runs.
        unread: why movies could not be read, or not to the end, by name.
        sound_faults: what is wrong with the sound of videos whose picture is whole, by name.
        other_files: files that are no videos by their names.
    """

    unit: str
    num_movies: int
    num_written: int = 0
    num_there: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    sound_faults: dict[str, str] = field(default_factory=dict)
    other_files: tuple[str, ...] = ()

    def describe(self) -> str:
        """Returns the outcome in sentences."""
        written = f"{counted(self.num_written, self.unit)} written, {self.num_there} there before"
        lines = [f"{counted(self.num_movies, 'video')}: {written}."]
        if self.other_files:
            more = ", ..." if len(self.other_files) > 5 else ""
            names = f"{_words(self.other_files[:5])}{more}"
            lines.append(f"No video by its name: {counted(len(self.other_files), 'file')}, {names}.")
        if self.sound_faults:
            lines.append(f"Faults in the sound of {counted(len(self.sound_faults), 'video')}, the picture is whole:")
            lines += [f"  {name}: {reason}" for name, reason in sorted(self.sound_faults.items())]
        if self.unread:
            lines.append(f"Skipped, or left before its end: {counted(len(self.unread), 'video')}:")
            lines += [f"  {name}: {reason}" for name, reason in sorted(self.unread.items())]
        return "\n".join(lines)


def prepare_clips(movie_root: Path, settings: ClipSettings, *, num_processes: int, progress: Progress) -> Preparation:
    """Cuts every movie of a folder to one-second clips and key frames; files that are there are kept.

    Args:
        movie_root: folder of the movies.
        settings: what is cut.
        num_processes: movies, or parts of long ones, that are cut at the same time; 0 works in this process.
        progress: told after each part, in seconds of video.

    Raises:
        DataError: the folder holds no movie, or two of one name; a file cannot be written; no movie can be read.
    """
    movies, others = find_videos(movie_root)
    done = Preparation("one-second clip", len(movies), other_files=others)
    plans: list[MoviePlan] = []
    for path, plan, error in run_jobs(partial(plan_movie, settings=settings), movies, num_processes):
        if plan is None:
            done.unread[path.name] = error.reason if error else ""
        else:
            plans.append(plan)
            done.num_there += plan.num_there
    _refuse_nothing(movie_root, done)
    jobs: list[ClipJob] = [job for plan in sorted(plans, key=lambda plan: plan.path) for job in plan.jobs]
    passed, total = 0, sum(map(len, jobs))
    for job, count, error in run_jobs(cut_clips, jobs, num_processes):
        if error:
            done.unread[job.path.name] = error.reason
        done.num_written += count or 0
        passed += len(job)
        progress(passed, total)
    return done


def reencode_videos(
    movie_root: Path, settings: ReencodeSettings, *, num_processes: int, progress: Progress
) -> Preparation:
    """Writes every video of a folder anew for fast random reading; files that are there are kept.

    Args:
        movie_root: folder of the videos.
        settings: where to, and how.
        num_processes: videos that are read at the same time; 0 works in this process.
        progress: told after each video.

    Raises:
        DataError: the folder holds no video, or two of one name; a file cannot be written; no video can be read.
    """
    movies, others = find_videos(movie_root)
    if settings.root.resolve() == movie_root.resolve():
        raise DataError(f"{settings.root} is the folder of the videos itself; give another one for the new files.")
    done = Preparation("video", len(movies), other_files=others)
    jobs = [ReencodeJob(path, settings) for path in movies if not settings.output(path).exists()]
    done.num_there = len(movies) - len(jobs)
    for passed, (job, written, error) in enumerate(run_jobs(reencode_video, jobs, num_processes), start=1):
        if error:
            done.unread[job.path.name] = error.reason
        if written and written.sound_fault:
            done.sound_faults[job.path.name] = written.sound_fault
        done.num_written += written is not None
        progress(passed, len(jobs))
    _refuse_nothing(movie_root, done)
    return done


def find_videos(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """Returns the videos of a folder by their endings, sorted, and the names of its other files.

    Raises:
        DataError: it is no folder, holds no video, or two videos whose names differ in the ending alone.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the one that holds the videos.")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        others = counted(len(files), "other file")
        raise DataError(f"{folder} holds no video ({others}); known endings: {_words(VIDEO_SUFFIXES)}.")
    names = [path.stem for path in videos]
    twice = sorted({path.name for path in videos if names.count(path.stem) > 1})
    if twice:
        raise DataError(f"Videos of one name would be written to one place: {_words(twice)}. Rename or remove some.")
    return videos, tuple(path.name for path in files if path not in videos)


def _refuse_nothing(folder: Path, done: Preparation) -> None:
    if len(done.unread) == done.num_movies:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in sorted(done.unread.items())[:10])
        none = "The only video" if done.num_movies == 1 else f"None of the {done.num_movies} videos"
        raise DataError(f"{none} of {folder} can{'not' if done.num_movies == 1 else ''} be used:\n{reasons}")


def _words(values: Sequence[str]) -> str:
    return ", ".join(values)
