from pathlib import Path

import pytest

from alphaction.config import load_cfg
from alphaction.config.load import dump_cfg, option_keys
from alphaction.config.scaling import describe_scaling, scale_schedule

BASELINE = Path(__file__).parents[2] / "config_files/resnet50_4x16f_baseline.yaml"


def resolved(words: list[str]):
    return scale_schedule(load_cfg(BASELINE, words), option_keys(words))


@pytest.mark.parametrize(
    ("batch", "typed", "base_lr", "steps", "max_iter"),
    [
        # The guide's recipes for 8, 4 and 1 GPUs (the last corrected), by the rule and as typed.
        (16, [], 4e-4, (50000, 70000), 90000),
        (8, [], 2e-4, (100000, 140000), 180000),
        (2, [], 5e-5, (400000, 560000), 720000),
        (
            8,
            ["SOLVER.BASE_LR", "0.0002", "SOLVER.STEPS", "(100000, 140000)", "SOLVER.MAX_ITER", "180000"],
            2e-4,
            (100000, 140000),
            180000,
        ),
        (
            2,
            ["SOLVER.BASE_LR", "0.00005", "SOLVER.STEPS", "(400000, 560000)", "SOLVER.MAX_ITER", "720000"],
            5e-5,
            (400000, 560000),
            720000,
        ),
        (
            2,
            ["SOLVER.BASE_LR", "0.000125", "SOLVER.STEPS", "(560000, 720000)", "SOLVER.MAX_ITER", "880000"],
            1.25e-4,
            (560000, 720000),
            880000,
        ),
        # One key alone is meant as typed too.
        (2, ["SOLVER.BASE_LR", "0.0001"], 1e-4, (50000, 70000), 90000),
    ],
)
def test_launch_recipes_of_the_guide(batch: int, typed: list[str], base_lr: float, steps: tuple, max_iter: int) -> None:
    solver = resolved([*typed, "SOLVER.VIDEOS_PER_BATCH", str(batch), "TEST.VIDEOS_PER_BATCH", str(batch)]).SOLVER
    assert solver.BASE_LR == pytest.approx(base_lr, rel=1e-12)
    assert (tuple(solver.STEPS), solver.MAX_ITER) == (steps, max_iter)
    assert solver.REFERENCE_VIDEOS_PER_BATCH == batch


def test_periods_and_warm_up_follow_the_batch() -> None:
    solver = resolved(["SOLVER.VIDEOS_PER_BATCH", "4"]).SOLVER
    assert (solver.WARMUP_ITERS, solver.CHECKPOINT_PERIOD, solver.EVAL_PERIOD) == (8000, 40000, 40000)


def test_lengths_of_decay_and_fine_tuning_follow_the_batch_and_zero_stays() -> None:
    words = ["SOLVER.VIDEOS_PER_BATCH", "4"]
    cfg = load_cfg(BASELINE, words)
    assert scale_schedule(cfg).SOLVER.DECAY_ITERS == scale_schedule(cfg).FINETUNE.EPOCH_ITERS == 0
    cfg.SOLVER.DECAY_ITERS, cfg.FINETUNE.EPOCH_ITERS = 300, 50
    cfg.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR = 0.01
    scaled = scale_schedule(cfg)
    assert (scaled.SOLVER.DECAY_ITERS, scaled.FINETUNE.EPOCH_ITERS) == (1200, 200)
    assert scaled.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR == pytest.approx(0.0025)
    assert "FINETUNE.EPOCH_ITERS" in describe_scaling(cfg, scaled)
    typed = scale_schedule(cfg, ["FINETUNE.EPOCH_ITERS", "FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR"])
    assert (typed.FINETUNE.EPOCH_ITERS, typed.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR) == (50, 0.01)


def test_lengths_never_become_zero_and_zero_stays() -> None:
    words = ["SOLVER.VIDEOS_PER_BATCH", "64"]
    cfg = load_cfg(BASELINE, words)
    cfg.SOLVER.EVAL_PERIOD, cfg.SOLVER.WARMUP_ITERS = 1, 0
    solver = scale_schedule(cfg, option_keys(words)).SOLVER
    assert (solver.EVAL_PERIOD, solver.WARMUP_ITERS) == (1, 0)


def test_scaling_a_dumped_config_changes_nothing(tmp_path: Path) -> None:
    once = resolved(["SOLVER.VIDEOS_PER_BATCH", "2"])
    again = scale_schedule(load_cfg(dump_cfg(once, tmp_path)))
    assert again == once


def test_without_a_reference_nothing_is_scaled() -> None:
    cfg = load_cfg(None, ["SOLVER.VIDEOS_PER_BATCH", "2"])
    assert scale_schedule(cfg) == cfg


def test_the_table_shows_before_and_after() -> None:
    words = ["SOLVER.VIDEOS_PER_BATCH", "2"]
    before = load_cfg(BASELINE, words)
    text = describe_scaling(before, scale_schedule(before, option_keys(words)), option_keys(words))
    assert "from 16 to 2 clips per batch" in text and "720000" in text
    typed = [*words, "SOLVER.BASE_LR", "0.0001"]
    text = describe_scaling(load_cfg(BASELINE, typed), resolved(typed), option_keys(typed))
    assert "off because SOLVER.BASE_LR is given" in text and "5e-05" in text
    assert describe_scaling(load_cfg(BASELINE), resolved([])) == ""
