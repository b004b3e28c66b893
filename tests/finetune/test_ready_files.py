"""The files of config_files/finetune: each can be run, and does what it says."""

from pathlib import Path

import pytest
import torch

from alphaction.config.check import check_cfg
from alphaction.config.load import load_cfg
from alphaction.finetune import STRATEGIES, Clock, build_fine_tuning, planned_epochs
from alphaction.modeling import build_detector

FOLDER = Path(__file__).parents[2] / "config_files/finetune"
FILES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# What of the backbone trains in the end.
ENDS = {
    "r3d18_early_gradual": 24_908_800,
    "r3d18_early_gradual_careful": 14_157_824,
    "r3d18_head_only": 0,
    "r3d18_discriminative": 33_166_272,
    "r3d18_fixed": 33_166_272 - 28_352 - 2 * 221_440,
    "r3d18_progressive": 33_166_272 - 28_352,
    "r3d18_adaptive": 33_166_272 - 28_352,
    "r3d18_three_stages": 24_908_800 + 2_688_512 + 3_539_968,
    "r3d18_head_then_all": 33_166_272,
    "mvit_v2_s_early_gradual": 17_192_064,
    "slowfast_backbone_at_epoch": 21_417_984,
    "slowfast_backbone_at_epoch_growing": 33_557_752,
    "slowfast_head_then_res5": 21_417_984,
    "r3d18_pretrained_and_new": 33_166_272,
    "r3d18_head_then_all_slower": 33_166_272,
    "r3d18_stem_and_head": 28_352,
}


def test_every_strategy_has_a_file() -> None:
    used = {load_cfg(FOLDER / f"{name}.yaml").FINETUNE.STRATEGY for name in FILES}
    assert used == set(STRATEGIES)


@pytest.mark.parametrize("name", FILES)
def test_a_ready_file_can_run(name: str) -> None:
    check_cfg(load_cfg(FOLDER / f"{name}.yaml"))


@pytest.mark.parametrize("name", ENDS)
def test_a_ready_file_ends_with_what_it_says(name: str) -> None:
    cfg = load_cfg(FOLDER / f"{name}.yaml")
    with torch.device("meta"):
        tuning = build_fine_tuning(cfg, build_detector(cfg).stages())
    for epoch in range(planned_epochs(cfg) or cfg.SOLVER.MAX_EPOCHS):
        tuning.begin_epoch(Clock(epoch, 0.5, 1.0), epoch)
    trained = [unit for unit in tuning.layout.units if unit.name in tuning.trained and unit.kind != "head"]
    assert sum(p.numel() for unit in trained for p in unit.parameters() if p.requires_grad) == ENDS[name]
