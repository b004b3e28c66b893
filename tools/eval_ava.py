"""Evaluates an AVA result file by itself: frame mAP at IoU 0.5, by class, group and in all."""

import argparse
import math
import sys
from collections.abc import Sequence

from alphaction.evaluation.ava import AVAEvaluator
from alphaction.structures.ava_csv import load_exclusions, load_ground_truth_csv, load_results_csv
from alphaction.structures.labels import LabelMap, load_label_map
from alphaction.utils.errors import DataError, UserError


def main(argv: Sequence[str] | None = None) -> int:
    args = _make_parser().parse_args(argv)
    try:
        evaluator = AVAEvaluator(
            labels=_load_labels(args.labelmap),
            ground_truth=load_ground_truth_csv(args.gt),
            excluded=load_exclusions(args.excluded) if args.excluded else set(),
            score_threshold=-math.inf,
        )
        result = evaluator.evaluate_rows(load_results_csv(args.det))
        if args.json:
            result.write_metrics(args.json)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(result.report)
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gt", required=True, metavar="CSV", help="ground truth, as AVA publishes it")
    parser.add_argument(
        "--det", required=True, metavar="CSV", help="video,second,x1,y1,x2,y2,action,score as fractions of the frame"
    )
    parser.add_argument("--labelmap", required=True, metavar="PBTXT", help="the classes to evaluate")
    parser.add_argument("--excluded", metavar="CSV", help="key frames to leave out: video,second")
    parser.add_argument("--json", metavar="FILE", help="also write every number to this file")
    return parser


def _load_labels(path: str) -> LabelMap:
    """Returns the classes; a file that gives a label_type to some classes only is read as one group."""
    try:
        return load_label_map(path)
    except DataError:
        return load_label_map(path, groups="multilabel")


if __name__ == "__main__":
    sys.exit(main())
