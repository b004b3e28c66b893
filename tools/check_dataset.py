"""Examine a data set before training: python tools/check_dataset.py FOLDER [--sheet PNG] [--fix OUT]"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.doctor.check import CheckOptions, examine
from alphaction.dataset.doctor.fix import DROPPABLE, Change, check_new_folder, write_repaired
from alphaction.dataset.doctor.report import format_examination
from alphaction.engine.check_dataset import write_sheet
from alphaction.engine.cli import run_tool, share
from alphaction.utils.words import counted

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
    parser.add_argument("--frames", type=_at_least_one, default=12, help="key frames of the sheet (default: 12)")
    parser.add_argument("--fix", type=Path, metavar="OUT", help="write a repaired copy of the annotation files there")
    parser.add_argument(
        "--drop",
        action="append",
        choices=DROPPABLE,
        default=[],
        help="with --fix, leave such rows out as well (may be given several times)",
    )
    parser.add_argument(
        "--box-thresh",
        type=share,
        metavar="SCORE",
        help="what a detector's box needs (default: box_thresh of the data set, without it 0.8)",
    )
    parser.add_argument("--max-persons", type=_at_least_one, default=10, help="PROPOSAL_PER_CLIP (default: 10)")
    parser.add_argument("--workers", type=_at_least_one, default=4, help="videos opened at once (default: 4)")
    parser.add_argument(
        "--seconds",
        type=_at_least_one,
        metavar="NUMBER",
        help="annotated seconds of each video whose frames are read (default: 20, less for many videos)",
    )
    typed = parser.parse_args(argv)
    if typed.drop and not typed.fix:
        parser.error("--drop needs --fix OUT: nothing is changed in place")
    if typed.sheet and typed.sheet.suffix.lower() != ".png":
        parser.error(f"--sheet {typed.sheet}: the sheet is a PNG picture; give a name that ends in .png")
    return typed


def _at_least_one(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    typed = parse_flags(argv)
    num_errors = 0

    def check() -> None:
        nonlocal num_errors
        threshold = BoxThreshold() if typed.box_thresh is None else BoxThreshold(typed.box_thresh, overrules=True)
        options = CheckOptions(threshold, typed.max_persons, typed.quick, typed.workers, typed.seconds)
        if typed.fix:
            check_new_folder(typed.fix)
        result = examine(typed.dataset, options)
        print(format_examination(result))
        num_errors = result.count("error")
        if typed.sheet:
            sheet = write_sheet(result, typed.sheet, num_frames=typed.frames)
            print("\n".join([f"sheet: {sheet.path}", *(f"    {note}" for note in sheet.notes)]))
        if typed.fix:
            report_changes(typed.fix, write_repaired(result, typed.fix, typed.drop))
            if typed.quick and {"box-pixels", "box-mixed"} & {finding.code for finding in result.findings}:
                print("boxes in pixels are as they were: run without --quick for that, videos tell their size")

    return run_tool(check) or min(1, num_errors)


def report_changes(out: Path, changes: Sequence[Change]) -> None:
    for change in changes[:SHOWN_CHANGES]:
        print(f"changed: {change}")
    if len(changes) > SHOWN_CHANGES:
        print(f"... and {len(changes) - SHOWN_CHANGES} more, see {out / 'changes.txt'}")
    if not changes:
        print(f"nothing could be repaired; {out} is a copy of the annotation files as they are")
        return
    print(f"repaired copy: {out} ({counted(len(changes), 'change')}); check it: python tools/check_dataset.py {out}")


if __name__ == "__main__":
    sys.exit(main())
