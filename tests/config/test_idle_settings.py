import re
from pathlib import Path

import pytest

from alphaction.config import get_cfg, load_cfg
from alphaction.config.idle_settings import _WITH_KEYS, idle_settings
from alphaction.finetune import STRATEGIES

ROOT = Path(__file__).parents[2]


def say(*opts: object) -> list[str]:
    cfg = get_cfg()
    cfg.merge_from_list(list(opts))
    return idle_settings(cfg)


def test_the_defaults_and_the_keys_of_the_chosen_strategy_are_no_idle_settings() -> None:
    assert say() == []
    assert say("FINETUNE.STRATEGY", "adaptive", "FINETUNE.ADAPTIVE.PATIENCE", 3, "FINETUNE.RELEASE_STEM", True) == []


@pytest.mark.parametrize("file", sorted(ROOT.glob("config_files/**/*.yaml")), ids=lambda path: path.stem)
def test_shipped_files_have_none(file: Path) -> None:
    assert idle_settings(load_cfg(str(file))) == []


def test_every_strategy_with_keys_is_known() -> None:
    assert set(_WITH_KEYS) == {name for name in STRATEGIES if name.upper() in get_cfg().FINETUNE}


def test_keys_of_another_strategy_are_named_together() -> None:
    opts = ("FINETUNE.EARLY_GRADUAL.TARGET_RATIO", 0.3, "FINETUNE.EARLY_GRADUAL.FREEZE_EPOCHS", 2)
    (sentence,) = say(*opts)
    assert "FREEZE_EPOCHS, FINETUNE.EARLY_GRADUAL.TARGET_RATIO have no effect" in sentence
    assert 'FINETUNE.STRATEGY is "none", not "early_gradual"' in sentence


@pytest.mark.parametrize(
    ("opts", "told"),
    [
        (
            ["FINETUNE.PHASES", [{"epochs": 0, "train": ["head"]}]],
            'FINETUNE.PHASES has no effect.*"none", not "phases"',
        ),
        (
            ["FINETUNE.STRATEGY", "backbone_at_epoch", "FINETUNE.RESTART_SCHEDULE", "released"],
            'RESTART_SCHEDULE has no effect on what is released.*"schedule"',
        ),
        (
            [
                *("FINETUNE.STRATEGY", "backbone_at_epoch", "FINETUNE.BACKBONE_AT_EPOCH.LR", "schedule"),
                *("FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR", 1e-5),
            ],
            r'INITIAL_LR has no effect: BACKBONE_AT_EPOCH\.LR is "schedule"',
        ),
        (["MODEL.BACKBONE.FROZEN_BN", True, "FINETUNE.BN_OF_FROZEN", "track"], "BN_OF_FROZEN has no effect.*FROZEN_BN"),
        (["FINETUNE.STRATEGY", "static", "FINETUNE.RELEASE_NORM", True], "RELEASE_NORM has no effect.*names what"),
        (["FINETUNE.RELEASE_STEM", True], "RELEASE_STEM has no effect.*releases nothing"),
        (["SOLVER.SCHEDULER", "polynomial", "SOLVER.STEP_EPOCHS", [3]], "STEP_EPOCHS has no effect.*no steps"),
    ],
)
def test_settings_that_others_silence_are_named(opts: list[object], told: str) -> None:
    assert [bool(re.search(told, sentence)) for sentence in say(*opts)] == [True]


def test_nothing_is_said_of_a_strategy_of_ones_own() -> None:
    assert say("FINETUNE.STRATEGY", "mine", "FINETUNE.ADAPTIVE.PATIENCE", 3, "FINETUNE.RELEASE_STEM", True) == []
