"""Writes a small data set of generated people in the formats of real ones: movies, AVA files, dataset YAMLs."""

from collections.abc import Iterable, Sequence
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
from alphaction.dataset.synthetic_motion import (
    ACTIONS,
    SEGMENT_SECONDS,
    Action,
    ActionDeck,
    make_tracks,
    reverse_of,
)
from alphaction.dataset.synthetic_scene import Scene
from alphaction.utils.errors import DataError

_FRAME_RATES = (25, 30, 25, 24)
_TOGETHER_PROB = 0.3
_MISSED_PROB = 0.03
_FALSE_BOXES_PER_FRAME = 0.5
_KEY_FRAMES_PER_EXCLUDED = 12


@dataclass(frozen=True, slots=True)
class SyntheticFiles:
    """Where everything is.

    Attributes:
        root: the folder of all files below.
        train_yaml, val_yaml: dataset files for DATASETS.TRAIN and DATASETS.TEST.
        label_map: the classes.
        train_csv, val_csv: true boxes with their actions, AVA's eight columns.
        train_excluded, val_excluded: key frames to leave out; their actions in the CSV are wrong on purpose.
        val_boxes: imperfect person boxes with scores, AVA's predicted-box form.
        train_videos, val_videos: the movies.
    """

    root: Path
    train_yaml: Path
    val_yaml: Path
    label_map: Path
    train_csv: Path
    val_csv: Path
    train_excluded: Path
    val_excluded: Path
    val_boxes: Path
    train_videos: tuple[Path, ...]
    val_videos: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class KeyFramePerson:
    """A true box at a key frame, in shares of the frame, and what its person does there."""

    movie: str
    second: int
    box: np.ndarray
    actions: tuple[Action, ...]
    person_id: int


def generate_dataset(
    root: str | Path,
    *,
    num_train_movies: int = 16,
    num_val_movies: int = 4,
    seconds: int = 24,
    size: tuple[int, int] = (192, 128),
    seed: int = 0,
) -> SyntheticFiles:
    """Writes the data set below ``root`` and returns its files; equal arguments give equal files.

    Mirroring a clip swaps "walk left" and "walk right": train on it with ``INPUT.FLIP_PROB 0``.

    Args:
        root: a new or empty folder, or one that an earlier call has filled (it is written over).
        num_train_movies: movies of the training half, two or three people in each.
        num_val_movies: movies of the validation half; they share nothing with the others.
        seconds: length of each movie; every second second is a key frame.
        size: (width, height) of the videos in pixels, even numbers.
        seed: a number from 0; where all randomness comes from.

    Raises:
        DataError: ``root`` holds files of someone else, or the numbers do not make a data set.
    """
    _check_numbers(num_train_movies, num_val_movies, seconds, size, seed)
    files = _plan_files(Path(root), num_train_movies, num_val_movies)
    claim_folder(
        files.root, (*files.train_videos, *files.val_videos), {"seed": seed, "seconds": seconds, "size": list(size)}
    )
    write_labels(files.label_map, [action.name for action in ACTIONS])
    halves = (
        (files.train_videos, files.train_csv, files.train_excluded, None),
        (files.val_videos, files.val_csv, files.val_excluded, files.val_boxes),
    )
    for half, (videos, truth_csv, excluded_csv, boxes_csv) in enumerate(halves):
        rng = np.random.default_rng([seed, half])
        people = _write_movies(videos, seconds, size, rng)
        excluded = _choose_excluded(people, rng)
        write_rows(truth_csv, _truth_rows(people, excluded))
        write_rows(excluded_csv, (f"{movie},{second:04d}" for movie, second in excluded))
        if boxes_csv is not None:
            write_rows(boxes_csv, _detection_rows(people, rng))
    write_dataset_yaml(files.train_yaml, files.train_csv, excluded=files.train_excluded)
    write_dataset_yaml(files.val_yaml, files.val_csv, boxes=files.val_boxes, excluded=files.val_excluded)
    return files


def _check_numbers(train: int, val: int, seconds: int, size: tuple[int, int], seed: int) -> None:
    if train < 1 or val < 1:
        raise DataError(f"A data set needs a training and a validation movie, got {train} and {val}.")
    if seconds < SEGMENT_SECONDS:
        raise DataError(f"A movie of {seconds} s has no key frame; use {SEGMENT_SECONDS} s or more.")
    if min(size) < 64 or size[0] % 2 or size[1] % 2:
        raise DataError(f"The video size {size[0]}x{size[1]} must be even and at least 64 on both sides.")
    if seed < 0:
        raise DataError(f"The seed is {seed}; use 0 or a positive number.")


def _plan_files(root: Path, num_train: int, num_val: int) -> SyntheticFiles:
    return SyntheticFiles(
        root=root,
        train_yaml=root / "train.yaml",
        val_yaml=root / "val.yaml",
        label_map=root / "labels.pbtxt",
        train_csv=root / "train.csv",
        val_csv=root / "val.csv",
        train_excluded=root / "train_excluded.csv",
        val_excluded=root / "val_excluded.csv",
        val_boxes=root / "val_boxes.csv",
        train_videos=tuple(root / "videos" / f"train_{i:02d}.mp4" for i in range(num_train)),
        val_videos=tuple(root / "videos" / f"val_{i:02d}.mp4" for i in range(num_val)),
    )


def _write_movies(
    videos: Sequence[Path], seconds: int, size: tuple[int, int], rng: np.random.Generator
) -> list[KeyFramePerson]:
    deck = ActionDeck(rng, _TOGETHER_PROB)
    people = []
    for index, path in enumerate(videos):
        tracks = make_tracks(num_persons=2, seconds=seconds, aspect=size[0] / size[1], deck=deck, rng=rng)
        scene = Scene(tracks, size=size, rng=rng)
        encode_movie(path, scene, seconds=seconds, fps=_FRAME_RATES[index % len(_FRAME_RATES)], size=size)
        people += _key_frame_people(path.stem, scene)
    return people


def _key_frame_people(movie: str, scene: Scene) -> list[KeyFramePerson]:
    people = []
    for index, segment in enumerate(scene.tracks[0].segments):
        boxes = scene.boxes_at(segment.key_second)
        for track, box in zip(scene.tracks, boxes, strict=True):
            actions = track.segments[index].actions
            people.append(KeyFramePerson(movie, segment.key_second, box, actions, track.person_id))
    return people


def _choose_excluded(people: Sequence[KeyFramePerson], rng: np.random.Generator) -> list[tuple[str, int]]:
    """Returns (movie, second) of about one key frame in twelve, at least one of a half."""
    keys = sorted({(person.movie, person.second) for person in people})
    chosen = rng.choice(len(keys), size=max(1, len(keys) // _KEY_FRAMES_PER_EXCLUDED), replace=False)
    return [keys[index] for index in sorted(chosen.tolist())]


def _truth_rows(people: Sequence[KeyFramePerson], excluded: Sequence[tuple[str, int]]) -> Iterable[str]:
    wrong = set(excluded)
    for person in people:
        is_wrong = (person.movie, person.second) in wrong
        for action in person.actions:
            written = reverse_of(action) if is_wrong else action
            class_id = ACTIONS.index(written) + 1
            yield format_truth(person.movie, person.second, person.box, class_id, person.person_id)


def _detection_rows(people: Sequence[KeyFramePerson], rng: np.random.Generator) -> Iterable[str]:
    """Yields what a good detector might say: loose boxes, a few people missed, some boxes of nobody."""
    for person in people:
        loose = loosen_box(person.box, rng)
        score, is_missed = rng.uniform(0.86, 0.999), rng.random() < _MISSED_PROB
        if not is_missed:
            yield format_detection(person.movie, person.second, loose, score)
        if person.person_id == 0 and rng.random() < _FALSE_BOXES_PER_FRAME:
            left_top = rng.uniform(0, 0.7, 2)
            false_box = np.concatenate([left_top, left_top + rng.uniform(0.1, 0.3, 2)])
            yield format_detection(person.movie, person.second, false_box, rng.uniform(0.05, 0.7))
