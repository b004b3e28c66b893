"""Format ``ava-csv``: AVA ground truth ``video,second,x1,y1,x2,y2,action,person_id``, and a label map."""

from collections.abc import Sequence
from pathlib import Path

from alphaction.dataset.importers.base import FORMATS, Imported, ReadOptions
from alphaction.dataset.importers.classes import labels_of_ids
from alphaction.dataset.importers.rows import join_rows
from alphaction.structures.ava_csv import load_ground_truth_csv
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import DataError

_LABEL_SUFFIXES = (".pbtxt", ".txt")


@FORMATS.register("ava-csv")
def read_ava_csv(files: Sequence[Path], options: ReadOptions) -> Imported:
    """Returns the rows of CSV files as they are; one of ``files`` may be the label map (``.pbtxt``, ``.txt``).

    Raises:
        DataError: a file cannot be used; the message names its row.
    """
    maps = [path for path in files if path.suffix.lower() in _LABEL_SUFFIXES]
    tables = [path for path in files if path not in maps]
    if not tables or len(maps) > 1:
        raise DataError(
            f"ava-csv takes CSV files of ground truth and at most one label map ({', '.join(_LABEL_SUFFIXES)}); got "
            f"{', '.join(path.name for path in files)}."
        )
    rows = join_rows([load_ground_truth_csv(path) for path in tables])
    used = rows.action.tolist()
    notes = []
    if options.labels is None and maps:
        labels = load_label_map(maps[0], options.groups)
        options_with_map = ReadOptions(options.videos, labels, options.groups)
        labels = labels_of_ids(used, options_with_map, {})
    else:
        labels = labels_of_ids(used, options, {})
    if options.labels is None and not maps:
        notes.append("No label map is given (--labels FILE): the classes are called by their ids.")
    return Imported(rows, labels, len(rows), notes=tuple(notes))
