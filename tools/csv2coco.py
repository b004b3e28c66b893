"""AVA's CSV as AlphAction's JSON: python tools/csv2coco.py --csv_path CSV --movie_list TXT --img_root DIR ..."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from alphaction.dataset.annotations import load_annotations
from alphaction.dataset.importers.ava_json_writer import (
    AVA_SECONDS,
    key_frame_sizes,
    make_ava_json,
    read_movie_list,
    write_ava_json,
)
from alphaction.dataset.importers.json_file import read_json_object
from alphaction.dataset.importers.standard_folder import write_truth_csv
from alphaction.engine.cli import run_tool
from alphaction.structures.ava_csv import load_ground_truth_csv
from alphaction.utils.errors import UserError
from alphaction.utils.files import replaced_when_complete


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write the JSON annotations that AlphAction trains on. Without --csv_path it holds the images "
        "alone. With --reverse the CSV is written from a JSON file.",
        allow_abbrev=False,
    )
    parser.add_argument("--csv_path", type=Path, metavar="CSV", help="AVA ground truth")
    parser.add_argument("--movie_list", type=Path, metavar="TXT", help="file names of the movies, one a line")
    parser.add_argument("--img_root", type=Path, metavar="DIR", help="key frames: DIR/<movie>/<second>.jpg")
    parser.add_argument("--json_path", type=Path, metavar="JSON", help="written with indents")
    parser.add_argument("--min_json_path", type=Path, metavar="JSON", help="written without")
    parser.add_argument(
        "--seconds",
        type=int,
        nargs=2,
        default=AVA_SECONDS,
        metavar=("FIRST", "LAST"),
        help="key frames of every movie (default: AVA's, 902 1798)",
    )
    parser.add_argument("--reverse", action="store_true", help="read --json_path, write --csv_path")
    flags = parser.parse_args(argv)
    if flags.reverse and not (flags.csv_path and flags.json_path):
        parser.error("--reverse needs --json_path, which it reads, and --csv_path, which it writes.")
    if not flags.reverse and not (flags.movie_list and flags.img_root and (flags.json_path or flags.min_json_path)):
        parser.error("--movie_list, --img_root and one of --json_path and --min_json_path are needed.")
    if flags.seconds[0] > flags.seconds[1]:
        parser.error(f"--seconds: {flags.seconds[0]} is after {flags.seconds[1]}.")
    return flags


def csv_to_json(flags: argparse.Namespace) -> None:
    movies = read_movie_list(flags.movie_list)
    rows = load_ground_truth_csv(flags.csv_path) if flags.csv_path else None
    made = make_ava_json(rows, movies, key_frame_sizes(flags.img_root, movies), tuple(flags.seconds))
    write_ava_json(made.content, flags.json_path, flags.min_json_path)
    written = " and ".join(str(path) for path in (flags.json_path, flags.min_json_path) if path)
    persons, images = len(made.content["annotations"]), len(made.content["images"])
    print(f"Wrote {written}: {images} images, {persons} persons, {made.num_labels} labels.")
    if made.num_other:
        print(f"Left out: {made.num_other} labels of movies that {flags.movie_list} does not name.")
    without_file = sum(not (flags.img_root / image["img_path"]).is_file() for image in made.content["images"])
    if without_file:
        print(f"{without_file} of the images have no file in {flags.img_root}: --seconds says which there are.")
    if made.num_outside:
        print(f"{made.num_outside} of the images are labelled key frames outside --seconds.")


def json_to_csv(flags: argparse.Namespace) -> None:
    rows = load_annotations(str(flags.json_path)).rows
    content = read_json_object(flags.json_path)
    without = sum(not entry["action_ids"] for entry in content["annotations"])
    try:
        with replaced_when_complete(flags.csv_path) as partial:
            write_truth_csv(partial, replace(rows, frames_without_boxes=()))
    except OSError as error:
        raise UserError(f"Cannot write {flags.csv_path}: {error.strerror or error}.") from error
    print(f"Wrote {flags.csv_path}: {len(rows)} labels.")
    num_empty, num_images = len(rows.frames_without_boxes), len(content["images"])
    print(f"Left out: {without} persons without an action, {num_empty} of {num_images} images without a person.")


if __name__ == "__main__":
    parsed = parse_flags()
    sys.exit(run_tool(lambda: json_to_csv(parsed) if parsed.reverse else csv_to_json(parsed)))
