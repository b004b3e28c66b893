"""A folder of movies prepared: planned, shared by processes, resumed, and reported."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from alphaction.dataset.preparation.clips import ClipJob, ClipSettings, MoviePlan, cut_clips, plan_movie
from alphaction.dataset.preparation.folder import find_videos
from alphaction.dataset.preparation.outcome import Preparation
from alphaction.dataset.preparation.pool import run_jobs
from alphaction.dataset.preparation.record import Recipe, Record, load_record, recipe_of
from alphaction.dataset.preparation.reencode import ReencodeJob, ReencodeSettings, reencode_video
from alphaction.dataset.video_file import probe
from alphaction.utils.errors import DataError

# Called with (units done, units in all).
Progress = Callable[[int, int], None]


def prepare_clips(movie_root: Path, settings: ClipSettings, *, num_processes: int, progress: Progress) -> Preparation:
    """Cuts every movie of a folder to one-second clips and key frames.

    Files that are there are kept, unless they are empty, or were made from another file or with other settings.

    Args:
        movie_root: folder of the movies.
        settings: what is cut.
        num_processes: movies, or parts of long ones, that are cut at the same time; 0 works in this process.
        progress: told after each part, in seconds of video.

    Raises:
        DataError: the folder holds no movie, or two of one name; a file cannot be written; no movie can be read.
    """
    roots = [root for root in (settings.clip_root, settings.kframe_root) if root is not None]
    folder = find_videos(movie_root, roots)
    done = Preparation("one-second clip", folder)
    plans: dict[Path, MoviePlan] = {}
    for path, plan, error in run_jobs(partial(plan_movie, settings=settings), folder.videos, num_processes):
        if plan is None:
            done.unread[path.name] = error.reason if error else ""
        else:
            plans[path] = plan
    done.refuse_nothing(movie_root)
    jobs = [job for _, plan in sorted(plans.items()) for job in _begin(plan, done)]
    passed, total = 0, sum(map(len, jobs))
    for job, cut, error in run_jobs(cut_clips, jobs, num_processes):
        plan = plans[job.path]
        if error:
            done.unread[job.path.name] = error.reason
        if cut:
            done.num_written += cut.num_seconds
            done.add_damage(job.path.name, cut.damage)
            plan.record.finish(job.outputs(), plan.recipe, cut.damage)
        passed += len(job)
        progress(passed, total)
    return done


def reencode_videos(
    movie_root: Path, settings: ReencodeSettings, *, num_processes: int, progress: Progress
) -> Preparation:
    """Writes every video of a folder anew for fast random reading.

    Files that are there are kept, unless they are empty, or were made from another file or with other settings.

    Args:
        movie_root: folder of the videos.
        settings: where to, and how.
        num_processes: videos that are read at the same time; 0 works in this process.
        progress: told now and then, in seconds of video.

    Raises:
        DataError: the folder holds no video, or two of one name; a file cannot be written; no video can be read.
    """
    folder = find_videos(movie_root, [settings.root])
    if settings.root.resolve() == movie_root.resolve():
        raise DataError(f"{settings.root} is the folder of the videos itself; give another one for the new files.")
    done = Preparation("video", folder)
    known = {path: (load_record(settings.root, path), recipe_of(path, settings.recipe())) for path in folder.videos}
    jobs = [
        ReencodeJob(path, settings)
        for path, (record, recipe) in known.items()
        if not _is_kept(path, settings.output(path), record, recipe, done)
    ]
    total = _total_seconds(jobs, num_processes)

    def tell(seconds: float) -> None:
        progress(min(int(seconds), total), total)

    for job, written, error in run_jobs(reencode_video, jobs, num_processes, tell):
        record, recipe = known[job.path]
        if error:
            done.unread[job.path.name] = error.reason
        if written:
            done.num_written += 1
            done.add_damage(job.path.name, written.damage)
            record.finish([settings.output(job.path)], recipe, written.damage)
            if written.sound_fault:
                done.sound_faults[job.path.name] = written.sound_fault
    progress(total, total)
    done.refuse_nothing(movie_root)
    return done


def _begin(plan: MoviePlan, done: Preparation) -> tuple[ClipJob, ...]:
    """Notes what is there of a movie and what is begun, and returns its jobs."""
    done.num_there += plan.num_there
    done.anew.update(plan.anew)
    done.outdated.update(plan.outdated)
    if plan.num_there and (damage := plan.record.damage.get(plan.recipe)):
        done.add_damage(plan.path.name, damage.within(plan.first, plan.stop))
    plan.record.begin([output for job in plan.jobs for output in job.outputs()], plan.recipe)
    return plan.jobs


def _total_seconds(jobs: Sequence[ReencodeJob], num_processes: int) -> int:
    """Returns how long the videos last together; those that cannot be read count nothing."""
    infos = (info for _, info, _ in run_jobs(probe, [job.path for job in jobs], num_processes))
    return round(sum(info.duration for info in infos if info))


def _is_kept(path: Path, output: Path, record: Record, recipe: Recipe, done: Preparation) -> bool:
    """Returns whether the new file of a video is there; else notes why it is made anew, or that it is begun."""
    if not output.exists():
        record.begin([output], recipe)
        return False
    if why := record.why_anew(output, recipe):
        done.anew[why] += 1
        return False
    done.num_there += 1
    done.add_damage(path.name, record.damage.get(recipe))
    return True
