"""Annotate a video: python tools/demo.py --config-file FILE --video VIDEO --boxes CSV --output DIR [KEY VALUE ...]"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.engine.cli import run_tool
from alphaction.engine.flags import Flags
from alphaction.engine.launch import launched
from alphaction.engine.predictor import VideoPredictor
from alphaction.engine.setup import load_given
from alphaction.evaluation.ava import collect_boxes
from alphaction.structures.ava_csv import write_results_csv
from alphaction.utils.errors import UserError
from alphaction.utils.logger import setup_logger
from alphaction.visualization.video import write_annotated_video


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Predict what every person in a video does, and write DIR/<video>.csv (AVA results) and "
        "DIR/<video>.mp4 (the video with boxes and actions). Weights are found as tools/test_net.py finds them.",
        allow_abbrev=False,
    )
    parser.add_argument("--config-file", default="", metavar="FILE", help="YAML file of config keys")
    parser.add_argument("--video", type=Path, required=True, help="a whole video")
    parser.add_argument(
        "--boxes", type=Path, required=True, metavar="CSV", help="its person boxes: video,second,x1,y1,x2,y2,,score"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--threshold", type=float, default=0.3, help="lowest score that is drawn (default: 0.3)")
    parser.add_argument(
        "--top", type=int, default=0, help="most actions drawn for a person (default: 3, or 1 for exclusive actions)"
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="config keys to change")
    return parser.parse_args(argv)


def run_demo(typed: argparse.Namespace) -> None:
    setup_logger(None)
    results = typed.output / f"{typed.video.stem}.csv"
    annotated = typed.output / f"{typed.video.stem}.mp4"
    if {results.resolve(), annotated.resolve()} & {typed.video.resolve(), typed.boxes.resolve()}:
        raise UserError(f"The results would overwrite {typed.video} or {typed.boxes}; choose another --output.")
    flags = Flags(config_file=typed.config_file, opts=tuple(typed.opts))
    with launched(load_given(flags).DEVICE) as process:
        predictor = VideoPredictor.from_flags(flags, process)
        predictions = predictor.predict(typed.video, typed.boxes)
    labels = predictor.labels
    write_results_csv(results, collect_boxes(predictions, len(labels)).rows(labels, 0.0))
    top = typed.top or (1 if len(labels.groups.pose) == len(labels) else 3)
    num_frames = write_annotated_video(typed.video, predictions, labels, annotated, threshold=typed.threshold, top=top)
    num_boxes = sum(len(prediction.boxes or ()) for prediction in predictions)
    print(f"{len(predictions)} key frames, {num_boxes} persons: {results}")
    print(f"{num_frames} frames: {annotated}")


if __name__ == "__main__":
    parsed = parse_flags()
    sys.exit(run_tool(lambda: run_demo(parsed)))
