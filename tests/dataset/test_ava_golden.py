"""The whole data path against samples of the original, on its own clips, annotations and boxes."""

import json

import numpy as np
import pytest
from made_videos import GOLDEN, open_ava, small_cfg

from alphaction.dataset.build import make_data_loader
from alphaction.dataset.transforms.video import ColourShift, flip_frames, resize_frames, resized_size, shift_colour
from alphaction.structures.boxes import Boxes

DATA = json.loads((GOLDEN / "data.json").read_text())
ARRAYS = np.load(GOLDEN / "data.npz")
FILES = GOLDEN / "data_files"
MEAN, STD = np.array([122.7717, 115.9465, 102.9801], np.float32), np.float32(57.375)
OPTIONS = ["INPUT.FRAME_NUM", 64, "INPUT.TAU", 16, "INPUT.ALPHA", 8, "INPUT.MIN_SIZE_TRAIN", 256]
OPTIONS += ["INPUT.MIN_SIZE_TEST", 256, "MODEL.IA_STRUCTURE.ACTIVE", True, "MODEL.IA_STRUCTURE.MAX_OBJECT", 5]


def open_golden(is_train, *options):
    return open_ava(
        is_train,
        small_cfg(*OPTIONS, *options),
        video_root=FILES / "clips/trainval",
        ann_file=FILES / "annotations/ava_val_v2.2_min.json",
        csv_gt_file=FILES / "annotations/ava_val_v2.2.csv",
        box_file=FILES / "boxes/ava_val_det_person_bbox.json",
        object_file=FILES / "boxes/ava_val_det_object_bbox.json",
        labelmap_file=FILES / "annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt",
    )


@pytest.fixture(scope="module")
def test_set():
    return open_golden(False)


@pytest.fixture(scope="module")
def train_set():
    return open_golden(True)


def pathway(frames, index):
    """Returns [3, T, H, W] float32, normalised as the recipe says."""
    return ((frames[index].astype(np.float32) - MEAN) / STD).transpose(3, 0, 1, 2)


def check_pathway(clip, golden, sub, step):
    assert list(clip.shape) == golden["shape"]
    statistics = {
        "mean": clip.mean(dtype=np.float64),
        "std": clip.std(dtype=np.float64),
        "min": clip.min(),
        "max": clip.max(),
    }
    for name, value in statistics.items():
        assert value == pytest.approx(golden[name], abs=1e-5), name
    np.testing.assert_allclose(clip.ravel()[:8], golden["first8"], atol=1e-4)
    np.testing.assert_allclose(clip.ravel()[-8:], golden["last8"], atol=1e-4)
    np.testing.assert_allclose(clip[:, ::step, ::16, ::16], sub, atol=1e-4)


def test_the_test_set_is_the_golden_list_of_clips(test_set):
    golden = [(entry["movie"], entry["timestamp"] * 1000) for entry in DATA["test_video_info"]]
    assert [tuple(test_set.key(index)) for index in range(len(test_set))] == golden


@pytest.mark.parametrize("index", [0, 13, 27])
def test_test_samples_are_the_golden_ones(test_set, index):
    golden = DATA["test_samples"][str(index)]
    sample = test_set[index]
    frames = sample.media.frames.numpy()
    for name, step in (("slow", 1), ("fast", 4)):
        clip = pathway(frames, getattr(sample.media, f"{name}_index").numpy())
        check_pathway(clip, golden[name], ARRAYS[f"test{index}_{name}_sub"], step)
        np.testing.assert_allclose(clip.mean(axis=(0, 2, 3)), golden[f"{name}_mean_per_frame"], atol=1e-4)
    target = sample.target
    np.testing.assert_allclose(target.persons.xyxy, golden["boxes"], atol=1e-4)
    assert list(target.persons.size) == list(target.objects.size) == golden["size"]
    info = DATA["test_video_info"][index]
    assert target.frame_size == (info["width"], info["height"])
    assert sample.media.valid_size.tolist() == golden["size"][::-1] == list(test_set.size_group(index))
    order = target.objects.scores.argsort().numpy()  # the original lists the worst first
    np.testing.assert_allclose(target.objects.xyxy[order], golden["objects"], atol=1e-4)
    np.testing.assert_allclose(target.objects.scores[order], golden["object_scores"], atol=1e-6)


@pytest.mark.parametrize("name", DATA["train_samples"])
def test_train_samples_are_the_golden_ones_for_the_golden_draws(train_set, name):
    golden = DATA["train_samples"][name]
    draws, index = golden["draws"], golden["idx"]
    assert len(train_set) == DATA["train_len"]
    key, plan = train_set.key(index), train_set.pathways.plan_from(draws["slow_start"], 0, np.arange(64))
    assert tuple(key) == (golden["movie_id"], golden["timestamp"] * 1000)
    decoded = train_set.sources[key.video].read(key.timestamp_ms, plan.positions, train_set.window)
    persons = train_set.persons.boxes(index, decoded.frames[0].shape[1::-1])
    size = resized_size(persons.size, 256, 464)
    frames = resize_frames(decoded.frames, size)
    frames = shift_colour(frames, ColourShift(draws["hue"], draws["sat"], draws["val"]))
    persons = persons.resize(size)
    if draws["flip"] < 0.5:
        frames, persons = flip_frames(frames), persons.flip()
    for pathway_name, index_in_plan, step in (("slow", plan.slow_index, 1), ("fast", plan.fast_index, 4)):
        clip = pathway(frames, decoded.index[index_in_plan])
        check_pathway(clip, golden[pathway_name], ARRAYS[f"train{index}_{pathway_name}_sub"], step)
    np.testing.assert_allclose(persons.xyxy, golden["boxes"], atol=1e-4)
    assert [row.nonzero().flatten().tolist() for row in persons.labels] == golden["labels_nonzero"]


def test_the_first_test_batch_has_the_golden_shape(test_set):
    loader = make_data_loader(test_set, small_cfg("DATALOADER.SIZE_DIVISIBILITY", 16), is_train=False, seed=0)
    batch = next(iter(loader))
    num_clips, _, _, height, width = DATA["test_batch0"]["slow"]
    assert batch.media.frames.shape == (num_clips, 36, height, width, 3)
    assert batch.media.slow_index.shape == (num_clips, 4) and batch.media.fast_index.shape == (num_clips, 32)


def test_objects_are_read_only_where_the_model_uses_them():
    cfg_without = open_golden(False, "MODEL.IA_STRUCTURE.ACTIVE", False)
    assert cfg_without[0].target.objects is None
    persons_only = open_golden(False, "MODEL.IA_STRUCTURE.I_BLOCK_LIST", ["P", "M"])
    assert persons_only[0].target.objects is None


def test_ground_truth_of_json_and_csv_agree(test_set):
    from_csv = test_set.ground_truth()
    from_json = open_ava(
        True,
        small_cfg(),
        video_root=FILES / "clips/trainval",
        ann_file=FILES / "annotations/ava_val_v2.2_min.json",
    ).ground_truth()
    assert len(from_csv) == len(from_json)
    assert from_csv.videos == from_json.videos
    np.testing.assert_array_equal(from_csv.timestamp_ms, from_json.timestamp_ms)
    np.testing.assert_array_equal(from_csv.action, from_json.action)
    np.testing.assert_allclose(from_csv.xyxy, from_json.xyxy, atol=2e-3)  # the CSV has three decimals
    assert len(test_set.evaluated_ids) == 60


def test_a_csv_with_clips_gives_the_boxes_of_the_json(train_set):
    from_csv = open_ava(
        True,
        small_cfg(),
        video_root=FILES / "clips/trainval",
        csv_gt_file=FILES / "annotations/ava_val_v2.2.csv",
    )
    assert len(from_csv) == len(train_set)
    for index in range(len(train_set)):
        assert from_csv.key(index) == train_set.key(index)
        ours, theirs = (dataset.persons.boxes(index, (480, 360)) for dataset in (from_csv, train_set))
        assert isinstance(ours, Boxes) and ours.labels.tolist() == theirs.labels.tolist()
        np.testing.assert_allclose(ours.xyxy, theirs.xyxy, atol=1.0)
