import json

import numpy as np
import pytest
from made_videos import GOLDEN

from alphaction.dataset.frames import Pathways, Window

OPS = json.loads((GOLDEN / "ops.json").read_text())


@pytest.mark.parametrize("name", OPS["temporal_crop"])
def test_the_window_lies_around_the_key_frame_as_in_the_golden_table(name):
    raw, num, rate = (int("".join(filter(str.isdigit, part))) for part in name.split("_"))
    key_frame = raw // 2  # as many frames of the raw clip before it as after, the key frame begins the second half
    frames = np.clip(np.array(Window(num, rate, 25.0).offsets(range(num))) + key_frame, 0, raw - 1)
    assert frames.tolist() == OPS["temporal_crop"][name]


@pytest.mark.parametrize("name", OPS["slowfast_crop"])
def test_pathways_sample_the_window_as_in_the_golden_table(name):
    num, tau, alpha = (int("".join(filter(str.isdigit, part))) for part in name.split("_")[:3])
    golden = OPS["slowfast_crop"][name]
    plan = Pathways(num, tau, alpha).plan(np.random.default_rng(0))
    if "jitter" in name:
        plan = Pathways(num, tau, alpha).plan_from(golden["slow"][0], 0, np.arange(num))
    assert plan.positions[plan.slow_index].tolist() == golden["slow"]
    if "fast" in golden:
        assert plan.positions[plan.fast_index].tolist() == golden["fast"]


@pytest.mark.parametrize(("tau", "alpha", "distinct"), [(16, 8, 36), (8, 4, 40)])
def test_each_frame_is_read_once(tau, alpha, distinct):
    plan = Pathways(64, tau, alpha).plan(np.random.default_rng(0))
    assert len(plan.positions) == distinct == len(set(plan.positions.tolist()))


def test_slow_jitter_starts_everywhere_in_the_first_stride():
    pathways = Pathways(64, 16, 8, slow_jitter=True)
    starts = {int(p.positions[p.slow_index[0]]) for p in map(pathways.plan, map(np.random.default_rng, range(200)))}
    assert starts == set(range(16))


def test_shuffled_frames_are_one_clip_for_both_pathways():
    plain = Pathways(64, 16, 8).plan(np.random.default_rng(0))
    plan = Pathways(64, 16, 8, shuffle=True).plan(np.random.default_rng(3))
    again = Pathways(64, 16, 8, shuffle=True).plan(np.random.default_rng(3))
    order = np.random.default_rng(3).permutation(64)
    for pathway in ("slow_index", "fast_index"):
        seen = plan.positions[getattr(plan, pathway)]
        assert seen.tolist() == order[plain.positions[getattr(plain, pathway)]].tolist()
        assert seen.tolist() == again.positions[getattr(again, pathway)].tolist()
    assert plan.positions[plan.fast_index].tolist() != plain.positions[plain.fast_index].tolist()


def test_times_of_a_window_follow_the_rate_of_the_config_or_of_the_file():
    assert [float(t) for t in Window(4, 5, 25.0).seconds(range(4), 2000, 30.0)] == [1.6, 1.8, 2.0, 2.2]
    assert [float(t) for t in Window(4, 3, 0.0).seconds(range(4), 2000, 30.0)] == [1.8, 1.9, 2.0, 2.1]
