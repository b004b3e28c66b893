import json
from pathlib import Path

import numpy as np
import pytest
import torch

from alphaction.config import get_cfg
from alphaction.dataset.transforms.build import ClipTransforms, build_transforms
from alphaction.dataset.transforms.video import (
    ColourJitter,
    ColourShift,
    RandomFlip,
    Resize,
    flip_frames,
    resize_frames,
    resized_size,
    shift_colour,
)
from alphaction.structures.boxes import Boxes

GOLDEN = Path(__file__).parents[2] / "fixtures/golden"
OPS = json.loads((GOLDEN / "ops.json").read_text())
ARRAYS = np.load(GOLDEN / "ops.npz")
CLIP = ARRAYS["tf_clip_in"]  # [3, 20, 26, 3]
# The original gives (height, width) back for these, which have the size already.
TRANSPOSED = {"256x340(HxW)", "340x256(HxW)", "256x464(HxW)", "464x256(HxW)", "200x464(HxW)"}


@pytest.mark.parametrize("name", OPS["resize_get_size"])
def test_sizes_are_those_of_the_golden_table(name):
    height, width = (int(number) for number in name.split("(")[0].split("x"))
    golden = tuple(OPS["resize_get_size"][name])
    assert resized_size((width, height), 256, 464) == (golden[::-1] if name in TRANSPOSED else golden)


@pytest.mark.parametrize(("short", "long", "name"), [(16, 40, "tf_resize_16_40"), (33, 64, "tf_resize_33_64")])
def test_resized_pixels_are_the_golden_ones(short, long, name):
    np.testing.assert_array_equal(resize_frames(CLIP, resized_size((26, 20), short, long)), ARRAYS[name])


def test_colours_shifted_by_the_golden_draws_are_the_golden_ones():
    shift = ColourShift(*OPS["color_jitter_seed11_draws_h_s_v"])
    np.testing.assert_array_equal(shift_colour(CLIP, shift), ARRAYS["tf_color_jitter_seed11_20_0.1_0.1"])


@pytest.mark.parametrize("hue", range(-10, 11, 4))
def test_colour_shift_is_that_of_wide_integers(hue):
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(int)
    hsv[..., 0] = (hsv[..., 0] + hue) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] + [-20, 25], 0, 255)
    expected = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    np.testing.assert_array_equal(shift_colour(image[None], ColourShift(hue, -20, 25))[0], expected)


def test_bounds_of_the_colour_jitter_are_the_golden_ones():
    bounds = OPS["color_jitter_bounds"]
    assert ColourJitter(20.0, 0.1, 0.1).bounds() == (bounds["hue"], bounds["sat"], bounds["val"])


def test_drawn_shifts_reach_both_bounds():
    image = np.full((1, 1, 1, 3), 100, np.uint8)
    jitter = ColourJitter(0.0, 0.0, 2 / 255)
    values = {int(jitter(image, (), np.random.default_rng(seed))[0][0][0, 0, 0]) for seed in range(50)}
    assert values == {98, 99, 100, 101, 102}


def test_flip_mirrors_frames_persons_and_objects():
    golden = OPS["object_flip_bug"]["box_in"]
    boxes = tuple(Boxes(torch.tensor([golden], dtype=torch.float32), (26, 20)) for _ in range(2))
    frames, (persons, objects) = RandomFlip(1.0)(CLIP, boxes, np.random.default_rng(0))
    np.testing.assert_array_equal(frames, CLIP[:, :, ::-1])
    assert persons.xyxy.tolist() == objects.xyxy.tolist() == OPS["flip_seed3"]["box"]


@pytest.mark.parametrize(("probability", "flips"), [(0.0, 0), (1.0, 40)])
def test_flip_keeps_its_probability(probability, flips):
    results = [RandomFlip(probability)(CLIP, (), np.random.default_rng(seed))[0] for seed in range(40)]
    assert sum(not np.array_equal(result, CLIP) for result in results) == flips


def test_arguments_are_left_as_they_were():
    before = CLIP.copy()
    shift_colour(CLIP, ColourShift(5, 5, 5))
    flip_frames(CLIP)
    resize_frames(CLIP, (13, 10))
    np.testing.assert_array_equal(CLIP, before)


def test_frames_and_boxes_are_resized_together():
    boxes = Boxes(torch.tensor([[2.0, 4.0, 12.0, 18.0]]), (26, 20))
    transforms = ClipTransforms(Resize(10, 40))
    frames, (resized,) = transforms(list(CLIP), (boxes,), np.random.default_rng(0))
    assert frames.shape == (3, 10, 13, 3) and resized.size == (13, 10)
    assert resized.xyxy.tolist() == [[1.0, 2.0, 6.0, 9.0]]


def test_training_resizes_then_jitters_then_flips_and_test_only_resizes():
    cfg = get_cfg()
    cfg.merge_from_list(["INPUT.COLOR_JITTER", True, "INPUT.MIN_SIZE_TEST", 128])
    train, test = build_transforms(cfg, True), build_transforms(cfg, False)
    assert [type(step) for step in train.steps] == [ColourJitter, RandomFlip]
    assert test.steps == () and test.resize == Resize(128, 464)
    cfg.merge_from_list(["INPUT.COLOR_JITTER", False, "INPUT.FLIP_PROB", 0.0])
    assert build_transforms(cfg, True).steps == ()
