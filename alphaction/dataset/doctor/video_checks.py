"""All videos of a data set opened, several at once, and what they say compared with the rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.movie_checks import Place, check_durations, first_place
from alphaction.dataset.doctor.video_facts import VideoFacts, check_facts, inspect_clip, inspect_video
from alphaction.dataset.sources import ClipFolder
from alphaction.dataset.video_file import VideoError
from alphaction.utils.errors import DataError

# So many one-second files of a movie are opened, evenly over it.
_CLIPS_OF_A_MOVIE = 5
_ASPECT_SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Opening:
    """One file to open: which video it belongs to, and the key frames that are decoded in it."""

    video: str
    path: str
    decoded_ms: tuple[int, ...]
    is_clip: bool


def check_videos(
    tables: Sequence[FileRows], places: Mapping[str, Place], findings: Findings, *, workers: int
) -> dict[str, VideoFacts]:
    """Returns the facts of each video that can be read, and notes what is wrong with the others.

    Args:
        tables: the labelled rows of all halves.
        places: where the videos are.
        findings: where faults are noted.
        workers: files that are opened at once.
    """
    openings = [
        opening for video, place in places.items() for opening in _openings(video, place, _times(tables, video))
    ]
    facts: dict[str, VideoFacts] = {}
    checked: set[str] = set()
    outcomes = _inspect_all(openings, workers)
    for opening, outcome in zip(openings, outcomes, strict=True):
        used_by = first_place(list(tables), opening.video)
        if isinstance(outcome, DataError):
            _note_unreadable(opening.path, outcome, used_by, findings)
        elif opening.video not in checked:
            checked.add(opening.video)
            facts[opening.video] = outcome
            check_facts(opening.path, outcome, used_by, findings)
    durations = {video: facts[video].info.duration for video in facts if not isinstance(places[video], ClipFolder)}
    for table in tables:
        check_durations(table, durations, findings)
        _check_sizes(table, facts, findings)
    _check_mixed_rates(facts, places, findings)
    return facts


def _times(tables: Sequence[FileRows], video: str) -> list[int]:
    found: set[int] = set()
    for table in tables:
        if video in table.rows.videos:
            here = table.rows.video == table.rows.videos.index(video)
            found |= set(table.rows.timestamp_ms[here].tolist())
    return sorted(found)


def _openings(video: str, place: Place, times_ms: Sequence[int]) -> list[Opening]:
    if not isinstance(place, ClipFolder):
        return [Opening(video, str(place), tuple({*times_ms[:1], *times_ms[-1:]}), False)]
    seconds = [time // 1000 for time in times_ms if place.first <= time // 1000 <= place.last] or [place.first]
    step = max(1, len(seconds) // _CLIPS_OF_A_MOVIE)
    paths = [place.file(second) for second in seconds[::step][:_CLIPS_OF_A_MOVIE]]
    return [Opening(video, str(path), (), True) for path in paths if path.is_file() and path.stat().st_size]


def _inspect_all(openings: Sequence[Opening], workers: int) -> list[VideoFacts | DataError]:
    """Returns what came of each opening; threads, because decoding and reading leave the interpreter free."""
    outcomes: dict[int, VideoFacts | DataError] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = {pool.submit(_inspect, opening): position for position, opening in enumerate(openings)}
        # disable=None shows the bar on terminals only
        for done in tqdm(as_completed(waiting), total=len(openings), desc="videos", unit="file", disable=None):
            outcomes[waiting[done]] = done.result()
    return [outcomes[position] for position in range(len(openings))]


def _inspect(opening: Opening) -> VideoFacts | DataError:
    try:
        return inspect_clip(opening.path) if opening.is_clip else inspect_video(opening.path, opening.decoded_ms)
    except VideoError as error:
        return error


def _note_unreadable(path: str, error: DataError, used_by: str, findings: Findings) -> None:
    reason = str(error).removeprefix(f"{path}: ")
    words = {"empty": "video-empty", "truncated": "video-truncated", "no picture": "video-no-picture"}
    code = next((code for word, code in words.items() if word in reason), "video-corrupt")
    remedy = "Replace the file, or leave its rows out (--fix --drop videos)."
    findings.add("error", code, path, f"{reason} (used by {used_by})" if used_by else reason, remedy)


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
