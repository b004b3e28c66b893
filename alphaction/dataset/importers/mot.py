"""Format ``mot``: tracks in MOTChallenge's columns, and a file that says who does what and when."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.importers.base import FORMATS, Imported, ReadOptions
from alphaction.dataset.importers.csv_file import read_csv
from alphaction.dataset.importers.frame_size import require_same_size
from alphaction.dataset.importers.mot_actions import ActionSpans, read_spans
from alphaction.dataset.importers.mot_overlap import match_rows
from alphaction.dataset.importers.sampling import import_tracks
from alphaction.structures.ava_csv import load_ground_truth_csv
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError

_EXPECTED = "frame,id,left,top,width,height,confidence,... (frames from 1, pixels)"
_PERSON_CLASSES = (1, 2, 7)  # pedestrian, person on a vehicle, static person
_NOT_USED = "tracked boxes that the file marks as not to be used (confidence 0)"
_NO_PERSON = "tracked boxes of other classes than persons"


@dataclass(frozen=True, slots=True)
class _Files:
    tracks: list[Path]
    spans: list[Path]
    rows: list[Path]


@FORMATS.register("mot")
def read_mot(files: Sequence[Path], options: ReadOptions) -> Imported:
    """Returns the labels of tracked persons.

    Args:
        files: track files, and one or more action files, told apart by their columns:

            - tracks: ``frame,id,left,top,width,height,confidence,...``, frames from 1, boxes in pixels. The video is
              the one with the file's name, or (``<video>/gt/gt.txt``) of its folder, or the only one.
            - actions: ``video,person_id,start_second,end_second,action``: the action holds from the start up to, but
              not at, the end; equal numbers mean that second. The video may be left out where there is one track
              file, and ``*`` is every person. A first line of names is passed over.
            - or AVA rows ``video,second,x1,y1,x2,y2,action,person_id``: each gives its action to the tracked box at
              that second with which it overlaps most, by an IoU of at least 0.5.
        options: the videos tell sizes and rates; ``frame_rate`` replaces the latter.

    Raises:
        DataError: a file cannot be used; the message names its row.
    """
    given = _sort_files(files)
    left_out: Counter[str] = Counter()
    tracks = [track for path in given.tracks for track in _read_tracks(path, len(given.tracks), options, left_out)]
    notes = [f"Passed over: {count} {reason}." for reason, count in (+left_out).items()]
    if given.spans:
        only = tracks[0].video if len({track.video for track in tracks}) == 1 else None
        spans = ActionSpans([span for path in given.spans for span in read_spans(path, only, options)])
        tracks = [replace(track, actions=spans.actions_of(track)) for track in tracks]
        notes += spans.unused_notes(tracks)
        return import_tracks(tracks, options, notes=notes)
    rows = [load_ground_truth_csv(path) for path in given.rows]
    return match_rows(tracks, rows, options, notes)


def _sort_files(files: Sequence[Path]) -> _Files:
    given = _Files([], [], [])
    for path in files:
        cells = next((cells for _, cells in read_csv(path)), [])
        if len(cells) in (4, 5):
            given.spans.append(path)
        elif len(cells) in (7, 8) and _is_fractions(cells[2:6]):
            given.rows.append(path)
        elif len(cells) >= 6:
            given.tracks.append(path)
        else:
            raise DataError(
                f"{path} has {len(cells)} columns; mot takes tracks ({_EXPECTED}), and actions: rows "
                "video,person_id,start_second,end_second,action, or AVA rows."
            )
    if not given.tracks or bool(given.spans) == bool(given.rows):
        raise DataError(
            "mot takes track files and action files of one kind; found "
            f"{len(given.tracks)} of tracks, {len(given.spans)} of rows video,person_id,start_second,end_second,action "
            f"and {len(given.rows)} of AVA rows."
        )
    return given


def _is_fractions(cells: Sequence[str]) -> bool:
    try:
        return all(-0.5 <= float(cell) <= 1.5 for cell in cells)
    except ValueError:
        return False


def _read_tracks(path: Path, num_files: int, options: ReadOptions, left_out: Counter[str]) -> list[PersonTrack]:
    table = read_mot_table(path)  # [rows, 8]
    video = _video_of(path, num_files, options)
    footage = options.videos.needed(video, f"for the frame rate and size of the tracks {path}")
    fps = options.frame_rate or footage.fps
    used, persons = table[:, 6] != 0, is_mot_person(table)
    left_out[_NOT_USED] += int((~used).sum())
    left_out[_NO_PERSON] += int((used & ~persons).sum())
    table = table[used & persons]
    require_same_size(path, video, corners_of(table) / np.tile(footage.size, 2), footage.size)
    tracks = []
    for person in np.unique(table[:, 1]):
        own = table[table[:, 1] == person]
        own = own[np.argsort(own[:, 0], kind="stable")]
        if (np.diff(own[:, 0]) == 0).any():
            frame = int(own[:-1][np.diff(own[:, 0]) == 0][0, 0])
            raise DataError(f"{path}: person {int(person)} has two boxes in frame {frame}.")
        seconds = (own[:, 0] - 1) / fps
        corners = corners_of(own) / np.tile(footage.size, 2)
        for part in np.split(np.arange(len(own)), np.flatnonzero(np.diff(seconds) > 1.0) + 1):
            tracks.append(PersonTrack.without_actions(video, int(person), seconds[part], corners[part]))
    return tracks


def corners_of(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns [rows, 4] left, top, right, bottom of the boxes of a table, in pixels."""
    return np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)


def is_mot_person(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns which rows of a table are persons; a file without classes holds nothing else."""
    return np.isin(table[:, 7], (*_PERSON_CLASSES, -1))


def _video_of(path: Path, num_files: int, options: ReadOptions) -> str:
    names = [path.stem, path.parent.name, path.parent.parent.name]
    found = next((name for name in names if name in options.videos), None)
    found = found or (options.videos.only_name() if num_files == 1 else None)
    if found is None:
        raise DataError(
            f'The video of the tracks {path} cannot be told: {options.videos.root} has no "{path.stem}" '
            f"({options.videos.listed()}). Name the track file as its video."
        )
    return found


def read_mot_table(path: Path) -> NDArray[np.float64]:
    """Returns [rows, 8] frame, id, left, top, width, height, confidence (1), class (-1 where the file has none).

    Raises:
        DataError: the file cannot be read, or a row is none of MOTChallenge's.
    """
    rows = [_read_row(f"{path}, row {number}", cells) for number, cells in read_csv(path)]
    return np.array(rows, np.float64).reshape(-1, 8)


def _read_row(where: str, cells: Sequence[str]) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = []
    if len(values) < 6 or not np.isfinite(values).all() or values[0] < 1 or values[0] % 1 or values[1] % 1:
        raise DataError(f"{where}: expected {_EXPECTED}, found {','.join(cells)}.")
    confidence = values[6] if len(values) > 6 else 1.0
    # Nine columns are MOT16's, whose eighth is a class; ten are MOT15's, which end with a place in the world.
    kind = values[7] if len(values) == 9 else -1
    return [*values[:6], confidence, kind]
