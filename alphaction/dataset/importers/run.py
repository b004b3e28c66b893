"""From annotation files and a folder of videos to a data set that can be trained on."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alphaction.dataset.importers.base import FORMATS, NO_ACTION, Imported, ReadOptions, check_endings
from alphaction.dataset.importers.cleaning import keep_usable
from alphaction.dataset.importers.person_boxes import Found, count_found, load_person_boxes
from alphaction.dataset.importers.splitting import SIDES, Split, SplitBy, is_outside_halves, split_given, split_rows
from alphaction.dataset.importers.standard_folder import (
    check_folder,
    groups_entry,
    has_written,
    refuse_to_lose_edits,
    write_boxes_csv,
    write_dataset_yaml,
    write_labels,
    write_marker,
    write_truth_csv,
    written_when_complete,
)
from alphaction.dataset.importers.video_folder import VideoFolder
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.labels import LabelMap, load_label_map
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted

# TEST.BOX_THRESH of the released configurations, which holds where the data set does not say otherwise.
_USUAL_BOX_THRESH = 0.8


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What is to be imported.

    Attributes:
        format: a name in ``FORMATS``.
        files: the annotation files.
        videos: the folder of the videos.
        out: the folder to write.
        val_files: annotation files for validation; without them the labels of ``files`` are split.
        labels: a label file, or None for the names in the files.
        groups: ``"exclusive"``, ``"multilabel"``, or None for what the label file says, else multi-label.
        val_share: the part of the videos (or of the time) for validation.
        split_by: see ``splitting.split_rows``.
        seed: which videos are for validation.
        gap_seconds: see ``splitting.split_rows``.
        boxes: a detector's person boxes.
        box_thresh: the score such a box needs in a test, or None for TEST.BOX_THRESH.
        frame_rate: see ``ReadOptions``.
        attributes: see ``ReadOptions``.
        overwrite: write over files of an earlier import that were edited since.
    """

    format: str
    files: tuple[Path, ...]
    videos: Path
    out: Path
    val_files: tuple[Path, ...] = ()
    labels: Path | None = None
    groups: str | None = None
    val_share: float = 0.2
    split_by: SplitBy | None = None
    seed: int = 0
    gap_seconds: float = 3.0
    boxes: tuple[Path, ...] = ()
    box_thresh: float | None = None
    frame_rate: float = 0.0
    attributes: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ImportReport:
    """What was written.

    Attributes:
        out: the folder.
        labels: the classes.
        split: the halves.
        rows: the labels of each half, by its name.
        num_labels: labels that the files hold.
        left_out: labels that were not written, by reason; with those of ``rows`` they are ``num_labels``.
        num_boxes: a detector's boxes of each half, by its name.
        found: how the boxes of the validation half meet its persons, or None.
        box_thresh: the score that ``found`` is about.
        notes: what else the user should know.
    """

    out: Path
    labels: LabelMap
    split: Split
    rows: dict[str, AvaRows]
    num_labels: int
    left_out: Counter[str]
    num_boxes: dict[str, int]
    found: Found | None
    box_thresh: float
    notes: tuple[str, ...]


def import_dataset(plan: ImportPlan) -> ImportReport:
    """Reads the files, writes the standard folder and returns what is in it; on any error nothing is written.

    Raises:
        UserError: a file, a value or the folder cannot be used.
    """
    found = _read(plan)
    left_out: Counter[str] = sum((part.left_out for part in found), Counter())
    try:
        split, rows = _split(plan, found)
    except DataError as error:
        raise DataError(f"{error} Left out before: {_reasons(left_out) or 'nothing'}.") from error
    between = sum(len(part.rows) for part in found) - sum(len(side) for side in rows.values())
    left_out[f"labels in the gap of {plan.gap_seconds:g} s between training and validation"] += between
    num_empty = sum(len(part.rows.frames_without_boxes) for part in found)
    num_empty -= sum(len(side.frames_without_boxes) for side in rows.values())
    boxes, notes = _boxes(plan, split, found[0])
    if num_empty:
        notes.append(f"In neither training nor validation: {counted(num_empty, 'key frame')} without persons.")
    if left_out[NO_ACTION]:
        notes.append(
            f"{counted(left_out[NO_ACTION], 'person')} without an action: from them a model would learn what it looks "
            'like when nobody does any. Give them an action of their own, such as "other".'
        )
    if not boxes and has_written(plan.out, "val_boxes.csv"):
        notes.append("The boxes of the import before are gone: give them with --boxes again.")
    _write(plan, found[0].labels, rows, boxes, +left_out)
    thresh = _USUAL_BOX_THRESH if plan.box_thresh is None else plan.box_thresh
    return ImportReport(
        out=plan.out,
        labels=found[0].labels,
        split=split,
        rows=rows,
        num_labels=sum(part.num_labels for part in found),
        left_out=+left_out,
        num_boxes={name: len(side) for name, side in boxes.items()},
        found=count_found(boxes["val"], rows["val"], thresh) if boxes else None,
        box_thresh=thresh,
        notes=(*dict.fromkeys(note for part in found for note in part.notes), *notes),
    )


def _read(plan: ImportPlan) -> list[Imported]:
    """Returns what can be used of ``files`` and, where they are given, of ``val_files``; something of the first."""
    read = FORMATS.get(plan.format)
    _check(plan)
    labels = load_label_map(plan.labels, plan.groups) if plan.labels else None
    options = ReadOptions(VideoFolder(plan.videos), labels, plan.groups, plan.frame_rate, plan.attributes)
    for path in (*plan.files, *plan.val_files, *plan.boxes):
        if not path.is_file():
            raise DataError(f"{path} is a folder; give the files." if path.is_dir() else f"There is no file {path}.")
    if plan.val_files:
        options = replace(options, labels=read(list(dict.fromkeys([*plan.files, *plan.val_files])), options).labels)
    found = [keep_usable(read(files, options), options.videos) for files in (plan.files, plan.val_files) if files]
    if not len(found[0].rows):
        raise DataError(_nothing_left(plan, found[0]))
    return found


def _check(plan: ImportPlan) -> None:
    """Refuses what cannot be done before a file is read."""
    check_folder(plan.out)
    if not plan.overwrite:
        refuse_to_lose_edits(plan.out)
    if plan.groups not in (None, "exclusive", "multilabel"):
        raise DataError(f'groups is "{plan.groups}"; it takes "exclusive" or "multilabel".')
    check_endings(plan.format, (*plan.files, *plan.val_files))
    for name, value in (("gap", plan.gap_seconds), ("frame rate", plan.frame_rate)):
        if not value >= 0:
            raise DataError(f"The {name} is {value:g}; it must not be negative.")
    if not 0 < plan.val_share < 1:
        raise DataError(f"The share for validation is {plan.val_share:g}; it must lie between 0 and 1.")


def _reasons(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())


def _nothing_left(plan: ImportPlan, imported: Imported) -> str:
    reasons = _reasons(imported.left_out)
    notes = " ".join(imported.notes)
    files = ", ".join(str(path) for path in plan.files)
    if not imported.num_labels:
        return f"There is no label in {files}."
    return f"None of {counted(imported.num_labels, 'label')} of {files} can be used: {reasons}. {notes}".rstrip()


def _split(plan: ImportPlan, found: Sequence[Imported]) -> tuple[Split, dict[str, AvaRows]]:
    if len(found) == 2:
        given = dict(zip(SIDES, (part.rows for part in found), strict=True))
        return split_given(given["train"], given["val"]), given
    split = split_rows(found[0].rows, plan.split_by, plan.val_share, plan.seed, plan.gap_seconds)
    return split, {name: split.side(name, found[0].rows) for name in SIDES}


def _boxes(plan: ImportPlan, split: Split, imported: Imported) -> tuple[dict[str, AvaRows], list[str]]:
    """Returns the boxes of each half, and what is to be said about them."""
    if not plan.boxes:
        return {}, []
    boxes, num_others = load_person_boxes(list(plan.boxes), imported.images)
    sides = {name: replace(split.side(name, boxes), frames_without_boxes=()) for name in SIDES}
    if not len(sides["val"]):
        raise DataError(
            f"{', '.join(str(path) for path in plan.boxes)}: none of the {len(boxes)} boxes is at a time of a "
            f"validation video ({', '.join(list(split.val)[:5])}); the boxes are of {', '.join(boxes.videos[:5])}."
        )
    keys, frame_of_box = boxes.frame_index()
    is_outside = np.array([is_outside_halves(split, key) for key in keys], bool)
    num_outside = int(is_outside[frame_of_box].sum()) if keys else 0
    counts = {
        f"Left out: {counted(num_outside, 'person box')} at times of neither training nor validation.": num_outside,
        f"Left out: {counted(num_others, 'box')} of other images or categories.": num_others,
    }
    return sides, [note for note, count in counts.items() if count]


def _write(
    plan: ImportPlan, labels: LabelMap, rows: dict[str, AvaRows], boxes: dict[str, AvaRows], left_out: Counter[str]
) -> None:
    with written_when_complete(plan.out) as folder:
        write_labels(folder / "labels.pbtxt", labels)
        for name, side in rows.items():
            write_truth_csv(folder / f"{name}.csv", side)
            if name in boxes:
                write_boxes_csv(folder / f"{name}_boxes.csv", boxes[name])
            entries: dict[str, Any] = {
                "video_root": _relative(plan.videos, plan.out),
                "csv_gt_file": f"{name}.csv",
                "box_file": f"{name}_boxes.csv" if name in boxes else None,
                "label_file": "labels.pbtxt",
                "groups": groups_entry(labels),
                "box_thresh": plan.box_thresh,
            }
            write_dataset_yaml(folder / f"{name}.yaml", entries)
        facts = {
            "format": plan.format,
            "files": [str(path) for path in plan.files],
            "val_files": [str(path) for path in plan.val_files],
            "videos": str(plan.videos),
            "seed": plan.seed,
            "left_out": dict(left_out),
        }
        write_marker(folder, facts)


def _relative(videos: Path, out: Path) -> str:
    """Returns the folder of the videos as the dataset files name it: relative to them unless nothing is shared."""
    videos, out = videos.resolve(), out.resolve()
    is_apart = videos.drive != out.drive or videos.parts[:2] != out.parts[:2]
    return str(videos) if is_apart else os.path.relpath(videos, out)
