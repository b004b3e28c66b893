"""Writes a data set of generated people whose relations no box shows, in the formats of real ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaction.dataset.synthetic_files import (
    claim_folder,
    encode_movie,
    format_detection,
    format_truth,
    loosen_box,
    write_dataset_yaml,
    write_labels,
    write_rows,
)
from alphaction.dataset.synthetic_relations import CLASSES, RECALL_SECONDS, SIZE, Director, classes_of, key_seconds
from alphaction.dataset.synthetic_scene import Scene
from alphaction.utils.errors import DataError

_FPS = 25
_SHORTEST_SECONDS = 2 * RECALL_SECONDS


@dataclass(frozen=True, slots=True)
class RelationFiles:
    """Where everything is.

    Attributes:
        root: the folder of all files below.
        train_yaml, val_yaml: dataset files for DATASETS.TRAIN and DATASETS.TEST.
        label_map: the classes.
        train_csv, val_csv: true boxes with their actions, AVA's eight columns.
        val_boxes: every true box of the validation half a little off and with a score, AVA's predicted-box form.
        train_videos, val_videos: the movies.
    """

    root: Path
    train_yaml: Path
    val_yaml: Path
    label_map: Path
    train_csv: Path
    val_csv: Path
    val_boxes: Path
    train_videos: tuple[Path, ...]
    val_videos: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a half: true actions and detected boxes."""

    truth: list[str]
    detections: list[str]


def generate_relations(
    root: str | Path, *, num_train_movies: int = 100, num_val_movies: int = 30, seconds: int = 30, seed: int = 0
) -> RelationFiles:
    """Writes the data set below ``root`` and returns its files; equal arguments give equal files.

    Train on it without mirroring (``INPUT.FLIP_PROB 0``) and at the frames' own size: larger or smaller frames let a
    network see more or less around a box.

    Args:
        root: a new or empty folder, or one that an earlier call has filled (it is written over).
        num_train_movies: movies of the training half, two or three people in each.
        num_val_movies: movies of the validation half; they share nothing with the others.
        seconds: length of each movie.
        seed: a number from 0; where all randomness comes from.

    Raises:
        DataError: ``root`` holds files of someone else, or the numbers do not make a data set.
    """
    _check_numbers(num_train_movies, num_val_movies, seconds, seed)
    files = _plan_files(Path(root), num_train_movies, num_val_movies)
    claim_folder(files.root, (*files.train_videos, *files.val_videos), {"seed": seed, "seconds": seconds})
    write_labels(files.label_map, CLASSES)
    train, val = (
        _write_movies(videos, seconds, np.random.default_rng([seed, half]))
        for half, videos in enumerate((files.train_videos, files.val_videos))
    )
    write_rows(files.train_csv, train.truth)
    write_rows(files.val_csv, val.truth)
    write_rows(files.val_boxes, val.detections)
    write_dataset_yaml(files.train_yaml, files.train_csv)
    write_dataset_yaml(files.val_yaml, files.val_csv, boxes=files.val_boxes)
    return files


def _check_numbers(train: int, val: int, seconds: int, seed: int) -> None:
    if not (1 <= train <= 100 and 1 <= val <= 100):
        raise DataError(f"A data set needs 1 to 100 training and validation movies, got {train} and {val}.")
    if seconds < _SHORTEST_SECONDS:
        raise DataError(
            f"In a movie of {seconds} s nobody can look back {RECALL_SECONDS} s; use {_SHORTEST_SECONDS} s or more."
        )
    if seed < 0:
        raise DataError(f"The seed is {seed}; use 0 or a positive number.")


def _plan_files(root: Path, num_train: int, num_val: int) -> RelationFiles:
    return RelationFiles(
        root=root,
        train_yaml=root / "train.yaml",
        val_yaml=root / "val.yaml",
        label_map=root / "labels.pbtxt",
        train_csv=root / "train.csv",
        val_csv=root / "val.csv",
        val_boxes=root / "val_boxes.csv",
        train_videos=tuple(root / "videos" / f"train_{i:02d}.mp4" for i in range(num_train)),
        val_videos=tuple(root / "videos" / f"val_{i:02d}.mp4" for i in range(num_val)),
    )


def _write_movies(videos: Sequence[Path], seconds: int, rng: np.random.Generator) -> _Rows:
    director, rows = Director(rng), _Rows([], [])
    for path in videos:
        actors = director.make_movie(key_seconds(seconds))
        scene = Scene([actor.track for actor in actors], size=SIZE, rng=rng, looks=[actor.look for actor in actors])
        encode_movie(path, scene, seconds=seconds, fps=_FPS, size=SIZE, lossless=True)
        for number, second in enumerate(key_seconds(seconds)):
            boxes = scene.boxes_at(second)
            for person in (i for i, actor in enumerate(actors) if actor.is_present(number)):
                rows.truth.extend(
                    format_truth(path.stem, second, boxes[person], CLASSES.index(name) + 1, person)
                    for name in classes_of(actors, person, number)
                )
                loose, score = loosen_box(boxes[person], rng), rng.uniform(0.86, 0.999)
                rows.detections.append(format_detection(path.stem, second, loose, score))
    return rows
