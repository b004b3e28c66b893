"""Which units train in which epoch."""

from collections.abc import Sequence
from typing import Any

import pytest

from alphaction.config import get_cfg
from alphaction.finetune import STRATEGIES, Clock, Strategy
from alphaction.utils.errors import ConfigError
from tests.finetune.networks import KEYS, layout_of

R3D = ("stem", *(f"layer{layer}.{block}" for layer in (1, 2, 3, 4) for block in (0, 1)), "head")


def make(name: str, backbone: str = "R3D-18", **keys: Any) -> Strategy:
    cfg = get_cfg()
    for key, value in keys.items():
        cfg.FINETUNE[name.upper()][key] = value
    return STRATEGIES.get(name).from_cfg(cfg, layout_of(backbone))


def released(strategy: Strategy, num_epochs: int, metrics: Sequence[float | None] = ()) -> list[str]:
    """Returns what each epoch trains that the one before did not, heads left out."""
    seen: set[str] = {"head"}
    new = []
    for epoch in range(num_epochs):
        metric = metrics[epoch - 1] if 0 < epoch <= len(metrics) else None
        trained = strategy.plan(Clock(epoch, metric)).trained
        new.append(" ".join(name for name in trained if name not in seen))
        seen |= set(trained)
    return new


def final_parameters(strategy: Strategy, backbone: str) -> int:
    plans = [strategy.plan(Clock(epoch)) for epoch in range(20)]
    layout = layout_of(backbone)
    return layout.num_parameters([name for name in plans[-1].trained if name not in layout.heads])


def test_none_trains_everything() -> None:
    assert make("none").plan(Clock(0)).trained == R3D


def test_static_trains_what_is_named() -> None:
    assert make("static").plan(Clock(7)).trained == ("head",)
    assert make("static", TRAIN=("layer4", "head")).plan(Clock(0)).trained == ("layer4.0", "layer4.1", "head")


def test_static_refuses_to_train_nothing() -> None:
    with pytest.raises(ConfigError, match=r"FINETUNE\.STATIC\.TRAIN is empty"):
        make("static", TRAIN=())


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [
        ("R3D-18", ["", "layer4.1", "layer4.0", "", ""]),
        ("MViT-V1-B", ["", "blocks.15", "blocks.14", "blocks.13", "blocks.12", ""]),
        ("Slowfast-Resnet50", ["", "res5.2", "res5.1", "res5.0", ""]),
        ("I3D-Resnet50", ["", "res5.2", "res5.1", "res5.0", "res4.5", ""]),
        ("Slowfast-Tiny", ["", "res5", "", ""]),
    ],
)
def test_early_gradual_freezes_one_epoch_and_releases_a_block_in_each_after_it(
    backbone: str, expected: list[str]
) -> None:
    assert released(make("early_gradual", backbone), len(expected)) == expected


@pytest.mark.parametrize(
    ("backbone", "ratio", "expected"),
    [
        ("R3D-18", 0.5, 24_908_800),
        ("MC3-18", 0.5, 8_393_728),
        ("R2Plus1D-18", 0.5, 23_495_524),
        ("MViT-V1-B", 0.5, 18_635_616),
        ("MViT-V2-S", 0.5, 17_192_064),
        ("Slowfast-Resnet50", 0.5, 21_443_328),
        ("R3D-18", 0.3, 14_157_824),
        ("MC3-18", 0.3, 4_720_640),
        ("R2Plus1D-18", 0.3, 14_162_432),
        ("MViT-V1-B", 0.3, 7_093_440 + 7_096_224),
        ("MViT-V2-S", 0.3, 7_100_160 + 6_513_024),
    ],
)
def test_early_gradual_ends_at_the_published_counts(backbone: str, ratio: float, expected: int) -> None:
    assert final_parameters(make("early_gradual", backbone, TARGET_RATIO=ratio), backbone) == expected


@pytest.mark.parametrize(
    ("mode", "ratio", "expected"),
    [("not_exceed", 0.5, 14_157_824), ("closest", 0.5, 14_157_824), ("closest", 0.7, 24_908_800), ("reach", 0, 0)],
)
def test_the_target_can_be_kept_below_or_met_as_closely_as_possible(mode: str, ratio: float, expected: int) -> None:
    strategy = make("early_gradual", TARGET_MODE=mode, TARGET_RATIO=ratio)
    assert final_parameters(strategy, "R3D-18") == expected


def test_early_gradual_says_how_far_it_is() -> None:
    note = make("early_gradual").plan(Clock(1)).notes[0]
    assert note.startswith("Progress: 14,157,824/16,583,136 parameters (85.4% of target)")


def test_early_gradual_can_release_several_blocks_an_epoch_but_none_beyond_the_target() -> None:
    strategy = make("early_gradual", FREEZE_EPOCHS=2, BLOCKS_PER_EPOCH=3)
    assert released(strategy, 4) == ["", "", "layer4.0 layer4.1", ""]


def test_progressive_releases_a_layer_every_epoch_after_the_first() -> None:
    layers = ["", "layer4.0 layer4.1", "layer3.0 layer3.1", "layer2.0 layer2.1", "layer1.0 layer1.1", ""]
    assert released(make("progressive"), 6) == layers


def test_progressive_keeps_to_its_interval_limit_and_list() -> None:
    assert released(make("progressive", EVERY_N_EPOCHS=2, MAX_UNITS=1), 5) == ["", "", "layer4.0 layer4.1", "", ""]
    layers = ["", "layer4.0 layer4.1", "", "layer3.0 layer3.1", ""]
    assert released(make("progressive", EPOCHS=(3, 1)), 5) == layers


def test_adaptive_releases_a_layer_when_the_metric_stands_still() -> None:
    new = released(make("adaptive"), 12, [0.4] * 12)
    assert [epoch for epoch, names in enumerate(new) if names] == [4, 6, 8, 10]
    assert new[4] == "layer4.0 layer4.1" and new[10] == "layer1.0 layer1.1"


def test_adaptive_of_a_transformer_releases_four_blocks() -> None:
    new = released(make("adaptive", "MViT-V1-B"), 14, [0.4] * 14)
    assert [names for names in new if names] == ["blocks.15", "blocks.14", "blocks.13", "blocks.12"]


def test_adaptive_waits_while_the_metric_gains_enough() -> None:
    assert not any(released(make("adaptive"), 8, [0.1 + 0.006 * epoch for epoch in range(8)]))


def test_gains_too_small_to_count_add_up_and_begin_the_count_anew() -> None:
    creep = [0.1 + 0.003 * epoch for epoch in range(12)]  # every second one is 0.006 above the best
    assert not any(released(make("adaptive"), 12, creep))


def test_adaptive_waits_for_an_evaluation_and_counts_one_without_a_number() -> None:
    assert not any(released(make("adaptive"), 8, [None] * 8))
    new = released(make("adaptive"), 8, [float("nan")] * 8)
    assert [epoch for epoch, names in enumerate(new) if names] == [3, 5, 7]


def test_backbone_at_epoch_refuses_to_release_nothing() -> None:
    with pytest.raises(ConfigError, match=r"UNITS is \('head',\), so nothing would be released"):
        make("backbone_at_epoch", UNITS=("head",))


@pytest.mark.parametrize(
    ("name", "keys", "epoch"),
    [
        ("none", {}, 0),
        ("progressive", {"EVERY_N_EPOCHS": 3, "MAX_UNITS": 2}, 6),
        ("progressive", {"MAX_UNITS": 0}, 4),
        ("progressive", {"EPOCHS": [2, 9, 5]}, 9),
        ("early_gradual", {"FREEZE_EPOCHS": 4}, 5),
        ("early_gradual", {"FREEZE_EPOCHS": 1, "TARGET_RATIO": 1.0, "BLOCKS_PER_EPOCH": 3}, 3),
        ("early_gradual", {"FREEZE_EPOCHS": 4, "TARGET_RATIO": 0.0}, 4),
        ("adaptive", {"FIRST_EPOCH": 1, "PATIENCE": 3}, 4),
        ("fixed", {"PHASE1_EPOCHS": 6}, 6),
        ("backbone_at_epoch", {"EPOCH": 7}, 7),
    ],
)
def test_a_strategy_says_by_when_it_has_done_what_its_keys_say(name: str, keys: dict[str, Any], epoch: int) -> None:
    assert make(name, **keys).due_by() == epoch


def test_adaptive_goes_on_from_its_state() -> None:
    whole, first = make("adaptive"), make("adaptive")
    expected = [whole.plan(Clock(epoch, 0.4)).trained for epoch in range(12)]
    for split in range(1, 12):
        first = make("adaptive")
        found = [first.plan(Clock(epoch, 0.4)).trained for epoch in range(split)]
        second = make("adaptive")
        second.load_state_dict(first.state_dict())
        found += [second.plan(Clock(epoch, 0.4)).trained for epoch in range(split, 12)]
        assert found == expected


def test_fixed_releases_the_last_layers_in_its_second_phase() -> None:
    strategy = make("fixed", PHASE1_EPOCHS=2, UNFREEZE_BLOCKS=2)
    assert released(strategy, 4) == ["", "", "layer3.0 layer3.1 layer4.0 layer4.1", ""]


def test_fixed_gives_its_second_phase_rates_and_a_schedule_of_their_own() -> None:
    cfg = get_cfg()
    cfg.FINETUNE.BACKBONE_LR_FACTOR = 0.1
    cfg.FINETUNE.FIXED.PHASE1_EPOCHS = 1
    cfg.FINETUNE.FIXED.PHASE2_BACKBONE_LR_SCALE_FACTOR = 2.0
    strategy = STRATEGIES.get("fixed").from_cfg(cfg, layout_of("R3D-18"))
    first, second, third = (strategy.plan(Clock(epoch)) for epoch in range(3))
    assert first.shapes == {"head": "warmup"} and not first.restarts
    assert second.restarts and not third.restarts
    assert second.factors["layer4.1"] == 2.0  # x 0.1, which the base factors bring
    assert second.factors["head"] == pytest.approx(2.0 * 5.0 * 0.1)


def test_the_rate_of_phase_1_falls_at_a_plateau() -> None:
    strategy = make("fixed", PHASE1_EPOCHS=8, PHASE1_PLATEAU_PATIENCE=1)
    metrics = [None, 0.5, 0.5, 0.5, 0.6, 0.6, 0.6]
    factors = [strategy.plan(Clock(epoch, metric)).factors["head"] for epoch, metric in enumerate(metrics)]
    assert factors == pytest.approx([1, 1, 1, 0.2, 0.2, 0.2, 0.04])


def test_fixed_and_phases_know_their_length() -> None:
    cfg = get_cfg()
    cfg.FINETUNE.PHASES = [{"epochs": 5, "train": ["head"]}, {"epochs": 4, "train": ["all"]}]
    assert STRATEGIES.get("fixed").num_epochs(cfg) == 23
    assert STRATEGIES.get("phases").num_epochs(cfg) == 9
    cfg.FINETUNE.PHASES[1]["epochs"] = 0
    assert STRATEGIES.get("phases").num_epochs(cfg) == 0


def test_phases_follow_each_other() -> None:
    cfg = get_cfg()
    cfg.FINETUNE.PHASES = [
        {"epochs": 2, "train": ["head"]},
        {"epochs": 1, "train": ["layer4", "head"], "lr_factor": 0.5, "unit_lr_factors": [["layer4", 0.1]]},
        {"epochs": 0, "train": ["all"], "restart": True},
    ]
    strategy = STRATEGIES.get("phases").from_cfg(cfg, layout_of("R3D-18"))
    plans = [strategy.plan(Clock(epoch)) for epoch in range(6)]
    assert [len(plan.trained) for plan in plans] == [1, 1, 3, 10, 10, 10]
    assert [plan.restarts for plan in plans] == [False, False, False, True, False, False]
    assert plans[2].factors == pytest.approx({"layer4.0": 0.05, "layer4.1": 0.05, "head": 0.5})


def test_backbone_at_epoch_releases_a_part_at_its_epoch_or_as_soon_as_it_can() -> None:
    assert released(make("backbone_at_epoch", EPOCH=2, UNITS=("layer4",)), 4) == ["", "", "layer4.0 layer4.1", ""]
    late = make("backbone_at_epoch", EPOCH=2)
    assert late.plan(Clock(5)).trained == R3D


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("backbone", KEYS)
def test_what_trains_is_the_end_of_every_backbone(name: str, backbone: str) -> None:
    cfg = get_cfg()
    cfg.FINETUNE.PHASES = [{"epochs": 3, "train": ["head"]}, {"epochs": 0, "train": ["all"]}]
    layout = layout_of(backbone)
    strategy = STRATEGIES.get(name).from_cfg(cfg, layout)
    blocks = [unit.name for unit in layout.units if unit.kind == "block"]
    for epoch in range(30):
        trained = strategy.plan(Clock(epoch, 0.4)).trained
        kept = [block for block in blocks if block in trained]
        assert kept == blocks[len(blocks) - len(kept) :] and set(layout.heads) <= set(trained)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_plans_the_same_after_its_state_was_saved(name: str) -> None:
    cfg = get_cfg()
    cfg.FINETUNE.PHASES = [{"epochs": 3, "train": ["head"]}, {"epochs": 0, "train": ["all"], "restart": True}]

    def fresh() -> Strategy:
        return STRATEGIES.get(name).from_cfg(cfg, layout_of("R3D-18"))

    def plans(strategy: Strategy, epochs: range) -> list[Any]:
        return [strategy.plan(Clock(epoch, 0.4, 1.0 - epoch / 40)) for epoch in epochs]

    expected = plans(fresh(), range(16))
    for split in range(1, 16):
        first, second = fresh(), fresh()
        found = plans(first, range(split))
        second.load_state_dict(first.state_dict())
        assert found + plans(second, range(split, 16)) == expected


def test_the_norm_and_the_stem_are_released_on_request() -> None:
    cfg = get_cfg()
    cfg.FINETUNE.RELEASE_NORM = cfg.FINETUNE.RELEASE_STEM = True
    cfg.FINETUNE.EARLY_GRADUAL.TARGET_RATIO = 1.0
    strategy = STRATEGIES.get("early_gradual").from_cfg(cfg, layout_of("MViT-V1-B"))
    assert released(strategy, 18)[1] == "blocks.15 norm" and released(strategy, 18)[17] == "stem"
