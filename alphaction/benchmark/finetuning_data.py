"""Generated data for a comparison of fine-tuning: some of the actions to learn first, little of the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from alphaction.dataset.datasets.synthetic import generate_dataset
from alphaction.dataset.synthetic_files import write_rows
from alphaction.dataset.synthetic_motion import ACTIONS

NAMES = tuple(action.name for action in ACTIONS)
# One action of each pair of opposites, and two that go to and fro: what tells the others apart is then motion of the
# same kinds, in directions and rhythms that these have no name for.
PRETRAINING_ACTIONS = ("walk left", "raise arm", "wave", "approach", "sway")


@dataclass(frozen=True, slots=True)
class Movies:
    """How many movies each part has.

    Attributes:
        pretraining: to learn the first part of the actions from.
        little: to fine-tune on, for each seed.
        validation: of the other part, to look at while training.
        test: of the other part, for the figure that is reported.
    """

    pretraining: int
    little: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True)
class Split:
    """A data set file: some movies with some of the actions."""

    name: str
    movies: tuple[str, ...]
    actions: tuple[str, ...]


def plan_splits(movies: Movies, num_seeds: int, first: Sequence[str] = PRETRAINING_ACTIONS) -> tuple[Split, ...]:
    """Returns the data sets; those to train on and the one for validation share no movie with the test or each other.

    ``little_<seed>`` is what a seed fine-tunes on. ``pretraining_test`` asks for the first part in the test's movies.

    Args:
        movies: how many each has.
        num_seeds: how many little sets there are.
        first: the actions to pretrain on; all others are for fine-tuning.
    """
    known, others = (tuple(name for name in NAMES if (name in first) == is_first) for is_first in (True, False))
    names = (f"train_{index:02d}" for index in count())

    def take(number: int) -> tuple[str, ...]:
        return tuple(islice(names, number))

    test = tuple(f"val_{index:02d}" for index in range(movies.test))
    return (
        Split("pretraining", take(movies.pretraining), known),
        Split("validation", take(movies.validation), others),
        *(Split(f"little_{seed}", take(movies.little), others) for seed in range(num_seeds)),
        Split("pretraining_test", test, known),
        Split("test", test, others),
    )


def write_data(root: Path, movies: Movies, splits: Sequence[Split], *, seconds: int) -> None:
    """Writes the movies and a data set file ``<split>.yaml`` for each of :func:`plan_splits` below ``root``.

    Raises:
        DataError: ``root`` holds files of someone else, or the numbers do not make a data set.
    """
    used = {movie for split in splits for movie in split.movies}
    files = generate_dataset(
        root, num_train_movies=len(used) - movies.test, num_val_movies=movies.test, seconds=seconds, seed=0
    )
    for split in splits:
        is_test = split.movies[0].startswith("val")
        truth = files.val_csv if is_test else files.train_csv
        excluded = files.val_excluded if is_test else files.train_excluded
        asked = {str(class_id) for class_id in class_ids(split.actions)}
        labels = [row for row in _rows_of(truth, split.movies) if row.split(",")[6] in asked]
        write_rows(root / f"{split.name}.csv", labels)
        write_rows(root / f"{split.name}_excluded.csv", _rows_of(excluded, split.movies))
        # No box_file: the labelled persons are taken, so that recognition alone is measured.
        write_rows(
            root / f"{split.name}.yaml",
            [
                "dataset: AVAVideoDataset",
                "video_root: videos",
                f"csv_gt_file: {split.name}.csv",
                "label_file: labels.pbtxt",
                "labelmap_file: labels.pbtxt",
                f"exclusion_file: {split.name}_excluded.csv",
                f"keep_classes: {class_ids(split.actions)}",
            ],
        )


def class_ids(actions: Sequence[str]) -> list[int]:
    """Returns the ids of actions by name, ascending."""
    return sorted(index for index, action in enumerate(ACTIONS, 1) if action.name in actions)


def _rows_of(path: Path, movies: Sequence[str]) -> list[str]:
    return [row for row in path.read_text(encoding="utf-8").splitlines() if row.split(",", 1)[0] in movies]
