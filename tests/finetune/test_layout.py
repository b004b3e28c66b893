import pytest

from alphaction.config import get_cfg
from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.rates import base_factors
from alphaction.utils.errors import ConfigError
from tests.finetune.networks import Net, layout_of

# Torchvision's tables: stem, blocks from the first to the last, and all of the backbone.
COUNTS = {
    "R3D-18": (28352, [221440] * 2 + [672512, 885248, 2688512, 3539968, 10750976, 14157824], 33166272),
    "MC3-18": (28352, [221440] * 2 + [230144, 295424, 919040, 1180672, 3673088, 4720640], 11490240),
    "R2Plus1D-18": (15473, [222016] * 2 + [583960, 886400, 2332464, 3542272, 9333092, 14162432], 31300125),
    "MViT-V1-B": (
        345984 - 1536,
        [172992, 453216, 672192, 1782816] + [1780032] * 9 + [2665920, 7096224, 7093440],
        36303072,
    ),
    "MViT-V2-S": (
        44064 - 1536,
        [142944, 428352, 465216, 1641984] + [1789440] * 10 + [6513024, 7100160],
        34230144,
    ),
}


@pytest.mark.parametrize("backbone", COUNTS)
def test_units_have_the_published_sizes(backbone: str) -> None:
    layout = layout_of(backbone)
    stem, blocks, total = COUNTS[backbone]
    sizes = {unit.name: unit.num_parameters() for unit in layout.units}
    assert sizes.pop("stem") == stem
    assert [size for name, size in sizes.items() if name not in ("head", "norm")] == blocks
    assert layout.num_parameters(layout.backbone) == total
    assert sizes.get("norm", 1536) == 1536  # which the published table counts with the stem


def test_slowfast_has_the_published_size() -> None:
    layout = layout_of("Slowfast-Resnet50")
    assert layout.num_parameters(layout.backbone) == 33_557_752
    assert layout.num_parameters(layout.resolve(["res5"], "KEY")) == 21_443_328
    assert [layout.num_parameters([name]) for name in ("res5.0", "res5.1")] == [8_117_504, 6_662_912]


@pytest.mark.parametrize("backbone", ["Slowfast-Resnet50", "I3D-Resnet50"])
def test_residual_blocks_are_the_units_of_slowfast_and_i3d(backbone: str) -> None:
    layout = layout_of(backbone)
    depths = {"res2": 3, "res3": 4, "res4": 6, "res5": 3}
    blocks = [f"{layer}.{index}" for layer, depth in depths.items() for index in range(depth)]
    assert layout.names == ("stem", *blocks, "head")
    assert layout.releasable(by_block=True) == [(name,) for name in reversed(blocks)]
    assert layout.releasable(by_block=False)[0] == ("res5.0", "res5.1", "res5.2")


def test_a_layer_of_one_block_is_a_unit_by_itself() -> None:
    layout = layout_of("Slowfast-Tiny")
    assert layout.names == ("stem", "res2", "res3", "res4", "res5", "head")
    assert layout.releasable(by_block=True) == [("res5",), ("res4",), ("res3",), ("res2",)]


def test_a_layer_is_released_with_all_its_blocks() -> None:
    layout = layout_of("R3D-18")
    assert layout.releasable(by_block=False)[:2] == [("layer4.0", "layer4.1"), ("layer3.0", "layer3.1")]
    assert layout.releasable(by_block=True)[:3] == [("layer4.1",), ("layer4.0",), ("layer3.1",)]
    assert layout.releasable(by_block=False, with_stem=True)[-1] == ("stem",)


def test_names_of_units_layers_and_groups_are_understood() -> None:
    layout = layout_of("R3D-18")
    assert layout.resolve(["head", "layer4", "layer3.1"], "KEY") == ("layer3.1", "layer4.0", "layer4.1", "head")
    assert layout.resolve(["all"], "KEY") == layout.names
    assert layout.resolve(["backbone"], "KEY") == layout.names[:-1]


def test_whole_layers_and_the_whole_backbone_have_a_shorter_name() -> None:
    layout = layout_of("R3D-18")
    assert layout.shortest(("layer3.1", "layer4.0", "layer4.1", "head")) == ("layer3.1", "layer4", "head")
    assert layout.shortest(layout.names) == ("backbone", "head")
    assert layout.shortest(()) == ()
    for names in (layout.names, layout.backbone[2:], layout.heads):
        assert layout.resolve(layout.shortest(names), "KEY") == names


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'KEY names "layer5".*did you mean "layer'):
        layout_of("R3D-18").resolve(["layer5"], "KEY")


def test_rates_fall_from_the_last_layer_to_the_stem() -> None:
    cfg = get_cfg()
    cfg.merge_from_list(["FINETUNE.BACKBONE_LR_FACTOR", 0.1, "FINETUNE.LAYER_LR_DECAY", 0.5])
    cfg.FINETUNE.UNIT_LR_FACTORS = [["layer1", 3.0], ["layer1.0", 2.0], ["head", 7.0]]
    factors = base_factors(cfg.FINETUNE, ModelLayout(tuple(Net().stages())))
    assert factors == pytest.approx(
        {
            "stem": 0.1 * 0.25,
            "layer1.0": 0.1 * 0.5 * 6,
            "layer1.1": 0.1 * 0.5 * 3,
            "layer2.0": 0.1,
            "layer2.1": 0.1,
            "norm": 0.1,
            "head": 7.0,
        }
    )
