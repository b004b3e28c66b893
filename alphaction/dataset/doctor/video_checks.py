"""All videos of a data set opened and read, several at once, and what they say compared with the rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.movie_checks import Place, check_durations, first_place
from alphaction.dataset.doctor.read_checks import Reading, check_reading, read_times, seconds_of_each
from alphaction.dataset.doctor.video_facts import VideoFacts, check_facts, inspect_video
from alphaction.dataset.sources import ClipFolder, Source, WholeVideo
from alphaction.dataset.video_file import VideoError
from alphaction.structures.clip import ClipKey

_ASPECT_SLACK = 0.02


@dataclass(frozen=True, slots=True)
class OpenedVideos:
    """What came of the videos of a data set.

    Attributes:
        facts: of each video that can be opened.
        usable: videos of which something can be read; None where nobody has looked.
        failed: key frames that cannot be read.
        num_times: annotated seconds of these videos.
        num_read: how many of them were read.
        most: how many of each video were to be read.
    """

    facts: Mapping[str, VideoFacts] = field(default_factory=dict)
    usable: frozenset[str] | None = None
    failed: frozenset[ClipKey] = frozenset()
    num_times: int = 0
    num_read: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class _Opening:
    """One video to open, and its annotated times of which ``most`` are read."""

    video: str
    place: Place
    times_ms: tuple[int, ...]
    most: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of an opening: the facts of the file ``path``, or why there are none."""

    path: str
    facts: VideoFacts | None
    reading: Reading
    error: VideoError | None = None


def check_videos(
    tables: Sequence[FileRows],
    places: Mapping[str, Place],
    findings: Findings,
    *,
    workers: int,
    seconds: int | None = None,
) -> OpenedVideos:
    """Returns what is known of each video that can be opened, and notes what is wrong with all of them.

    Args:
        tables: the labelled rows of all halves.
        places: where the videos are.
        findings: where faults are noted.
        workers: videos that are opened at once.
        seconds: annotated seconds of each video whose frames are read; see :func:`seconds_of_each` without it.
    """
    most = seconds_of_each(len(places), seconds)
    openings = [_Opening(video, place, _times(tables, video, place), most) for video, place in places.items()]
    outcomes = dict(zip(places, _inspect_all(openings, workers), strict=True))
    facts = {video: outcome.facts for video, outcome in outcomes.items() if outcome.facts is not None}
    for video, outcome in outcomes.items():
        _report(video, places[video], outcome, tables, findings)
    infos = {video: facts[video].info for video in facts if not isinstance(places[video], ClipFolder)}
    for table in tables:
        check_durations(table, infos, findings)
        _check_sizes(table, facts, findings)
    _check_mixed_rates(facts, places, findings)
    readings = [outcome.reading for outcome in outcomes.values()]
    was_read = {video for video, outcome in outcomes.items() if outcome.reading.num_read > len(outcome.reading.failed)}
    return OpenedVideos(
        facts,
        frozenset(facts.keys() | was_read),
        frozenset(key for reading in readings for key in reading.failed),
        sum(reading.num_times for reading in readings),
        sum(reading.num_read for reading in readings),
        most,
    )


def _report(video: str, place: Place, outcome: _Outcome, tables: Sequence[FileRows], findings: Findings) -> None:
    used_by = first_place(list(tables), video)
    if outcome.facts is not None:
        check_facts(outcome.path, outcome.facts, used_by, findings)
    elif outcome.error is not None and not outcome.reading.failed:
        _note_unreadable(outcome.error, used_by, findings)
    check_reading(outcome.reading, isinstance(place, ClipFolder), tables, findings)


def _times(tables: Sequence[FileRows], video: str, place: Place) -> tuple[int, ...]:
    """Returns the annotated times of a video, without those that have no clip."""
    found: set[int] = set()
    for table in tables:
        if video in table.rows.videos:
            here = table.rows.video == table.rows.videos.index(video)
            found |= set(table.rows.timestamp_ms[here].tolist())
    if isinstance(place, ClipFolder):
        found = {time for time in found if time % 1000 == 0 and place.file(time // 1000).is_file()}
    return tuple(sorted(found))


def _inspect_all(openings: Sequence[_Opening], workers: int) -> list[_Outcome]:
    """Returns what came of each opening; threads, because decoding and reading leave the interpreter free."""
    outcomes: dict[int, _Outcome] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = {pool.submit(_inspect, opening): position for position, opening in enumerate(openings)}
        # disable=None shows the bar on terminals only
        for done in tqdm(as_completed(waiting), total=len(openings), desc="videos", unit="file", disable=None):
            outcomes[waiting[done]] = done.result()
    return [outcomes[position] for position in range(len(openings))]


def _inspect(opening: _Opening) -> _Outcome:
    place, path, facts, error = opening.place, "", None, None
    for path in _files_of(opening):
        try:
            facts = inspect_video(path)
            break
        except VideoError as problem:
            error = problem
    if isinstance(place, ClipFolder):
        source: Source = place
    elif facts is None:
        return _Outcome(path, None, Reading(len(opening.times_ms), 0, {}), error)
    else:
        source = WholeVideo(path, facts.info)
    reading = read_times(opening.video, source, opening.times_ms, opening.most)
    return _Outcome(path, facts, reading, error)


def _files_of(opening: _Opening) -> list[str]:
    """Returns the files that may tell of a video: itself, or one-second files of which the first good one does."""
    place = opening.place
    if not isinstance(place, ClipFolder):
        return [str(place)]
    return [str(place.file(time // 1000)) for time in opening.times_ms[: opening.most] or (place.first * 1000,)]


def _note_unreadable(error: VideoError, used_by: str, findings: Findings) -> None:
    words = {"empty": "video-empty", "truncated": "video-truncated", "no picture": "video-no-picture"}
    code = next((code for word, code in words.items() if word in error.reason), "video-corrupt")
    problem = f"{error.reason} (used by {used_by})" if used_by else error.reason
    findings.add("error", code, error.path, problem, "Replace the file, or leave its rows out (--fix --drop videos).")


def _check_sizes(table: FileRows, facts: Mapping[str, VideoFacts], findings: Findings) -> None:
    if table.images is None:
        return
    known = {key.video: size for key, size in zip(table.images.keys, table.images.sizes.tolist(), strict=True)}
    for video, (width, height) in known.items():
        info = facts[video].info if video in facts else None
        if info and abs(info.width * height / (info.height * width) - 1) > _ASPECT_SLACK:
            findings.add(
                "error",
                "video-size",
                table.path,
                f"images of {video} are {width} x {height}, its frames are {info.width} x {info.height}",
                "Boxes in pixels belong to frames of the same shape; correct width and height.",
            )


def _check_mixed_rates(facts: Mapping[str, VideoFacts], places: Mapping[str, Place], findings: Findings) -> None:
    rates = Counter(round(fact.info.fps, 2) for fact in facts.values())
    if len(rates) > 1:
        listed = ", ".join(f"{fps:g} ({count})" for fps, count in rates.most_common(5))
        rare = rates.most_common()[-1][0]
        example = next(video for video, fact in facts.items() if round(fact.info.fps, 2) == rare)
        place = places[example]
        findings.add(
            "info",
            "video-mixed-fps",
            place.path if isinstance(place, ClipFolder) else str(Path(place).parent),
            f'the videos differ in frames a second: {listed}; "{example}" has {rare:g}',
            "Whole videos are sampled by time (INPUT.FPS), so this is right as it is.",
        )
