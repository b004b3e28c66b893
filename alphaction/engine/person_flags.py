"""The flags of ``tools/detect_persons.py``."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from alphaction.detection.fetch import CACHE_VARIABLE
from alphaction.engine.cli import EXIT_CODES_OF_VIDEOS, share
from alphaction.engine.person_export import CVAT, VIA3, Actions
from alphaction.engine.person_files import ALPHACTION_JSON, AVA_CSV
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import UserError

_WORDS = (
    "Find persons in videos: boxes at key frames, or tracked boxes for an annotation tool. A run that was stopped goes "
    "on, within a video too, when it is started again."
)


def parse_person_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns what was typed."""
    parser = argparse.ArgumentParser(description=_WORDS, epilog=EXIT_CODES_OF_VIDEOS, allow_abbrev=False)
    add = parser.add_argument
    add("--videos", type=Path, nargs="+", default=[], metavar="PATH", help="videos, or folders of them")
    add("--out", type=Path, metavar="PATH", help="folder of the results, or the file of boxes (.csv, .json)")
    add("--fetch", action="store_true", help=f"fetch the default detector's weights (to ${CACHE_VARIABLE}), then stop")
    _add_detector(parser)
    add("--format", choices=[AVA_CSV, ALPHACTION_JSON], default=AVA_CSV, help="of the boxes (default: %(default)s)")
    add("--images", type=Path, metavar="JSON", help="annotation file whose image ids JSON boxes have")
    add("--evaluate", type=Path, metavar="FILE", help="known persons to compare with: AVA CSV, JSON, or MOT tracks")
    _add_export(parser)
    add("--device", default="auto", help='"auto", "cpu", "cuda" or "mps" (default: auto)')
    return parser.parse_args(argv)


def read_actions(given: str, exclusive: bool) -> Actions:
    """Returns the actions of ``--actions``: a label file, or names with commas between them.

    Raises:
        UserError: there is none, one is empty or there twice, or the label file cannot be used.
    """
    if Path(given).is_file():
        labels = load_label_map(given, "exclusive" if exclusive else None)
        return Actions(labels.names, len(labels.groups.pose) == len(labels))
    if os.sep in given and Path(given).is_dir():
        raise UserError(f"--actions {given} is a folder; give names with commas between them, or a label file.")
    names = tuple(name.strip() for name in given.split(","))
    if not any(names):
        raise UserError("--export needs --actions: names with commas between them, or a label file.")
    if any(name.endswith((".pbtxt", ".txt")) for name in names):
        raise UserError(f"There is no label file {given}.")
    if not all(names):
        raise UserError(f'--actions "{given}": name {names.index("") + 1} of {len(names)} is empty.')
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f'--actions "{given}" has {", ".join(twice)} more than once.')
    return Actions(names, exclusive)


def _add_detector(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--detector",
        default="ssdlite",
        metavar="NAME",
        help="ssdlite (default), torchvision:NAME (any of its detection models) or file:PATH (boxes, CSV or JSON)",
    )
    add("--weights", type=Path, metavar="FILE", help="the detector's weights (default: its published ones)")
    add("--score", type=share, help="lowest score of a box, in an export of a new person (0.3; export: 0.4)")
    add("--tiles", type=_number(int, 1), default=1, metavar="N", help="look at N x N parts too, for small persons")
    add("--every", type=_number(float, 0.01), metavar="SECONDS", help="from key frame to key frame (1; export: 0.2)")
    add("--objects", action="store_true", help="write boxes of other categories too (JSON)")
    add("--batch", type=_number(int, 1), default=8, metavar="N", help="images at once (default: %(default)s)")


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--export", choices=[CVAT, VIA3], help="write tracked persons for this annotation tool instead of boxes")
    add("--actions", default="", metavar="NAMES", help="actions to pick from: a,b,c or a label file")
    add("--exclusive", action="store_true", help="one action a person at a time")
    add("--config-file", default="", metavar="FILE", help="config of a model that picks actions beforehand")
    add("--model-weights", default="", metavar="FILE", help="its weights (default: as tools/test_net.py finds them)")
    add("--action-score", type=share, default=0.5, help="lowest score of such an action (default: %(default)s)")


def _number(kind: Callable[[str], float], lowest: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if not lowest <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not {lowest} or more")
        return value

    read.__name__ = kind.__name__
    return read
