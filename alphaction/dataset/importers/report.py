"""What an import did, as text."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from alphaction.dataset.importers.run import ImportReport
from alphaction.dataset.importers.splitting import SIDES
from alphaction.structures.ava_csv import AvaRows
from alphaction.utils.words import counted

_SHOWN_CLASSES = 40


def format_report(report: ImportReport) -> str:
    """Returns tables of what was written, of what was left out and why, and the notes."""
    lines = _table(["", *SIDES], [[name, *cells] for name, *cells in _counts(report)])
    lines += ["", *_table(["class", *SIDES], _classes(report))]
    lines += ["", *_left_out(report)]
    lines += [f"Note: {note}" for note in (*report.notes, *_remarks(report))]
    return "\n".join(lines)


def _counts(report: ImportReport) -> list[list[str]]:
    sides = [report.rows[name] for name in SIDES]
    counts = [
        ["videos", *(str(len({key.video for key in rows.keyframes})) for rows in sides)],
        ["key frames", *(str(len(rows.keyframes)) for rows in sides)],
        ["persons", *(str(_num_persons(rows)) for rows in sides)],
        ["labels", *(str(len(rows)) for rows in sides)],
    ]
    if report.num_boxes:
        counts.append(["detected boxes", *(str(report.num_boxes[name]) for name in SIDES)])
    return counts


def _num_persons(rows: AvaRows) -> int:
    columns = np.column_stack([rows.video, rows.timestamp_ms, rows.xyxy])
    return len(np.unique(columns, axis=0)) if len(rows) else 0


def _classes(report: ImportReport) -> list[list[str]]:
    counts = [Counter(report.rows[name].action.tolist()) for name in SIDES]
    pairs = list(zip(report.labels.ids, report.labels.names, strict=True))
    table = [[f"{i} {name}", *(str(count[i]) for count in counts)] for i, name in pairs[:_SHOWN_CLASSES]]
    if len(pairs) > _SHOWN_CLASSES:
        rest = [i for i, _ in pairs[_SHOWN_CLASSES:]]
        table.append([f"{len(rest)} more", *(str(sum(count[i] for i in rest)) for count in counts)])
    return table


def _left_out(report: ImportReport) -> list[str]:
    total = report.left_out.total()
    kept = sum(len(rows) for rows in report.rows.values())
    head = f"Of {counted(report.num_labels, 'label')} {kept} were written and {total} left out"
    if not total:
        return [f"{head}."]
    return [f"{head}:", *(f"  {count:>7}  {reason}" for reason, count in report.left_out.most_common())]


def _remarks(report: ImportReport) -> list[str]:
    remarks = []
    for name, use in (("train", "nothing can be learnt"), ("val", "nothing is measured")):
        there = set(report.rows[name].action.tolist())
        missing = [label for i, label in zip(report.labels.ids, report.labels.names, strict=True) if i not in there]
        if missing:
            shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            remarks.append(f"No label in {name} for {counted(len(missing), 'class')}, so that {use}: {shown}.")
    is_exclusive = len(report.labels.groups.pose) == len(report.labels)
    most = max(_most_actions(rows) for rows in report.rows.values())
    if is_exclusive and most > 1:
        remarks.append(f"A person has {most} actions at once, but the classes are exclusive; use --groups multilabel.")
    if not is_exclusive and most == 1 and len(report.labels) > 1:
        remarks.append("No person has two actions at once; --groups exclusive may fit better.")
    if report.found is not None:
        found = report.found
        remarks.append(
            f"The boxes of val that score {report.box_thresh:g} or more ({found.num_boxes}) find {found.num_found} of "
            f"{found.num_persons} labelled persons (IoU 0.5); --box-thresh sets another score."
        )
    return remarks


def _most_actions(rows: AvaRows) -> int:
    if not len(rows):
        return 0
    columns = np.column_stack([rows.video, rows.timestamp_ms, rows.xyxy])
    return int(np.unique(columns, axis=0, return_counts=True)[1].max())


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *body)
    ]
