"""A data set examined, shown and repaired: what tools/check_dataset.py does."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.dataset.clip_table import table_of_boxes, table_of_persons
from alphaction.dataset.doctor.box_checks import find_box_faults
from alphaction.dataset.doctor.check import Examination
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.movie_checks import Place
from alphaction.dataset.doctor.split import Split
from alphaction.dataset.frames import Window
from alphaction.dataset.sources import ClipFolder, Source, WholeVideo
from alphaction.dataset.video_file import VideoError, probe
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import UserError
from alphaction.visualization.dataset_sheet import LabelledFrame, write_dataset_sheet

# A window of which only the key frame itself is read.
_KEY_FRAME = Window(frame_num=2, sample_rate=1, fps=0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture of key frames; ``notes`` name, as sentences, the halves and key frames it does not show."""

    path: Path
    notes: tuple[str, ...]


def write_sheet(result: Examination, path: str | Path, *, num_frames: int = 12) -> Sheet:
    """Writes a picture of key frames of all halves, evenly over their videos.

    Args:
        result: an examined data set.
        path: the PNG to write.
        num_frames: panels of the picture, shared by the halves.

    Raises:
        UserError: no key frame can be shown, or the file cannot be written.
    """
    notes: list[str] = []
    shown = _shown_splits(result, notes)
    frames = [frame for split in shown for frame in _frames_of(split, result, max(1, num_frames // len(shown)), notes)]
    if not frames:
        raise UserError(
            " ".join([f"{path} was not written: no labelled key frame of the data set can be read.", *notes])
        )
    labels = next(split.classes.labels for split in shown if split.classes is not None)
    try:
        return Sheet(write_dataset_sheet(frames, labels, path), tuple(notes))
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def _shown_splits(result: Examination, notes: list[str]) -> list[Split]:
    """Returns the halves that can be drawn together; the others are noted."""
    shown: list[Split] = []
    for split in result.splits:
        if split.truth is None or split.classes is None:
            notes.append(
                f"{split.title} is not drawn: its {'rows' if split.truth is None else 'classes'} cannot be read."
            )
        elif shown and shown[0].classes and split.classes.labels != shown[0].classes.labels:
            notes.append(f"{split.title} is not drawn: its classes are not those of {shown[0].title}.")
        else:
            shown.append(split)
    return shown


def _frames_of(split: Split, result: Examination, most: int, notes: list[str]) -> Iterator[LabelledFrame]:
    assert split.truth is not None and split.classes is not None
    truth = _drawable(split.truth, split.classes.labels)
    keys = [key for key in truth.frame_index()[0] if key.video in result.places]
    if not keys:
        notes.append(f"{split.title} is not drawn: it has no key frame with a box, a known class and a video.")
        return
    chosen = [keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, min(most, len(keys))).round().astype(int))]
    persons = table_of_persons(truth, chosen, split.classes.labels.column_of())[0]
    detected = None
    if split.boxes is not None:
        good = split.boxes.rows.select(split.boxes.rows.score >= split.threshold.score)
        detected = table_of_boxes(good, chosen)
    for position, key in enumerate(chosen):
        try:
            frame = _read(key, result.places[key.video], result)
        except VideoError as error:
            notes.append(f"{split.title}: {key} is not drawn: {error}.")
            continue
        size = (frame.shape[1], frame.shape[0])
        others = None if detected is None else detected.boxes(position, size)
        yield LabelledFrame(split.title, key, frame, persons.boxes(position, size), others)


def _drawable(table: FileRows, labels: LabelMap) -> AvaRows:
    """Returns the rows of known actions whose boxes are parts of the frame."""
    faults = find_box_faults(table.rows.xyxy, table.sizes)
    is_known = np.isin(table.rows.action, labels.ids)
    return table.rows.select(is_known & ~(faults.pixels | faults.far | faults.inverted))


def _read(key: ClipKey, place: Place, result: Examination) -> np.ndarray:
    """Returns the key frame; a VideoError is raised when it cannot be read."""
    if isinstance(place, ClipFolder):
        source: Source = place
    else:
        facts = result.facts.get(key.video)
        source = WholeVideo(str(place), facts.info if facts else probe(place))
    return source.read(key.timestamp_ms, np.array([1]), _KEY_FRAME).frames[0]
