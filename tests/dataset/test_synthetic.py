"""The generated data set: what its actions are, and that its files are those of a real data set."""

import importlib.util
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.stats import ks_2samp
from torchvision.ops import box_iou

from alphaction.dataset.datasets import synthetic
from alphaction.dataset.datasets.synthetic import KeyFramePerson, SyntheticFiles, generate_dataset
from alphaction.dataset.decode import decode_at_times, probe
from alphaction.dataset.synthetic_files import MARKER, encode_movie, write_rows
from alphaction.dataset.synthetic_motion import ACTIONS, Action, ActionDeck, Segment, make_tracks, reverse_of
from alphaction.dataset.synthetic_scene import Scene
from alphaction.structures.ava_csv import load_exclusions, load_ground_truth_csv, load_person_boxes_csv
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import DataError

WINDOW = (np.arange(32) - 16) / 25  # seconds of the 32 frames from the key frame
AXES = ("place", "depth", "arm")

TINY = {"num_train_movies": 2, "num_val_movies": 1, "seconds": 6}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFiles:
    return generate_dataset(tmp_path_factory.mktemp("tiny"), seed=3, **TINY)


def forms_of(axis: str) -> dict[str, Action]:
    return {action.form: action for action in ACTIONS if action.axis == axis}


def many_segments() -> list[Segment]:
    rng = np.random.default_rng(0)
    deck = ActionDeck(rng, together_prob=0.3)
    movies = [make_tracks(num_persons=3, seconds=24, aspect=1.5, deck=deck, rng=rng) for _ in range(60)]
    return [segment for tracks in movies for track in tracks for segment in track.segments]


@pytest.mark.parametrize("axis", AXES)
def test_all_forms_of_an_axis_visit_the_same_values_in_a_window(axis: str) -> None:
    visited = {form: np.sort([action.progress(second) for second in WINDOW]) for form, action in forms_of(axis).items()}
    np.testing.assert_allclose(visited["forth"], visited["back"], atol=1e-9)
    np.testing.assert_allclose(visited["forth"], visited["to and fro"], atol=1e-9)


@pytest.mark.parametrize("axis", AXES)
def test_the_order_of_frames_tells_the_forms_apart(axis: str) -> None:
    forms = forms_of(axis)
    forth = np.array([forms["forth"].progress(second) for second in WINDOW])
    both = np.diff([forms["to and fro"].progress(second) for second in WINDOW])
    assert (np.diff(forth) >= 0).all() and forth[0] == -1 and forth[-1] == 1
    np.testing.assert_allclose([forms["back"].progress(second) for second in WINDOW], -forth)
    assert (both > 0).any() and (both < 0).any()


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_at_the_key_frame_every_action_is_at_its_middle(action: Action) -> None:
    assert action.progress(0) == 0


@pytest.mark.parametrize("axis", AXES)
def test_key_frames_do_not_tell_an_action_from_its_reverse_or_to_and_fro_form(axis: str) -> None:
    poses: dict[str, list[list[float]]] = {"forth": [], "back": [], "to and fro": []}
    for segment in many_segments():
        pose = segment.pose_at(segment.key_second)
        for action in segment.actions:
            if action.axis == axis:
                poses[action.form].append([pose.place, pose.depth, pose.arm])
    forth = np.array(poses["forth"])
    assert len(forth) > 200
    for form in ("back", "to and fro"):
        other = np.array(poses[form])
        assert min(ks_2samp(forth[:, column], other[:, column]).pvalue for column in range(3)) > 0.01, form


def test_frames_of_a_window_do_not_tell_walking_left_from_right_or_pacing() -> None:
    rng = np.random.default_rng(1)
    places: dict[str, list[float]] = {}
    for segment in many_segments():
        for action in segment.actions:
            second = segment.key_second + rng.choice(WINDOW)
            places.setdefault(action.name, []).append(segment.pose_at(second).place)
    for other in ("walk right", "pace"):
        assert ks_2samp(places["walk left"], places[other]).pvalue > 0.01


def test_the_action_lasts_for_the_whole_window_of_every_key_frame() -> None:
    rng = np.random.default_rng(2)
    tracks = make_tracks(num_persons=2, seconds=12, aspect=1.5, deck=ActionDeck(rng, 0.3), rng=rng)
    for track in tracks:
        for segment in track.segments:
            for second in segment.key_second + WINDOW:
                assert track.pose_at(second) == segment.pose_at(second)


def test_nobody_jumps_between_two_actions() -> None:
    rng = np.random.default_rng(2)
    track = make_tracks(num_persons=1, seconds=12, aspect=1.5, deck=ActionDeck(rng, 0.3), rng=rng)[0]
    places = np.array([track.pose_at(index / 25).place for index in range(12 * 25)])
    assert np.abs(np.diff(places)).max() < 0.05


def test_every_class_is_dealt_equally_often() -> None:
    deck = ActionDeck(np.random.default_rng(0), together_prob=0.3)
    first = [deck.draw()[0].name for _ in range(90)]
    assert {first.count(action.name) for action in ACTIONS} == {10}


def test_the_box_holds_the_figure_that_is_drawn() -> None:
    rng = np.random.default_rng(5)
    tracks = make_tracks(num_persons=1, seconds=4, aspect=1.5, deck=ActionDeck(rng, 0.0), rng=rng)
    scene = Scene(tracks, size=(192, 128), rng=np.random.default_rng(6))
    empty = Scene([], size=(192, 128), rng=np.random.default_rng(6))
    empty._background = scene._background
    changed = np.abs(scene.render(1).astype(int) - empty.render(1)).max(axis=2) > 8
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    drawn = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(scene.boxes_at(1)[0] * [192, 128, 192, 128], drawn, atol=2)


def test_the_video_shows_the_scene_at_the_annotated_second(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    tracks = make_tracks(num_persons=2, seconds=4, aspect=1.5, deck=ActionDeck(rng, 0.0), rng=rng)
    scene, path = Scene(tracks, size=(192, 128), rng=rng), tmp_path / "movie.mp4"
    encode_movie(path, scene, seconds=4, fps=30, size=(192, 128))
    shown = decode_at_times(path, [Fraction(3)], probe(path).start).frames[0].astype(int)
    difference = {second: np.abs(shown - scene.render(second)).mean() for second in (2.7, 3, 3.3)}
    assert min(difference, key=lambda second: difference[second]) == 3
    assert difference[3] < 4


def test_the_files_are_those_of_a_real_data_set(tiny: SyntheticFiles) -> None:
    labels, truth = load_label_map(tiny.label_map), load_ground_truth_csv(tiny.val_csv)
    boxes, excluded = load_person_boxes_csv(tiny.val_boxes), load_exclusions(tiny.val_excluded)
    assert labels.names == tuple(action.name for action in ACTIONS)
    assert set(truth.action.tolist()) <= set(labels.ids)
    assert set(boxes.keyframes) <= set(truth.keyframes)
    assert excluded and excluded < set(truth.keyframes)


def test_dataset_files_name_files_beside_them(tiny: SyntheticFiles) -> None:
    for path, has_boxes in ((tiny.train_yaml, False), (tiny.val_yaml, True)):
        content = yaml.safe_load(path.read_text())
        assert content.pop("dataset") == "AVAVideoDataset"
        assert ("box_file" in content) == has_boxes
        assert all((path.parent / name).exists() for name in content.values())


def test_training_and_validation_movies_differ_and_all_can_be_read(tiny: SyntheticFiles) -> None:
    assert not {path.name for path in tiny.train_videos} & {path.name for path in tiny.val_videos}
    for path in (*tiny.train_videos, *tiny.val_videos):
        info = probe(path)
        assert (info.width, info.height, round(info.duration)) == (192, 128, 6)
    assert {probe(path).fps for path in tiny.train_videos} == {25.0, 30.0}


def test_true_boxes_are_found_with_high_scores_and_false_ones_have_low_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    box = np.array([0.4, 0.3, 0.6, 0.9])
    people = [KeyFramePerson("movie", second, box, (ACTIONS[0],), 0) for second in range(400)]
    write_rows(tmp_path / "boxes.csv", synthetic._detection_rows(people, rng))
    rows = load_person_boxes_csv(tmp_path / "boxes.csv")
    overlap = box_iou(torch.from_numpy(rows.xyxy), torch.from_numpy(box)[None])[:, 0].numpy()
    found = rows.score > 0.8
    assert overlap[found].min() > 0.6 and 370 < found.sum() < 400
    assert 150 < (~found).sum() < 250


def test_labels_are_wrong_at_excluded_key_frames_and_right_elsewhere() -> None:
    people = [KeyFramePerson("movie", second, np.zeros(4), (ACTIONS[second],), 0) for second in (0, 1, 2)]
    right = list(synthetic._truth_rows(people, []))
    written = list(synthetic._truth_rows(people, [("movie", 1)]))
    assert [a == b for a, b in zip(right, written, strict=True)] == [True, False, True]
    assert all(reverse_of(action) != action and reverse_of(action).axis == action.axis for action in ACTIONS)


def test_one_seed_gives_one_data_set_and_another_seed_another(tiny: SyntheticFiles, tmp_path: Path) -> None:
    again, other = (generate_dataset(tmp_path / str(seed), seed=seed, **TINY) for seed in (3, 4))
    for name in ("train_csv", "val_csv", "val_boxes", "train_excluded", "val_excluded"):
        assert getattr(tiny, name).read_bytes() == getattr(again, name).read_bytes()
    assert tiny.train_csv.read_bytes() != other.train_csv.read_bytes()
    frames = [
        decode_at_times(files.train_videos[0], [Fraction(1), Fraction(5)], Fraction(0)).frames
        for files in (tiny, again, other)
    ]
    np.testing.assert_array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])


def test_a_folder_with_files_of_someone_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match=r"not empty.*new folder"):
        generate_dataset(tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_of_ours_is_written_over_without_leftovers(tmp_path: Path) -> None:
    for movies in (2, 1):
        files = generate_dataset(tmp_path, num_train_movies=movies, num_val_movies=1, seconds=2, size=(96, 64))
    assert sorted((tmp_path / "videos").iterdir()) == sorted([*files.train_videos, *files.val_videos])
    assert (tmp_path / MARKER).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_val_movies": 0}, "validation movie"),
        ({"seconds": 1}, "no key frame"),
        ({"size": (97, 64)}, "must be even"),
        ({"seed": -1}, "seed"),
    ],
)
def test_numbers_that_make_no_data_set_are_refused(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate_dataset(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_the_tool_writes_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "tools" / "make_synthetic.py"
    spec = importlib.util.spec_from_file_location("make_synthetic", path)
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    flags = ["--output", str(tmp_path / "new"), "--movies", "1", "1", "--seconds", "2", "--size", "96", "64"]
    tool.make_synthetic(tool.parse_flags(flags))
    assert (tmp_path / "new" / "val.yaml").exists()
    assert "val.yaml" in capsys.readouterr().out
