"""What a reader is given and what it gives back, and the table of the formats."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from alphaction.dataset.annotations import Images
from alphaction.dataset.importers.video_folder import VideoFolder
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError
from alphaction.utils.registry import Registry

NO_ACTION = "persons without an action"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says about the files.

    Attributes:
        videos: the folder of the videos, for their names, sizes and rates.
        labels: the classes, if a label file is given: it numbers the names, and every other name is an error.
        groups: ``"exclusive"``, ``"multilabel"``, or None for what the label file says.
        frame_rate: frames a second of numbered frames; 0 takes each video's own (in ``coco``: names are seconds).
        attributes: names of the attributes that hold actions; without them the readers look for them.
    """

    videos: VideoFolder
    labels: LabelMap | None = None
    groups: str | None = None
    frame_rate: float = 0.0
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """The labelled persons of some files. A label is one action of one person at one key frame.

    Attributes:
        rows: one row a label that is kept.
        labels: the classes.
        num_labels: labels that the files hold, a person without an action counted as one: the rows that are kept and
            those left out.
        left_out: number of labels that are not kept, by reason.
        notes: what else the user should know, one sentence each.
        images: the key frames by image id, if the format has ids: a detector's JSON boxes refer to them.
    """

    rows: AvaRows
    labels: LabelMap
    num_labels: int
    left_out: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    images: Images | None = None


Reader: TypeAlias = Callable[[Sequence[Path], ReadOptions], Imported]

FORMATS: Registry[Reader] = Registry("annotation format")
# Endings of the files of each format; a file with another format's ending is a mix-up, any other ending is tried.
_JSON = (".json", ".json.gz")
_TABLE = (".csv", ".csv.gz", ".txt", ".tsv")
ENDINGS = {
    "via3": _JSON,
    "coco": _JSON,
    "alphaction": _JSON,
    "cvat": (".xml", ".zip"),
    "mot": _TABLE,
    "ava-csv": (*_TABLE, ".pbtxt"),
}


def check_endings(name: str, files: Sequence[Path]) -> None:
    """Compares the names of files with the format they are said to have.

    Raises:
        DataError: a file is of another format.
    """
    own = ENDINGS.get(name, ())
    for path in files if own else ():
        others = [other for other, endings in ENDINGS.items() if path.name.lower().endswith(endings)]
        if others and name not in others:
            raise DataError(
                f"{name} takes files that end in {', '.join(own)}, got {path}. Formats with such files: "
                f"{', '.join(others)}."
            )
