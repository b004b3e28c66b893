"""Examine a data set before training: python tools/check_dataset.py FOLDER [--sheet PNG] [--fix OUT]"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.dataset.doctor.check import CheckOptions, examine
from alphaction.dataset.doctor.fix import DROPPABLE, Change, write_repaired
from alphaction.dataset.doctor.report import format_examination
from alphaction.engine.check_dataset import write_sheet
from alphaction.engine.cli import run_tool, share

SHOWN_CHANGES = 40


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Name every mistake of a data set, with its file and row. Exit code 0: it can be used (there may "
        "be warnings), 1: it has errors, 2: there is no such data set.",
        allow_abbrev=False,
    )
    parser.add_argument("dataset", nargs="+", metavar="DATASET", help="a folder, or data set files / catalog names")
    parser.add_argument("--quick", action="store_true", help="open no video; training does this by itself")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw key frames with their boxes and labels")
    parser.add_argument("--frames", type=int, default=12, help="key frames of the sheet (default: 12)")
    parser.add_argument("--fix", type=Path, metavar="OUT", help="write a repaired copy of the annotation files there")
    parser.add_argument(
        "--drop",
        action="append",
        choices=DROPPABLE,
        default=[],
        help="with --fix, leave such rows out as well (may be given several times)",
    )
    parser.add_argument(
        "--box-thresh", type=share, default=0.8, help="TEST.BOX_THRESH, where the data set does not say (default: 0.8)"
    )
    parser.add_argument("--max-persons", type=int, default=10, help="PROPOSAL_PER_CLIP (default: 10)")
    parser.add_argument("--workers", type=int, default=4, help="videos opened at once (default: 4)")
    typed = parser.parse_args(argv)
    if typed.drop and not typed.fix:
        parser.error("--drop needs --fix OUT: nothing is changed in place")
    return typed


def main(argv: Sequence[str] | None = None) -> int:
    typed = parse_flags(argv)
    num_errors = 0

    def check() -> None:
        nonlocal num_errors
        options = CheckOptions(typed.box_thresh, typed.max_persons, typed.quick, typed.workers)
        result = examine(typed.dataset, options)
        print(format_examination(result))
        num_errors = result.count("error")
        if typed.sheet:
            print(f"sheet: {write_sheet(result, typed.sheet, num_frames=typed.frames)}")
        if typed.fix:
            report_changes(typed.fix, write_repaired(result, typed.fix, typed.drop))

    return run_tool(check) or min(1, num_errors)


def report_changes(out: Path, changes: Sequence[Change]) -> None:
    for change in changes[:SHOWN_CHANGES]:
        print(f"changed: {change}")
    if len(changes) > SHOWN_CHANGES:
        print(f"... and {len(changes) - SHOWN_CHANGES} more, see {out / 'changes.txt'}")
    print(f"repaired copy: {out} ({len(changes)} changes); check it: python tools/check_dataset.py {out}")


if __name__ == "__main__":
    sys.exit(main())
