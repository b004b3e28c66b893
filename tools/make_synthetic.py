"""Write a generated data set: python tools/make_synthetic.py --output DIR [--relations] [--movies TRAIN VAL]"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.dataset.datasets.synthetic import generate_dataset
from alphaction.dataset.datasets.synthetic_relations import generate_relations
from alphaction.engine.cli import run_tool


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write movies of generated people, whose actions only the order of frames tells apart, with AVA "
        "annotations and the two dataset files train.yaml and val.yaml."
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="a new folder, or one of an earlier call"
    )
    parser.add_argument(
        "--relations",
        action="store_true",
        help="people who do something to each other, which no box shows: for config_files/relations_*.yaml",
    )
    parser.add_argument("--seed", type=int, default=0, help="another number gives other movies (default 0)")
    parser.add_argument(
        "--movies",
        type=int,
        nargs=2,
        metavar=("TRAIN", "VAL"),
        help="how many (default 16 4, with --relations 100 30)",
    )
    parser.add_argument("--seconds", type=int, help="length of each movie (default 24, with --relations 30)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("WIDTH", "HEIGHT"),
        help="in pixels (default 192 128); with --relations it is fixed",
    )
    flags = parser.parse_args(argv)
    if flags.relations and flags.size:
        parser.error("--size cannot be given with --relations: the distances between people are made for one size.")
    return flags


def make_synthetic(flags: argparse.Namespace) -> None:
    given = {"seconds": flags.seconds, "size": tuple(flags.size) if flags.size else None}
    if flags.movies:
        given["num_train_movies"], given["num_val_movies"] = flags.movies
    chosen = {name: value for name, value in given.items() if value is not None}
    generate = generate_relations if flags.relations else generate_dataset
    files = generate(flags.output, seed=flags.seed, **chosen)
    print(f"Wrote {files.train_yaml} and {files.val_yaml}. To train on them:")
    print(f"  DATASETS.TRAIN \"('{files.train_yaml}',)\" DATASETS.TEST \"('{files.val_yaml}',)\" INPUT.FLIP_PROB 0.0")


if __name__ == "__main__":
    parsed = parse_flags()
    sys.exit(run_tool(lambda: make_synthetic(parsed)))
