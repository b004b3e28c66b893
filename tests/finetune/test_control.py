"""The strategy's plans carried out, and what is remembered of them."""

from typing import Any

import pytest
import torch

from alphaction.config import get_cfg
from alphaction.finetune import Clock, FineTuning, build_fine_tuning
from alphaction.structures.unit_rate import UnitRate
from alphaction.utils.errors import ConfigError, UserError
from tests.finetune.networks import Net


def make(strategy: str, **keys: Any) -> FineTuning:
    cfg = get_cfg()
    cfg.FINETUNE.STRATEGY = strategy
    for key, value in keys.items():
        cfg.FINETUNE[key] = value
    return build_fine_tuning(cfg, Net().stages())


def trainable(tuning: FineTuning) -> set[str]:
    return {unit.name for unit in tuning.layout.units if all(p.requires_grad for p in unit.parameters())}


def test_an_epoch_says_what_it_releases_and_sets_the_gradients() -> None:
    tuning = make("progressive")
    first, second = tuning.begin_epoch(Clock(0), 0), tuning.begin_epoch(Clock(1), 10)
    assert first.trained == ("head",) and first.released == ()
    assert second.released == ("layer2.0", "layer2.1") and second.is_change
    assert trainable(tuning) == {"layer2.0", "layer2.1", "head"}
    assert not tuning.begin_epoch(Clock(1), 12).is_change


def test_rates_join_the_schedule_where_it_is_unless_it_restarts() -> None:
    starts = {}
    for restart in ("none", "released", "all"):
        tuning = make("progressive", RESTART_SCHEDULE=restart)
        tuning.begin_epoch(Clock(0), 0)
        tuning.begin_epoch(Clock(1), 10)
        starts[restart] = {name: rate.start for name, rate in tuning.rates().items()}
    frozen = dict.fromkeys(("stem", "layer1.0", "layer1.1", "norm"), 0)
    assert starts["none"] == frozen | {"layer2.0": 0, "layer2.1": 0, "head": 0}
    assert starts["released"] == frozen | {"layer2.0": 10, "layer2.1": 10, "head": 0}
    assert starts["all"] == frozen | {"layer2.0": 10, "layer2.1": 10, "head": 10}


def test_a_restored_plan_is_the_one_that_was_saved() -> None:
    first, second = make("fixed", RESTART_SCHEDULE="all"), make("fixed", RESTART_SCHEDULE="all")
    for epoch in range(9):
        first.begin_epoch(Clock(epoch, 0.5), epoch * 10)
    second.load_state_dict(first.state_dict())
    second.apply()
    assert second.goes_on and second.rates() == first.rates() and trainable(second) == trainable(first)


def test_another_strategy_takes_over_what_trains_and_begins_its_own_way() -> None:
    head_only, later = make("static"), make("backbone_at_epoch")
    head_only.begin_epoch(Clock(0), 0)
    later.load_state_dict(head_only.state_dict())
    assert not later.goes_on and later.trained == ("head",)
    event = later.begin_epoch(Clock(12, None, 0.5), 120)
    assert set(event.released) == {"stem", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "norm"}
    assert later.rates()["stem"] == UnitRate(factor=0.05, shape="constant")


def test_what_no_output_uses_is_never_released() -> None:
    net = Net()
    net.layer1[0][0].bias.requires_grad_(False)
    cfg = get_cfg()
    tuning = build_fine_tuning(cfg, net.stages())
    tuning.begin_epoch(Clock(0), 0)
    assert not net.layer1[0][0].bias.requires_grad and net.layer1[0][0].weight.requires_grad


def test_modes_are_left_alone_before_the_first_epoch() -> None:
    net = Net()
    tuning = build_fine_tuning(get_cfg(), net.stages())
    tuning.set_modes()
    assert all(module.training for module in net.modules())


def test_an_unknown_strategy_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r'Unknown fine-tuning strategy.*"early_graduel".*did you mean "early_gradual"'):
        make("early_graduel")


def test_the_saved_state_is_plain(tmp_path: Any) -> None:
    tuning = make("adaptive")
    tuning.begin_epoch(Clock(0), 0)
    torch.save(tuning.state_dict(), tmp_path / "state.pth")
    assert torch.load(tmp_path / "state.pth", weights_only=True) == tuning.state_dict()


def test_parts_that_begin_frozen_with_random_weights_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    units, cfg = Net().stages(), get_cfg()
    cfg.FINETUNE.STRATEGY = "progressive"
    for unloaded, told in (
        ([unit.name for unit in units], "backbone: frozen from the start with random weights"),
        (["layer1.0", "layer1.1", "head"], "layer1: frozen from the start with random weights"),
        (["head"], ""),
    ):
        caplog.clear()
        tuning = build_fine_tuning(cfg, units, unloaded)
        for epoch in range(3):
            tuning.begin_epoch(Clock(epoch), epoch * 10)
        assert caplog.text.count("random weights") == bool(told) and told in caplog.text


def test_adaptive_says_how_long_it_has_waited_when_it_releases() -> None:
    tuning = make("adaptive")
    notes = [tuning.begin_epoch(Clock(epoch, 0.5), epoch * 10).notes for epoch in range(5)]
    assert [note[0].split(", ")[-1] for note in notes[2:]] == [
        f"{n} without a gain" for n in ("0 epochs", "1 epoch", "2 epochs")
    ]
    assert tuning.trained == ("layer2.0", "layer2.1", "head")


def test_a_head_that_learns_faster_in_the_second_phase_is_told(caplog: pytest.LogCaptureFixture) -> None:
    make("fixed", BACKBONE_LR_FACTOR=0.1)
    assert "rate in phase 2" not in caplog.text
    make("fixed")
    assert "the head's rate in phase 2 is 5 times that of phase 1" in caplog.text
    assert "UNFREEZE_BLOCKS is 3, and the backbone has 2 layers" in caplog.text


def test_a_checkpoint_from_before_a_layer_had_blocks_of_its_own_goes_on() -> None:
    old = make("progressive", RESTART_SCHEDULE="released")
    for epoch in range(2):
        old.begin_epoch(Clock(epoch), epoch * 10)
    state = old.state_dict() | {"trained": ["layer2", "head"], "starts": {"layer2": 10}}
    later = make("progressive", RESTART_SCHEDULE="released")
    later.load_state_dict(state)
    later.apply()
    assert trainable(later) == {"layer2.0", "layer2.1", "head"} and later.rates() == old.rates()
    with pytest.raises(ConfigError, match=r'The fine-tuning of the checkpoint names "layer7"'):
        later.load_state_dict(state | {"trained": ["layer7"]})
