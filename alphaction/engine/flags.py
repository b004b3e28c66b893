"""The flags of the training and test tools."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flags:
    """What was typed.

    Attributes:
        config_file: YAML file.
        opts: alternating config keys and values behind the flags.
        transfer: take weights only from MODEL.WEIGHT; optimizer, schedule and iteration start anew.
        no_head: leave the head's weights out of MODEL.WEIGHT.
        adjust_lr: continue a run, with the schedule and rates of the config as it is now.
        skip_final_test: do not evaluate after the last iteration.
        skip_val_in_train: do not evaluate every SOLVER.EVAL_PERIOD iterations.
        use_tfboard: write TensorBoard events to OUTPUT_DIR/tb.
        seed: of everything random.
        dry_run: report config, model, weights and schedule, then stop before videos are read.
    """

    config_file: str
    opts: tuple[str, ...] = ()
    transfer: bool = False
    no_head: bool = False
    adjust_lr: bool = False
    skip_final_test: bool = False
    skip_val_in_train: bool = False
    use_tfboard: bool = False
    seed: int = 2
    dry_run: bool = False


def parse_train_flags(argv: Sequence[str] | None = None) -> Flags:
    """Returns the flags of ``tools/train_net.py``."""
    parser = _make_parser("Train a model; a run found in OUTPUT_DIR is resumed.")
    switch = _switch(parser)
    switch("--transfer", "take weights only from MODEL.WEIGHT; optimizer, schedule and iteration start anew")
    switch("--no-head", "leave the head's weights out of MODEL.WEIGHT")
    switch("--adjust-lr", "continue a run with the schedule and rates of the config as it is now")
    switch("--skip-final-test", "do not evaluate after the last iteration")
    switch("--skip-val-in-train", "do not evaluate while training")
    switch("--use-tfboard", "write TensorBoard events to OUTPUT_DIR/tb")
    switch("--dry-run", "report config, model, weights and schedule, then stop")
    parser.add_argument("--seed", type=_seed, default=2, help="seed of everything random (default: %(default)s)")
    return _parse(parser, argv)


def parse_test_flags(argv: Sequence[str] | None = None) -> Flags:
    """Returns the flags of ``tools/test_net.py``."""
    return _parse(_make_parser("Evaluate a model on DATASETS.TEST."), argv)


def _make_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--config-file", default="", metavar="FILE", help="YAML file of config keys")
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="config keys to change")
    return parser


def _switch(parser: argparse.ArgumentParser) -> Callable[[str, str], None]:
    def add(name: str, text: str) -> None:
        parser.add_argument(name, action="store_true", help=text)

    return add


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise ValueError("a seed is 0 or more")
    return seed


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> Flags:
    values = vars(parser.parse_args(argv))
    values.pop("local_rank")
    return Flags(**{**values, "opts": tuple(values["opts"])})
