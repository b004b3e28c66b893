"""Is it the same run?"""

import pytest

from alphaction.checkpoint import check_same_run, compare_configs
from alphaction.utils.errors import CheckpointError

SAVED = """
DATASETS: {TRAIN: [ava_video_train_v2.2]}
FINETUNE: {STRATEGY: none}
INPUT: {FRAME_NUM: 64}
MODEL: {WEIGHT: a.pth, BACKBONE: {CONV_BODY: Slowfast-Resnet50, FROZEN_BN: true}}
OUTPUT_DIR: out
SOLVER: {BASE_LR: 0.0004, STEPS: [50, 70], MAX_ITER: 90, SCHEDULER: warmup_multi_step, CHECKPOINT_PERIOD: 10,
  EVAL_PERIOD: 10, LOG_PERIOD: 20, CHECKPOINTS_KEPT: 0, MAX_EPOCHS: 0}
TEST: {BOX_THRESH: 0.8}
"""


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("Slowfast-Resnet50", "I3D-Resnet50", ("MODEL.BACKBONE.CONV_BODY", "Slowfast-Resnet50", "I3D-Resnet50")),
        ("FRAME_NUM: 64", "FRAME_NUM: 32", ("INPUT.FRAME_NUM", 64, 32)),
        ("0.0004", "0.001", ("SOLVER.BASE_LR", 0.0004, 0.001)),
        ("[50, 70]", "[50, 80]", ("SOLVER.STEPS", [50, 70], [50, 80])),
        ("train_v2.2", "mine", ("DATASETS.TRAIN", ["ava_video_train_v2.2"], ["ava_video_mine"])),
        ("STRATEGY: none", "STRATEGY: fixed", ("FINETUNE.STRATEGY", "none", "fixed")),
        ("MAX_ITER: 90", "MAX_ITER: 80", ("SOLVER.MAX_ITER", 90, 80)),
        ("MAX_EPOCHS: 0", "MAX_EPOCHS: 3", ("SOLVER.MAX_EPOCHS", 0, 3)),
        (", FROZEN_BN: true", "", ("MODEL.BACKBONE.FROZEN_BN", True, "(not set)")),
    ],
)
def test_a_key_that_changes_the_run_is_reported(old, new, difference):
    assert compare_configs(SAVED, SAVED.replace(old, new)) == [difference]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WEIGHT: a.pth", "WEIGHT: ''"),
        ("CHECKPOINT_PERIOD: 10", "CHECKPOINT_PERIOD: 5"),
        ("EVAL_PERIOD: 10", "EVAL_PERIOD: 5"),
        ("LOG_PERIOD: 20", "LOG_PERIOD: 1"),
        ("CHECKPOINTS_KEPT: 0", "CHECKPOINTS_KEPT: 3"),
        ("MAX_ITER: 90", "MAX_ITER: 120"),
        ("MAX_EPOCHS: 0", "MAX_EPOCHS: 0, MONITOR: mAP, MONITOR_MODE: min"),
        ("MAX_EPOCHS: 0", "MAX_EPOCHS: 0, SAVE_BEST: true, EARLY_STOP_PATIENCE: 2, EARLY_STOP_MIN_DELTA: 0.1"),
        # Keys that did not exist when the run was saved, with their defaults.
        ("MAX_EPOCHS: 0", "MAX_EPOCHS: 0, OPTIMIZER: sgd, BETAS: [0.9, 0.999]"),
        ("OUTPUT_DIR: out", "OUTPUT_DIR: elsewhere"),
        ("BOX_THRESH: 0.8", "BOX_THRESH: 0.5"),
        ("BASE_LR: 0.0004", "BASE_LR: 4.0e-04"),
    ],
)
def test_a_key_that_leaves_the_run_the_same_is_not_reported(old, new):
    assert compare_configs(SAVED, SAVED.replace(old, new)) == []


@pytest.mark.parametrize("name", ["half_period_cosine", "polynomial", "one_cycle"])
def test_a_longer_run_is_another_schedule_where_it_stretches_over_the_run(name):
    saved = SAVED.replace("warmup_multi_step", name)
    assert compare_configs(saved, saved.replace("MAX_ITER: 90", "MAX_ITER: 120")) == [("SOLVER.MAX_ITER", 90, 120)]


@pytest.mark.parametrize("name", ["exponential", "plateau"])
def test_a_longer_run_goes_on_where_the_schedule_knows_no_end(name):
    saved = SAVED.replace("warmup_multi_step", name)
    assert compare_configs(saved, saved.replace("MAX_ITER: 90", "MAX_ITER: 120")) == []


def test_another_metric_is_another_run_where_the_run_follows_it():
    now = SAVED.replace("MAX_EPOCHS: 0", "MAX_EPOCHS: 0, MONITOR: mAP")
    assert compare_configs(SAVED, now) == []
    assert compare_configs(SAVED, now, follows_metric=True) == [("SOLVER.MONITOR", "", "mAP")]
    with pytest.raises(CheckpointError, match=r"SOLVER\.MONITOR"):
        check_same_run(SAVED, now, "out", follows_metric=True)


def test_a_new_key_that_is_not_at_its_default_is_reported():
    now = SAVED.replace("MAX_EPOCHS: 0", "MAX_EPOCHS: 0, OPTIMIZER: adamw")
    assert compare_configs(SAVED, now) == [("SOLVER.OPTIMIZER", "sgd", "adamw")]


def test_more_epochs_go_on_with_the_run():
    saved = SAVED.replace("MAX_EPOCHS: 0", "MAX_EPOCHS: 3")
    assert compare_configs(saved, saved.replace("MAX_EPOCHS: 3", "MAX_EPOCHS: 5")) == []


def test_the_same_run_passes():
    check_same_run(SAVED, SAVED, "out")


def test_another_run_is_refused_with_keys_and_ways_out():
    with pytest.raises(CheckpointError) as error:
        check_same_run(SAVED, SAVED.replace("FRAME_NUM: 64", "FRAME_NUM: 32"), "out")
    assert "out holds a run with another config" in str(error.value)
    assert "INPUT.FRAME_NUM     64   32" in str(error.value)
    assert "another OUTPUT_DIR" in str(error.value)
    assert "--adjust-lr" not in str(error.value)


def test_other_rates_alone_offer_adjust_lr():
    changed = SAVED.replace("0.0004", "0.001")
    with pytest.raises(CheckpointError, match="add --adjust-lr"):
        check_same_run(SAVED, changed, "out")
    check_same_run(SAVED, changed, "out", adjust_lr=True)


def test_adjust_lr_excuses_another_strategy():
    changed = SAVED.replace("STRATEGY: none", "STRATEGY: fixed").replace("0.0004", "0.001")
    with pytest.raises(CheckpointError, match="add --adjust-lr to go on with the new rates, schedule and fine-tuning"):
        check_same_run(SAVED, changed, "out")
    check_same_run(SAVED, changed, "out", adjust_lr=True)


def test_adjust_lr_does_not_excuse_another_optimizer():
    changed = SAVED.replace("MAX_EPOCHS: 0", "MAX_EPOCHS: 0, OPTIMIZER: adamw")
    with pytest.raises(CheckpointError) as error:
        check_same_run(SAVED, changed, "out", adjust_lr=True)
    assert "SOLVER.OPTIMIZER" in str(error.value) and "--adjust-lr" not in str(error.value)


def test_adjust_lr_does_not_excuse_another_model():
    changed = SAVED.replace("Slowfast-Resnet50", "I3D-Resnet50").replace("0.0004", "0.001")
    with pytest.raises(CheckpointError) as error:
        check_same_run(SAVED, changed, "out", adjust_lr=True)
    assert "CONV_BODY" in str(error.value)
    assert "BASE_LR" not in str(error.value)


def test_another_sampling_is_another_run():
    saved = "DATALOADER:\n  SAMPLING: uniform\n  NUM_WORKERS: 4\n"
    now = "DATALOADER:\n  SAMPLING: repeat_factor\n  NUM_WORKERS: 2\n"
    assert compare_configs(saved, now) == [("DATALOADER.SAMPLING", "uniform", "repeat_factor")]
