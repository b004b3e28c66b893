"""Write the generated data set: python tools/make_synthetic.py --output DIR [--seed N] [--movies TRAIN VAL]"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.dataset.datasets.synthetic import generate_dataset
from alphaction.engine.cli import run_tool


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write movies of generated people, whose actions only the order of frames tells apart, with AVA "
        "annotations and the two dataset files train.yaml and val.yaml."
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="a new folder, or one of an earlier call"
    )
    parser.add_argument("--seed", type=int, default=0, help="another number gives other movies (default 0)")
    parser.add_argument(
        "--movies", type=int, nargs=2, default=(16, 4), metavar=("TRAIN", "VAL"), help="how many (default 16 4)"
    )
    parser.add_argument("--seconds", type=int, default=24, help="length of each movie (default 24)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(192, 128), metavar=("WIDTH", "HEIGHT"), help="in pixels (default 192 128)"
    )
    return parser.parse_args(argv)


def make_synthetic(flags: argparse.Namespace) -> None:
    files = generate_dataset(
        flags.output,
        num_train_movies=flags.movies[0],
        num_val_movies=flags.movies[1],
        seconds=flags.seconds,
        size=tuple(flags.size),
        seed=flags.seed,
    )
    print(f"Wrote {files.train_yaml} and {files.val_yaml}. To train on them:")
    print(f"  DATASETS.TRAIN \"('{files.train_yaml}',)\" DATASETS.TEST \"('{files.val_yaml}',)\" INPUT.FLIP_PROB 0.0")


if __name__ == "__main__":
    parsed = parse_flags()
    sys.exit(run_tool(lambda: make_synthetic(parsed)))
