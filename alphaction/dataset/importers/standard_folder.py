"""The folder a data set is written to: all of it, or nothing."""

import contextlib
import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError, UserError

# What a folder of ours holds; only such a folder is written over.
MARKER = "import.json"


def check_folder(out: Path) -> None:
    """Makes sure that ``out`` is new, empty, or one of an earlier import.

    Raises:
        DataError: it is something else.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; give a folder to write the data set to.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise DataError(
            f"{out} is not empty and was not written by an import (it has no {MARKER}); give a new folder, so that "
            "nothing of yours is written over."
        )


def refuse_to_lose_edits(out: Path) -> None:
    """Makes sure that the files of an earlier import are as it wrote them.

    Raises:
        DataError: somebody has worked on them since.
    """
    digests = _marker(out).get("sha256", {})
    edited = sorted(
        name for name, digest in digests.items() if (out / name).is_file() and _sha256(out / name) != digest
    )
    if edited:
        raise DataError(
            f"{', '.join(str(out / name) for name in edited)}: edited since the import, and a new one would write over "
            "it. Give another --out and copy what you need, or --overwrite to lose the edits."
        )


def has_written(out: Path, name: str) -> bool:
    """Returns whether a file of the folder is one that an import has written."""
    return (out / name).is_file() and name in _marker(out).get("written", ())


@contextlib.contextmanager
def written_when_complete(out: Path) -> Iterator[Path]:
    """Yields a new folder beside ``out`` to write to, and puts it in the place of ``out`` when the block ends well.

    Files of others in an earlier folder of ours move to the new one.

    Raises:
        UserError: the folder cannot be written.
    """
    check_folder(out)
    out = Path(os.path.abspath(out))
    partial, old = (out.with_name(f".{out.name}.{kind}") for kind in ("partial", "old"))
    try:
        _take_up(old, out)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if out.exists():
            os.replace(out, old)
        os.replace(partial, out)
        _take_up(old, out)
    except OSError as error:
        raise UserError(f"Cannot write the folder {out}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _take_up(old: Path, out: Path) -> None:
    """Moves what is not ours from an earlier folder that was put aside, and removes the rest of it."""
    if old.is_dir() and not out.exists():  # an earlier call was stopped between two steps
        os.replace(old, out)
    elif old.is_dir():
        for path in _others(old):
            if not (out / path.name).exists():
                os.replace(path, out / path.name)
        shutil.rmtree(old)


def write_marker(folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes how the folder was made, and which files are ours."""
    digests = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    written = sorted([*digests, MARKER])
    text = json.dumps({**facts, "written": written, "sha256": digests}, indent=1, ensure_ascii=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def write_labels(path: Path, labels: LabelMap) -> None:
    """Writes the classes, AVA's ``item`` form."""
    items = (
        f'item {{\n  name: "{_quotable(name)}"\n  id: {class_id}\n}}\n'
        for class_id, name in zip(labels.ids, labels.names, strict=True)
    )
    path.write_text("".join(items), encoding="utf-8", newline="\n")


def write_truth_csv(path: Path, rows: AvaRows) -> None:
    """Writes ``video,second,x1,y1,x2,y2,action,person_id``, by video and time; key frames without persons last."""
    _write_rows(path, rows, lambda i: (int(rows.action[i]), int(rows.person_id[i])))


def write_boxes_csv(path: Path, rows: AvaRows) -> None:
    """Writes ``video,second,x1,y1,x2,y2,,score``, by video and time."""
    _write_rows(path, rows, lambda i: ("", f"{rows.score[i]:.6g}"))


def write_dataset_yaml(path: Path, entries: Mapping[str, Any]) -> None:
    """Writes a dataset file; empty entries are left out."""
    given = {key: value for key, value in entries.items() if value is not None and value != ""}
    text = yaml.safe_dump({"dataset": "AVAVideoDataset", **given}, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def groups_entry(labels: LabelMap) -> str | dict[str, list[int]]:
    """Returns the ``groups`` entry of a dataset file for these classes."""
    names = [name for name, _ in labels.groups.items()]
    if names == ["pose"]:
        return "exclusive"
    if names == ["object"]:
        return "multilabel"
    return {name: [labels.ids[column] for column in columns] for name, columns in labels.groups.items()}


def _others(folder: Path) -> list[Path]:
    """Returns the files in a folder of ours that no import wrote."""
    ours = {MARKER, *_marker(folder).get("written", ())}
    return [path for path in folder.iterdir() if path.name not in ours]


def _marker(folder: Path) -> dict[str, Any]:
    """Returns what the marker says, nothing where it is missing or broken."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _quotable(name: str) -> str:
    """Returns a name as a label file can hold it: its format knows no quote within a name, and no brace."""
    for bad, good in (('"', "'"), ("{", "("), ("}", ")"), ("\n", " ")):
        name = name.replace(bad, good)
    return name


def _write_rows(path: Path, rows: AvaRows, last: Any) -> None:
    lines: list[tuple[tuple[str, int], int, list[Any]]] = []
    for position in range(len(rows)):
        box = [f"{value:.5f}" for value in rows.xyxy[position].tolist()]
        key = rows.videos[rows.video[position]], int(rows.timestamp_ms[position])
        lines.append((key, position, [key[0], _second(key[1]), *box, *last(position)]))
    for empty in rows.frames_without_boxes:
        key = empty.video, empty.timestamp_ms
        lines.append((key, len(rows), [key[0], _second(key[1])]))
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            cells for _, _, cells in sorted(lines, key=lambda line: line[:2])
        )


def _second(timestamp_ms: int) -> str:
    whole, fraction = divmod(timestamp_ms, 1000)
    return f"{whole:04d}" + (f".{fraction:03d}".rstrip("0") if fraction else "")
