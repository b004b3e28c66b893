"""Who does what and when: rows ``video,person_id,start_second,end_second,action``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.csv_file import read_csv
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted

COLUMNS = "video,person_id,start_second,end_second,action"
_EVERYBODY = "*"
_SLACK_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class ActionSpan:
    """One row; ``person`` is None for everybody.

    Attributes:
        where: file and row, for messages.
        video: name of the video.
        person: id of the person.
        start: second at which the action begins.
        end: second before which it ends; equal to ``start`` for that second alone.
        action: its name.
    """

    where: str
    video: str
    person: int | None
    start: float
    end: float
    action: str

    def holds(self, seconds: np.ndarray) -> np.ndarray:
        """Returns [n] whether the action is going on at these times."""
        if self.start == self.end:
            return np.abs(seconds - self.start) <= 0.5
        return (seconds >= self.start - _SLACK_SECONDS) & (seconds < self.end - _SLACK_SECONDS)


class ActionSpans:
    """The spans of some files."""

    def __init__(self, spans: Sequence[ActionSpan]) -> None:
        self._spans = spans

    def actions_of(self, track: PersonTrack) -> tuple[tuple[str, ...], ...]:
        """Returns the actions at each time of a track."""
        own = [s for s in self._spans if s.video == track.video and s.person in (None, track.person_id)]
        going_on = [(span.action, span.holds(track.seconds)) for span in own]
        return tuple(
            tuple(dict.fromkeys(action for action, is_on in going_on if is_on[place])) for place in range(len(track))
        )

    def unused_notes(self, tracks: Sequence[PersonTrack]) -> list[str]:
        """Returns one sentence about the spans in which nobody is tracked."""
        unused = [
            span
            for span in self._spans
            if not any(
                span.video == track.video and span.person in (None, track.person_id) and span.holds(track.seconds).any()
                for track in tracks
            )
        ]
        if not unused:
            return []
        shown = "; ".join(f"{span.where} (person {span.person}, {span.action})" for span in unused[:5])
        more = "; ..." if len(unused) > 5 else ""
        return [f"Nobody is tracked at the times of {counted(len(unused), 'row')} of actions: {shown}{more}."]


def read_spans(path: Path, only_video: str | None, options: ReadOptions) -> Iterator[ActionSpan]:
    """Yields the rows of an action file.

    Args:
        path: the file.
        only_video: the video that is meant by rows without one.
        options: the names of the videos, and the numbers of the actions, which may stand for names.

    Raises:
        DataError: a row is wrong.
    """
    id_names = {} if options.labels is None else dict(zip(options.labels.ids, options.labels.names, strict=True))
    for number, cells in read_csv(path):
        if number == 1 and _is_header(cells):
            continue
        where = f"{path}, row {number}"
        cells = [""] * (len(cells) == 4) + cells
        video = options.videos.name_of(cells[0]) if cells[0] else only_video
        person = _person(cells[1]) if len(cells) == 5 else -1
        times = [_second(cell) for cell in cells[2:4]]
        start, end = times if len(times) == 2 else (None, None)
        if len(cells) != 5 or person == -1 or start is None or end is None or end < start or not cells[4]:
            raise DataError(f"{where}: expected {COLUMNS}, found {','.join(cells)}.")
        if video is None:
            raise DataError(f"{where} names no video, and there are several; expected {COLUMNS}.")
        action = id_names.get(int(cells[4]), cells[4]) if cells[4].isdecimal() else cells[4]
        yield ActionSpan(where, video, person, start, end, action)


def _is_header(cells: Sequence[str]) -> bool:
    return len(cells) in (4, 5) and _second(cells[-3]) is None and _second(cells[-2]) is None


def _person(cell: str) -> int | None:
    """Returns the id, None for everybody, -1 for a mistake."""
    if cell == _EVERYBODY:
        return None
    return int(cell) if cell.isdecimal() else -1


def _second(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) and value >= 0 else None
