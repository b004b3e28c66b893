"""Make a data set of annotations: python tools/import_dataset.py FORMAT FILE... --videos DIR --out DIR"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.dataset.importers.base import FORMATS
from alphaction.dataset.importers.report import format_report
from alphaction.dataset.importers.run import ImportPlan, import_dataset
from alphaction.engine.cli import run_tool, share

DESCRIPTION = """\
Read annotations and write a data set to train and test on: dataset files (train.yaml, val.yaml), a label map and AVA
CSV files. Videos stay where they are. Formats and their files:

  ava-csv     ground truth CSV (video,second,x1,y1,x2,y2,action,person_id), and a label map
  coco        COCO-style JSON: file_name "<video>/<second>.jpg", category_id = action; AVA's fields are taken too
  alphaction  its JSON: images with movie and timestamp, annotations with action_ids; --labels FILE for the names
  cvat        "CVAT for video 1.1": XML, or the zip of an export
  via3        a project of the VGG Image Annotator 3 for video
  mot         tracks (frame,id,left,top,width,height,...), and actions: rows
              video,person_id,start_second,end_second,action, or AVA rows to take the actions from by overlap
"""


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "format", type=str.lower, choices=sorted(FORMATS), metavar="FORMAT", help=", ".join(sorted(FORMATS))
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="annotation files")
    parser.add_argument("--videos", type=Path, required=True, metavar="DIR", help="the folder of the videos")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new folder, or one of an earlier import"
    )
    parser.add_argument("--overwrite", action="store_true", help="lose what was edited in DIR since its import")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="label map (.pbtxt or one name a line)")
    parser.add_argument(
        "--groups", choices=["exclusive", "multilabel"], help="one action a person, or any number (default: multilabel)"
    )
    halves = parser.add_argument_group("training and validation")
    halves.add_argument("--val-share", type=float, default=0.2, help="share for validation (default 0.2)")
    halves.add_argument("--split-by", choices=["video", "time"], help="(default: video, for a single one time)")
    halves.add_argument("--seed", type=int, default=0, help="which videos are for validation (default 0)")
    halves.add_argument("--gap", type=float, default=3.0, help="by time: seconds between the halves (default 3)")
    halves.add_argument("--val", type=Path, nargs="+", default=[], metavar="FILE", help="files for validation instead")
    boxes = parser.add_argument_group("a detector's person boxes, for tests")
    boxes.add_argument(
        "--boxes", type=Path, nargs="+", default=[], metavar="FILE", help="CSV video,second,x1,y1,x2,y2,,score or JSON"
    )
    boxes.add_argument("--box-thresh", type=share, help="score that they need (default: TEST.BOX_THRESH)")
    reading = parser.add_argument_group("how files are read")
    reading.add_argument(
        "--frame-rate", type=float, default=0.0, help="frames a second of numbered frames (default: the video's)"
    )
    reading.add_argument("--attributes", nargs="+", default=[], metavar="NAME", help="cvat, via3: those with actions")
    return parser.parse_args(argv)


def run_import(flags: argparse.Namespace) -> None:
    plan = ImportPlan(
        format=flags.format,
        files=tuple(flags.files),
        videos=flags.videos,
        out=flags.out,
        val_files=tuple(flags.val),
        labels=flags.labels,
        groups=flags.groups,
        val_share=flags.val_share,
        split_by=flags.split_by,
        seed=flags.seed,
        gap_seconds=flags.gap,
        boxes=tuple(flags.boxes),
        box_thresh=flags.box_thresh,
        frame_rate=flags.frame_rate,
        attributes=tuple(flags.attributes),
        overwrite=flags.overwrite,
    )
    report = import_dataset(plan)
    print(f"Wrote {report.out} (split by {report.split.by}):\n")
    print(format_report(report))
    print(f"\nNext: python tools/check_dataset.py {shlex.quote(str(report.out))}")


if __name__ == "__main__":
    parsed = parse_flags()
    sys.exit(run_tool(lambda: run_import(parsed)))
