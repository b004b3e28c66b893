"""The generated relations: who does what to whom, and files like those of a real data set."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from alphaction.config import load_cfg
from alphaction.dataset.datasets.synthetic_relations import RelationFiles, generate_relations
from alphaction.dataset.synthetic_motion import Pose, Segment, Track
from alphaction.dataset.synthetic_relations import (
    APPROACHED,
    BEHIND_SAME,
    CLASSES,
    RECALL_SECONDS,
    SIZE,
    WALK,
    Actor,
    classes_of,
)
from alphaction.dataset.synthetic_scene import make_look
from alphaction.dataset.transforms.video import resized_size
from alphaction.dataset.video_file import probe
from alphaction.structures.ava_csv import load_ground_truth_csv, load_person_boxes_csv
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import DataError

CONFIGS = Path(__file__).parents[2] / "config_files"
TINY = {"num_train_movies": 1, "num_val_movies": 1, "seconds": 10}
AHEAD, OUTSIDE = 2.6, 3.6


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> RelationFiles:
    return generate_relations(tmp_path_factory.mktemp("tiny"), seed=3, **TINY)


def moving(places: Sequence[float], ways: Sequence[int], colour: str = "other") -> Actor:
    """Returns a person at seconds 1 and 6, at these places of the frame and walking (1 right, -1 left, 0 not)."""
    segments = [
        Segment(second, (WALK[way],) if way else (), Pose(place, -0.5, -1.0), Pose(0.15, 0, 0), turn=1)
        for second, place, way in zip((1, 6), places, ways, strict=True)
    ]
    return Actor(Track(0, 1, tuple(segments)), make_look(np.random.default_rng(0)), colour)


@pytest.mark.parametrize(
    ("own_way", "other_place", "other_way", "is_approached"),
    [
        (0, 2.5, -1, True),
        (0, 2.5, 1, False),
        (0, 2.5, 0, False),
        (0, 0.1, 1, True),
        (0, -0.6, 1, False),
        (1, 2.5, -1, False),
    ],
)
def test_who_stands_is_approached_by_one_who_walks_towards_it(
    own_way: int, other_place: float, other_way: int, is_approached: bool
) -> None:
    actors = [moving([0.4, 0.4], [own_way] * 2), moving([other_place] * 2, [other_way] * 2)]
    assert (APPROACHED in classes_of(actors, 0, 0)) == is_approached


@pytest.mark.parametrize(
    ("own_ways", "red", "blue", "red_ways", "is_behind"),
    [
        ((1, 1), (AHEAD, AHEAD), (OUTSIDE, OUTSIDE), (1, 1), True),
        ((1, 1), (AHEAD, OUTSIDE), (OUTSIDE, AHEAD), (1, 1), False),
        ((1, 1), (OUTSIDE, AHEAD), (AHEAD, OUTSIDE), (1, 1), False),
        ((0, 1), (AHEAD, AHEAD), (OUTSIDE, OUTSIDE), (1, 1), False),
        ((1, 0), (AHEAD, AHEAD), (OUTSIDE, OUTSIDE), (1, 1), False),
        ((1, 1), (AHEAD, AHEAD), (OUTSIDE, OUTSIDE), (-1, 1), False),
        ((-1, -1), (AHEAD, AHEAD), (OUTSIDE, OUTSIDE), (-1, -1), False),
    ],
)
def test_who_walks_is_behind_the_same_person_if_that_one_led_it_five_seconds_ago(
    own_ways: tuple, red: tuple, blue: tuple, red_ways: tuple, is_behind: bool
) -> None:
    actors = [moving([0.4, 0.4], own_ways), moving(red, red_ways, "red"), moving(blue, (1, 1), "blue")]
    assert (BEHIND_SAME in classes_of(actors, 0, 1)) == is_behind
    assert BEHIND_SAME not in classes_of(actors, 0, 0)


def test_a_seed_gives_the_same_bytes_again_and_another_seed_other_ones(tiny: RelationFiles, tmp_path: Path) -> None:
    again, other = (generate_relations(tmp_path / str(seed), seed=seed, **TINY) for seed in (3, 4))
    written = [
        {str(path.relative_to(files.root)): path.read_bytes() for path in files.root.rglob("*") if path.is_file()}
        for files in (tiny, again, other)
    ]
    assert written[0] == written[1]
    assert written[0].keys() == written[2].keys()
    assert all(written[0][name] != written[2][name] for name in ("train.csv", "val_boxes.csv", "videos/val_00.mp4"))


def test_the_files_are_those_of_a_real_data_set(tiny: RelationFiles) -> None:
    labels = load_label_map(tiny.label_map)
    assert labels.names == CLASSES
    for path, truth_csv in ((tiny.train_yaml, tiny.train_csv), (tiny.val_yaml, tiny.val_csv)):
        content = yaml.safe_load(path.read_text())
        assert content.pop("dataset") == "AVAVideoDataset"
        assert all((path.parent / name).exists() for name in content.values())
        truth = load_ground_truth_csv(truth_csv)
        assert sorted({key.timestamp_ms for key in truth.keyframes}) == [1000, 3000, 6000, 8000]
        assert set(truth.action.tolist()) <= set(labels.ids)
    info = probe(tiny.val_videos[0])
    assert (info.width, info.height, info.fps, round(info.duration)) == (*SIZE, 25.0, 10)


def test_every_true_box_of_the_validation_half_is_detected_a_little_off(tiny: RelationFiles) -> None:
    truth, boxes = load_ground_truth_csv(tiny.val_csv), load_person_boxes_csv(tiny.val_boxes)
    assert set(truth.keyframes) == set(boxes.keyframes)
    true_boxes = np.unique(truth.xyxy, axis=0)
    assert len(boxes.xyxy) == len(true_boxes) == 2 * 4
    nearest = np.abs(boxes.xyxy[:, None] - true_boxes).max(axis=2).min(axis=1)
    assert 0 < nearest.max() < 0.06 and boxes.score.min() > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"num_val_movies": 0}, "1 to 100"), ({"seconds": 9}, "look back"), ({"seed": -1}, "seed")],
)
def test_numbers_that_make_no_data_set_are_refused(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate_relations(tmp_path / "new", **{**TINY, **arguments})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["baseline", "persons", "memory"])
def test_the_configurations_keep_the_frames_size_and_remember_long_enough(name: str) -> None:
    cfg = load_cfg(CONFIGS / f"relations_{name}.yaml")
    for half in ("TRAIN", "TEST"):
        assert resized_size(SIZE, cfg.INPUT[f"MIN_SIZE_{half}"], cfg.INPUT[f"MAX_SIZE_{half}"]) == SIZE
    interaction = cfg.MODEL.IA_STRUCTURE
    assert interaction.LENGTH[0] * interaction.MEMORY_RATE == RECALL_SECONDS
    assert {"baseline": "", "persons": "P", "memory": "PM"}[name] == (
        "".join(dict.fromkeys(interaction.I_BLOCK_LIST)) if interaction.ACTIVE else ""
    )
    assert cfg.INPUT.FLIP_PROB == 0


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_synthetic", Path(__file__).parents[2] / "tools" / "make_synthetic.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tool_writes_it_with_a_flag(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--relations", "--output", str(tmp_path / "new"), "--movies", "1", "1", "--seconds", "10"]
    tool.make_synthetic(tool.parse_flags(flags))
    assert APPROACHED in (tmp_path / "new" / "labels.pbtxt").read_text()
    assert str(tmp_path / "new" / "val.yaml") in capsys.readouterr().out


def test_the_tool_refuses_a_size_that_the_distances_are_not_made_for(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tool.parse_flags(["--relations", "--output", str(tmp_path / "new"), "--size", "96", "64"])
    assert "--size cannot be given with --relations" in capsys.readouterr().err
