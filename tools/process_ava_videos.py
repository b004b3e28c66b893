"""Prepares videos: cuts movies to one-second clips and key frames, or writes whole videos anew for random reading.

python tools/process_ava_videos.py --movie_root DIR --clip_root DIR [--kframe_root DIR] [--whole] [--process_num N]
python tools/process_ava_videos.py --movie_root DIR --reencode_root DIR [--process_num N]

Whole videos keep their sound (as AAC); one-second clips have none, as AVA's. A run that was stopped goes on when it is
started again; what was made with other settings, or from a file that was replaced since, is made anew. What is lost of
a damaged video is named, the rest of it is written.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from alphaction.dataset.preparation.clips import ClipSettings
from alphaction.dataset.preparation.outcome import Preparation
from alphaction.dataset.preparation.reencode import ReencodeSettings
from alphaction.dataset.preparation.run import Progress, prepare_clips, reencode_videos
from alphaction.engine.cli import EXIT_CODES_OF_VIDEOS, run_tool

SHORT_SIDE_OF_CLIPS, SHORT_SIDE_OF_VIDEOS = 360, 256
FIRST_SECOND, LAST_SECOND = 900, 1800


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    done: list[Preparation] = []
    code = run_tool(lambda: done.append(prepare(args)))
    if done:
        print(done[0].describe())
    return code or int(not all(preparation.is_complete for preparation in done))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXIT_CODES_OF_VIDEOS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--movie_root", type=Path, required=True, help="folder of the videos")
    parser.add_argument("--clip_root", type=Path, help="write <clip_root>/<video>/<second>.mp4, 25 frames a second")
    parser.add_argument("--kframe_root", type=Path, help="also write <kframe_root>/<video>/<second>.jpg")
    parser.add_argument("--reencode_root", type=Path, help="write whole videos instead: <reencode_root>/<video>.mp4")
    parser.add_argument("--process_num", type=int, default=os.cpu_count() or 1, help="processes; 0 = this one alone")
    parser.add_argument("--start_second", type=int, help=f"first second that is cut ({FIRST_SECOND}, as AVA)")
    parser.add_argument("--end_second", type=int, help=f"last second that is cut ({LAST_SECOND}, as AVA)")
    parser.add_argument("--whole", action="store_true", help="cut every second of a video")
    parser.add_argument(
        "--short_side",
        type=int,
        help=f"most pixels of the short side; {SHORT_SIDE_OF_CLIPS} for clips, {SHORT_SIDE_OF_VIDEOS} for whole videos",
    )
    args = parser.parse_args(argv)
    if problem := _find_problem(args):
        parser.error(problem)
    args.start_second = FIRST_SECOND if args.start_second is None else args.start_second
    args.end_second = LAST_SECOND if args.end_second is None else args.end_second
    return args


def _find_problem(args: argparse.Namespace) -> str | None:
    """Returns what does not go together, None if all does."""
    seconds = {"--start_second": args.start_second, "--end_second": args.end_second, "--whole": args.whole or None}
    given = [name for name, value in seconds.items() if value is not None]
    first = FIRST_SECOND if args.start_second is None else args.start_second
    last = LAST_SECOND if args.end_second is None else args.end_second
    if args.clip_root is None and args.reencode_root is None:
        return "give --clip_root (one-second clips) or --reencode_root (whole videos)"
    if args.clip_root and args.reencode_root:
        return "give one of the two, not both: --clip_root (one-second clips) or --reencode_root (whole videos)"
    if args.reencode_root and args.kframe_root:
        return "--kframe_root goes with --clip_root; whole videos need no key frames"
    if args.reencode_root and given:
        return f"--reencode_root writes whole videos; leave out {' and '.join(given)}, or give --clip_root instead"
    if args.process_num < 0:
        return f"--process_num {args.process_num}: give 1 or more processes, or 0 for this one alone"
    if args.short_side is not None and args.short_side < 16:
        return "--short_side must be at least 16"
    if not 0 <= first <= last:
        return f"--start_second {first} must not be negative, or above --end_second {last}"
    return None


def prepare(args: argparse.Namespace) -> Preparation:
    """Does what the arguments say, with a bar of progress."""
    with tqdm(unit=" s of video", desc="cutting" if args.clip_root else "writing", delay=0.2) as bar:
        if args.clip_root:
            settings = ClipSettings(
                args.clip_root,
                args.kframe_root,
                first=0 if args.whole else args.start_second,
                last=None if args.whole else args.end_second,
                short_side=args.short_side or SHORT_SIDE_OF_CLIPS,
            )
            return prepare_clips(args.movie_root, settings, num_processes=args.process_num, progress=shown_by(bar))
        whole = ReencodeSettings(args.reencode_root, short_side=args.short_side or SHORT_SIDE_OF_VIDEOS)
        return reencode_videos(args.movie_root, whole, num_processes=args.process_num, progress=shown_by(bar))


def shown_by(bar: tqdm) -> Progress:
    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show


if __name__ == "__main__":
    sys.exit(main())
