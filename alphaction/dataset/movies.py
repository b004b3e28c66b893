"""The movies of a data set, found and probed before training begins: what cannot be used is named now."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alphaction.dataset.sources import ClipFolder, Source, WholeVideo, find_movies
from alphaction.dataset.video_file import VideoError, probe
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

logger = logging.getLogger(__name__)

# Seconds of a folder that are tried for the size of its frames.
_PROBED_CLIPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Movies:
    """The usable movies.

    Attributes:
        sources: where the frames of each come from.
        sizes: (width, height) of the frames of each, in pixels.
        bad: why the others cannot be used.
    """

    sources: dict[str, Source]
    sizes: dict[str, tuple[int, int]]
    bad: dict[str, str]


def open_movies(
    video_root: str, keys: Sequence[ClipKey], known_sizes: dict[str, tuple[int, int]], max_bad: int
) -> Movies:
    """Returns the movies of these key frames.

    Args:
        video_root: the folder of all movies.
        keys: the key frames that will be read.
        known_sizes: sizes that an annotation file gives; the clips of such movies need not be probed.
        max_bad: so many unreadable movies are left out, with a warning.

    Raises:
        DataError: a movie is missing, or more than ``max_bad`` cannot be read.
    """
    times: dict[str, list[int]] = {}
    for key in keys:
        times.setdefault(key.video, []).append(key.timestamp_ms)
    movies = Movies({}, {}, {})
    for video, place in find_movies(video_root, list(times)).items():
        try:
            if not isinstance(place, ClipFolder):
                info = probe(place)
                movies.sources[video] = WholeVideo(str(place), info)
                movies.sizes[video] = (info.width, info.height)
            else:
                movies.sizes[video] = known_sizes.get(video) or _size_of_clips(place, times[video])
                movies.sources[video] = place
        except VideoError as error:
            movies.bad[video] = str(error)
    if movies.bad:
        _report_bad(movies.bad, max_bad)
    return movies


def check_times(
    path: str, keys: Sequence[ClipKey], sources: Mapping[str, Source], where: Callable[[ClipKey], str]
) -> None:
    """Makes sure that the key frames lie within their videos.

    Args:
        path: the file the key frames come from.
        keys: key frames of usable movies.
        sources: the movies.
        where: place of a key frame in the file, in words.

    Raises:
        DataError: a time is outside its video, or not a whole second where clips are one-second files.
    """
    wrong: list[str] = []
    for key in keys:
        source = sources[key.video]
        second, rest = divmod(key.timestamp_ms, 1000)
        if isinstance(source, WholeVideo):
            if key.timestamp_ms > source.info.duration * 1000 + 0.5:
                wrong.append(f"{where(key)} (the video lasts {source.info.duration:.2f} s)")
        elif rest:
            wrong.append(f"{where(key)} (one-second clips have key frames at whole seconds only)")
        elif not source.first <= second <= source.last:
            wrong.append(f"{where(key)} (there are clips of the seconds {source.first} to {source.last})")
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} key frames are outside their video: {'; '.join(wrong[:5])}"
            f"{'; ...' if len(wrong) > 5 else ''}. Times are seconds from the beginning of the video."
        )


def _size_of_clips(folder: ClipFolder, times: Sequence[int]) -> tuple[int, int]:
    """Returns the size of the first clip that can be read."""
    there = [time for time in times if folder.first <= time // 1000 <= folder.last] or [folder.first * 1000]
    for attempt, time in enumerate(there[:_PROBED_CLIPS], start=1):
        try:
            info = folder.probe(time)
            return info.width, info.height
        except VideoError:
            if attempt == min(len(there), _PROBED_CLIPS):
                raise
    raise VideoError(folder.path, "no key frame of it is needed")


def _report_bad(bad: dict[str, str], max_bad: int) -> None:
    listed = "\n".join(f"  {video}: {reason}" for video, reason in list(bad.items())[:10])
    more = f"\n  ... and {len(bad) - 10} more" if len(bad) > 10 else ""
    if len(bad) > max_bad:
        raise DataError(
            f"{len(bad)} videos cannot be read, DATALOADER.MAX_BAD_VIDEOS allows {max_bad}:\n{listed}{more}\n"
            "Repair or remove them, or raise DATALOADER.MAX_BAD_VIDEOS."
        )
    logger.warning("%d videos cannot be read and are left out with their rows:\n%s%s", len(bad), listed, more)
