"""Odd containers of the real world; needs the folder named by ALPHACTION_TEST_DATA."""

import bisect
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import open_ava, small_cfg

from alphaction.dataset.decode import decode_at_times, probe
from alphaction.dataset.video_file import VideoError

ROOT = os.environ.get("ALPHACTION_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not ROOT, reason="ALPHACTION_TEST_DATA names no folder of real videos")


NAMES = ["pets/vtest.avi", "video/v_ApplyEyeMakeup_g01_c01.avi", "video/flipping_a_pancake.mkv"]
NAMES += ["video/classroom.gif", "grid/bbbf9a.mpg", "asl/learn.mkv"]


@pytest.mark.parametrize("name", NAMES)
def test_real_containers_give_the_frames_that_full_decoding_gives(name):
    path = Path(ROOT) / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    try:
        info = probe(path)
    except VideoError as error:
        pytest.fail(str(error))
    first = Fraction(int(info.duration * 300), 1000)
    times = [first + Fraction(i, 25) for i in range(0, 32, 2)]
    decoded = decode_at_times(path, times, info.start)
    expected = _shown_at(path, [time + info.start for time in times])
    for position, image in zip(decoded.index, expected, strict=True):
        np.testing.assert_array_equal(decoded.frames[position], image)


def _shown_at(path, times):
    """Returns the frames by decoding from the beginning: frames come in order, so their times are sorted."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        stamps = sorted(frame.pts * frame.time_base for frame in frames)
    ranks = [max(bisect.bisect_right(stamps, time + Fraction(1, 2000)) - 1, 0) for time in times]
    return [frames[rank].to_ndarray(format="rgb24") for rank in ranks]


@pytest.mark.parametrize(("name", "is_train", "num_rows"), [("train", True, 260), ("val", False, 145)])
def test_pets_is_a_data_set_as_it_lies_there(name, is_train, num_rows):
    pets = Path(ROOT) / "pets"
    if not pets.is_dir():
        pytest.skip(f"{pets} is not there")
    files = {
        "video_root": pets,
        "csv_gt_file": pets / f"pets_{name}.csv",
        "label_file": pets / "action_list.pbtxt",
        "box_file": pets / "pets_predicted_boxes.csv",
    }
    dataset = open_ava(is_train, small_cfg(), **files)
    assert len(dataset.ground_truth()) == num_rows
    sample = dataset[len(dataset) // 2]
    assert sample.target.frame_size == (768, 576) and len(sample.target.persons) > 0
