"""A repaired copy of a data set's annotation files; the originals and the videos stay as they are."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from alphaction.dataset.doctor.check import Examination
from alphaction.dataset.doctor.csv_text import read_csv_text
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.fix_json import repair_json
from alphaction.dataset.doctor.fix_rows import Change, Droppable, repair_rows
from alphaction.dataset.doctor.spelling import Corrections, ids_by_name, respell
from alphaction.dataset.doctor.split import Split
from alphaction.dataset.sources import ClipFolder
from alphaction.structures.ava_csv_parser import FileKind
from alphaction.utils.errors import UserError
from alphaction.utils.files import write_text

__all__ = ["DROPPABLE", "Change", "DropKind", "write_repaired"]

# Rows that only the user can decide to leave out.
DropKind = Literal["unknown-ids", "bad-rows", "times", "videos"]
DROPPABLE: tuple[DropKind, ...] = get_args(DropKind)
_CHANGES = "changes.txt"
_KEPT = ("groups", "keep_classes", "box_thresh")


@dataclass(frozen=True, slots=True)
class _Copier:
    """Gives each original one name in the new folder, and notes what was changed on the way."""

    out: Path
    names: dict[str, str]
    changes: list[Change]

    def name_for(self, path: str, is_rewritten: bool) -> tuple[str, bool]:
        """Returns the file's new name, and whether it is still to be written; what is rewritten is not compressed."""
        if path in self.names:
            return self.names[path], False
        name = Path(path).name.removesuffix(".gz") if is_rewritten else Path(path).name
        while name in self.names.values():
            name = f"other_{name}"
        self.names[path] = name
        return name, True


def write_repaired(result: Examination, out: str | Path, drop: Sequence[DropKind] = ()) -> list[Change]:
    """Writes a copy of the annotation files with what can surely be repaired repaired, and data set files for them.

    Byte order marks, header lines and blank lines are removed, tabs and semicolons become commas, boxes are clipped to
    the frame, reversed corners are swapped, boxes in pixels become fractions where their video's size is known and
    holds all of them, rows without an area and repeated rows are left out. Names of videos that differ from one file
    by case or ending are corrected, and names of classes become ids. In JSON files, of annotations or of a detector's
    boxes, boxes are clipped to their image, fractions become pixels, and boxes without an area and repeated actions are
    left out. Files of objects are copied as they are. The list of changes is written too.

    Args:
        result: an examined data set.
        out: a new or empty folder.
        drop: rows to leave out as well: of unknown actions (``unknown-ids``), that cannot be read or whose box cannot
            be used (``bad-rows``), at times outside their video (``times``), of missing or unreadable videos and
            seconds (``videos``).

    Returns:
        What was changed, in the order of the files and rows.

    Raises:
        UserError: ``out`` is not a new or empty folder, or cannot be written.
    """
    out = Path(out)
    check_new_folder(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--fix {out}: cannot be created: {error.strerror}.") from error
    copier = _Copier(out, {}, [])
    for split in result.splits:
        _write_split(split, _droppable(split, result, drop), result, copier)
    text = "".join(f"{change}\n" for change in copier.changes)
    write_text(out / _CHANGES, text or "Nothing had to be changed.\n")
    return copier.changes


def check_new_folder(out: Path) -> None:
    """Makes sure that a copy can be written.

    Raises:
        UserError: ``out`` is not a new or empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--fix {out}: it exists already; give a new folder, so that nothing is written over.")


def _write_split(split: Split, droppable: Droppable, result: Examination, copier: _Copier) -> None:
    files = split.source.files
    sizes = _sizes(result, split)
    content: dict[str, Any] = {"dataset": "AVAVideoDataset", "video_root": _relative(files.video_root, copier.out)}
    for key, table, kind in _tables(split):
        path = getattr(files, key)
        if path and Path(path).is_file():
            content[key], is_new = copier.name_for(path, table is not None)
            if is_new and table is None:
                shutil.copyfile(path, copier.out / content[key])
            elif is_new and table is not None:
                is_labelled = kind == "person_id"
                mine = droppable if is_labelled else Droppable(bad_rows=droppable.bad_rows)
                _write_file(table, mine, _corrections(split, table, is_labelled), sizes, kind, copier)
    content |= {key: _plain(value) for key in _KEPT if (value := getattr(files, key)) not in (None, ())}
    write_text(copier.out / f"{split.title}.yaml", yaml.safe_dump(content, sort_keys=False))


def _tables(split: Split) -> tuple[tuple[str, FileRows | None, FileKind], ...]:
    """Returns the key of each file in a data set file, its rows if it is repaired, and what its last column holds."""
    files = split.source.files
    return (
        ("csv_gt_file", split.truth, "person_id"),
        (
            "ann_file",
            split.truth if files.ground_truth_file == files.ann_file else split.annotations,
            "person_id",
        ),
        ("box_file", split.boxes, "box_score"),
        ("exclusion_file", split.excluded, "none"),
        ("label_file", None, "none"),
        ("labelmap_file", None, "none"),
        ("object_file", None, "none"),
    )


def _corrections(split: Split, table: FileRows, is_labelled: bool) -> Corrections:
    videos = {*table.rows.videos, *(key.video for key in table.rows.frames_without_boxes)}
    class_ids = ids_by_name(split.classes.whole) if is_labelled and split.classes else {}
    return Corrections(respell(sorted(videos), split.source.files.video_root), class_ids)


def _write_file(
    table: FileRows,
    droppable: Droppable,
    corrections: Corrections,
    sizes: Mapping[str, tuple[int, int]],
    kind: FileKind,
    copier: _Copier,
) -> None:
    if table.sizes is not None:
        repaired, changes = repair_json(table, droppable, corrections)
    else:
        text = read_csv_text(table.path, Findings())
        if text is None:
            raise UserError(f"{table.path} cannot be read any more.")
        lines, changes = repair_rows(table, text, sizes, droppable, corrections, kind)
        repaired = "".join(lines)
    copier.changes.extend(changes)
    write_text(copier.out / copier.names[table.path], repaired)


def _droppable(split: Split, result: Examination, drop: Sequence[DropKind]) -> Droppable:
    durations = {
        video: facts.info.duration
        for video, facts in result.facts.items()
        if not isinstance(result.places[video], ClipFolder)
    }
    spans = {
        video: (place.first, place.last) for video, place in result.places.items() if isinstance(place, ClipFolder)
    }
    usable = result.opened.usable
    good = set(result.places if usable is None else usable)
    if split.truth is not None:
        good |= set(respell(split.truth.rows.videos, split.source.files.video_root))
    return Droppable(
        known_ids=split.classes.known_ids if split.classes and "unknown-ids" in drop else None,
        bad_rows="bad-rows" in drop,
        durations=durations if "times" in drop else {},
        spans=spans if "times" in drop else {},
        good_videos=frozenset(good) if "videos" in drop else None,
        failed=result.opened.failed if "videos" in drop else frozenset(),
    )


def _sizes(result: Examination, split: Split) -> dict[str, tuple[int, int]]:
    """Returns (width, height) in pixels of the videos that could be opened."""
    videos = split.truth.rows.videos if split.truth is not None else ()
    infos = {video: result.facts[video].info for video in videos if video in result.facts}
    return {video: (info.width, info.height) for video, info in infos.items()}


def _relative(path: str, folder: Path) -> str:
    try:
        return os.path.relpath(Path(path).resolve(), folder.resolve())
    except ValueError:  # another drive
        return str(Path(path).resolve())


def _plain(value: Any) -> Any:
    """Returns a value as YAML writes it: mappings and lists without classes of their own."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, list | tuple) else value
