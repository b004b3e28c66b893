"""AVA CSV files as columns: ground truth, action results, predicted person boxes and excluded key frames."""

import csv
import gzip
import io
import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.ava_csv_parser import (
    EXPECTED,
    BadRow,
    FileKind,
    ParsedLines,
    explain_bad_row,
    parse_lines,
)
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError
from alphaction.utils.files import replaced_when_complete

logger = logging.getLogger(__name__)

_LINES_AT_ONCE = 50_000
NO_ACTION = -1


@dataclass(frozen=True, slots=True, eq=False)
class AvaRows:
    """The n rows of an AVA file, one array a column.

    Attributes:
        videos: the names that occur, each once.
        video: [n] int32 positions in ``videos``.
        timestamp_ms: [n] int64 time of the key frame.
        xyxy: [n, 4] float64 left, top, right, bottom as fractions of the frame.
        action: [n] int64 class ids, ``NO_ACTION`` in files of person boxes.
        score: [n] float64, 1 in ground truth.
        person_id: [n] int64, -1 where the file gives none.
        frames_without_boxes: key frames that the file lists without a box.
    """

    videos: tuple[str, ...]
    video: NDArray[np.int32]
    timestamp_ms: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    action: NDArray[np.int64]
    score: NDArray[np.float64]
    person_id: NDArray[np.int64]
    frames_without_boxes: tuple[ClipKey, ...] = ()

    def __len__(self) -> int:
        return len(self.video)

    def select(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "AvaRows":
        """Returns the rows at ``index`` (positions, a mask or a slice); key frames without boxes stay listed."""
        columns = ("video", "timestamp_ms", "xyxy", "action", "score", "person_id")
        return replace(self, **{name: getattr(self, name)[index] for name in columns})

    def frame_index(self) -> tuple[list[ClipKey], NDArray[np.int64]]:
        """Returns the distinct key frames that have rows, by video and time, and [n] each row's position there."""
        if not len(self):
            return [], np.zeros(0, np.int64)
        changes = (np.diff(self.video) != 0) | (np.diff(self.timestamp_ms) != 0)
        starts = np.flatnonzero(np.concatenate([[True], changes]))
        times, time_code = np.unique(self.timestamp_ms[starts], return_inverse=True)
        codes = self.video[starts].astype(np.int64) * len(times) + time_code
        distinct, run_frame = np.unique(codes, return_inverse=True)
        keys = [ClipKey(self.videos[code // len(times)], int(times[code % len(times)])) for code in distinct.tolist()]
        return keys, np.repeat(run_frame, np.diff(np.append(starts, len(self)))).astype(np.int64)

    def num_repeated(self) -> int:
        """Returns how many rows have the video, time, box and action of an earlier one."""
        columns = np.column_stack([self.video, self.timestamp_ms, self.action, self.xyxy])
        order = np.lexsort(columns.T)
        return int((np.diff(columns[order], axis=0) == 0).all(axis=1).sum())

    @property
    def keyframes(self) -> tuple[ClipKey, ...]:
        """The distinct key frames of the file, those without boxes last."""
        return tuple(dict.fromkeys([*self.frame_index()[0], *self.frames_without_boxes]))


def load_ground_truth_csv(path: str | Path) -> AvaRows:
    """Returns the rows ``video,second,x1,y1,x2,y2,action,person_id`` of a ground-truth file.

    A row with only ``video,second`` (the others missing or empty) is a key frame without boxes; the person id
    may be missing. Seconds may have leading zeros and fractions, which are kept to the millisecond. A name that
    ends in ``.gz`` is decompressed.

    Raises:
        DataError: the file cannot be read or holds no row, or a row is wrong; the message names it.
    """
    rows = _load(Path(path), "person_id")
    if not len(rows) and not rows.frames_without_boxes:
        raise DataError(f"The ground truth {path} holds no row; expected {EXPECTED['person_id']}.")
    if num_again := rows.num_repeated():
        logger.warning("%d rows of %s are there twice; the evaluation counts each of them.", num_again, path)
    return rows


def load_results_csv(path: str | Path) -> AvaRows:
    """Returns the rows ``video,second,x1,y1,x2,y2,action,score`` of a result file, which may be empty.

    Boxes without an area are kept: the evaluator leaves them out and counts them.

    Raises:
        DataError: the file cannot be read, or a row is wrong; the message names it.
    """
    return _load(Path(path), "score")


def load_person_boxes_csv(path: str | Path) -> AvaRows:
    """Returns the rows ``video,second,x1,y1,x2,y2,,score`` of a person detector, which have no action.

    Raises:
        DataError: the file cannot be read, or a row is wrong; the message names it.
    """
    return _load(Path(path), "box_score")


def load_exclusions(path: str | Path) -> set[ClipKey]:
    """Returns the key frames that a file of ``video,second`` rows takes out of the evaluation.

    Raises:
        DataError: the file cannot be read, or a row is wrong; the message names it.
    """
    return set(_load(Path(path), "none").frames_without_boxes)


def write_results_csv(path: str | Path, rows: AvaRows | Iterable[AvaRows]) -> None:
    """Writes rows ``video,second,x1,y1,x2,y2,action,score``, all at once or part by part.

    Boxes have 5 decimals. Scores have 9 significant digits, as many as tell any two float32 numbers apart: fewer
    would make ties, and the order within a tie changes the metric. The file appears under its name when complete.
    """
    parts = [rows] if isinstance(rows, AvaRows) else rows
    with replaced_when_complete(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        for part in parts:
            for start in range(0, len(part), _LINES_AT_ONCE):
                file.writelines(_format_rows(part.select(slice(start, start + _LINES_AT_ONCE))))


def _format_rows(rows: AvaRows) -> Iterator[str]:
    names = [_quote(name) for name in rows.videos]
    previous, prefix = None, ""
    columns = (rows.video, rows.timestamp_ms, rows.xyxy, rows.action, rows.score)
    for video, time, box, action, score in zip(*(column.tolist() for column in columns), strict=True):
        if (video, time, box) != previous:
            previous = (video, time, box)
            prefix = "{},{},{:.5f},{:.5f},{:.5f},{:.5f}".format(names[video], _format_second(time), *box)
        yield f"{prefix},{action},{score:.9g}\n"


def _format_second(timestamp_ms: int) -> str:
    whole, fraction = divmod(timestamp_ms, 1000)
    return f"{whole:04d}" + (f".{fraction:03d}".rstrip("0") if fraction else "")


def _quote(name: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([name])
    return line.getvalue()


def _load(path: Path, kind: FileKind) -> AvaRows:
    parts, number = [parse_lines([], kind)], 1
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig")
            while lines := list(islice(text, _LINES_AT_ONCE)):
                try:
                    parts.append(parse_lines(lines, kind))
                except BadRow:
                    raise DataError(f"{path}, {explain_bad_row(lines, number, kind)}") from None
                number += len(lines)
    except UnicodeDecodeError as error:
        raise DataError(
            f"Cannot read the CSV file {path}: it is not UTF-8 text ({error.reason}); save it as UTF-8."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot read the CSV file {path}: {error}") from error
    return _join(parts, kind)


def _join(parts: list[ParsedLines], kind: FileKind) -> AvaRows:
    codes: dict[str, int] = {}
    video = [
        np.array([codes.setdefault(name, len(codes)) for name in part.videos], np.int32)[part.video] for part in parts
    ]
    last = np.concatenate([part.last for part in parts])
    is_id = kind == "person_id"
    return AvaRows(
        videos=tuple(codes),
        video=np.concatenate(video),
        timestamp_ms=np.concatenate([part.timestamp_ms for part in parts]),
        xyxy=np.concatenate([part.xyxy for part in parts]),
        action=np.concatenate([part.action for part in parts]),
        score=np.ones(len(last)) if is_id else last,
        person_id=last.astype(np.int64) if is_id else np.full(len(last), -1, np.int64),
        frames_without_boxes=tuple(dict.fromkeys(key for part in parts for key in part.empty)),
    )
