"""Rates and decay by the name and kind of a parameter."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.video import mvit_v1_b

from alphaction.solver.param_groups import GroupRates, batch_norm_parameters, make_param_groups
from alphaction.structures.unit import Unit

FIXTURES = Path(__file__).parents[1] / "fixtures"
GOLDEN = json.loads((FIXTURES / "golden/optimizer_groups.json").read_text())
CONFIGS = sorted(GOLDEN["params"])


class Interaction(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Conv3d(4, 4, 1)
        self.temporal_position_k = nn.Parameter(torch.zeros(3, 4))
        self.dense_params = nn.ParameterDict({"2": nn.Parameter(torch.zeros(2, 4))})


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 1)
        self.bn = nn.BatchNorm3d(4)
        self.norm = nn.LayerNorm(4)
        self.ia_structure = Interaction()


RATES = GroupRates(
    base_lr=0.1,
    weight_decay=0.01,
    bias_lr_factor=2,
    weight_decay_bias=0.02,
    weight_decay_bn=0.03,
    interaction_lr_factor=10,
)


def by_name(groups):
    return {name: (group["lr"], group["weight_decay"]) for group in groups for name in group["names"]}


def test_each_kind_of_parameter_gets_its_rate_and_decay():
    assert by_name(make_param_groups(Small(), RATES)) == {
        "conv.weight": (0.1, 0.01),
        "conv.bias": (0.2, 0.02),
        "bn.weight": (0.1, 0.03),
        "bn.bias": (0.1, 0.03),
        "norm.weight": (0.1, 0.03),
        "norm.bias": (0.2, 0.02),
        "ia_structure.query.weight": (1.0, 0.01),
        "ia_structure.query.bias": (2.0, 0.02),
        "ia_structure.temporal_position_k": (1.0, 0.01),
        "ia_structure.dense_params.2": (1.0, 0.01),
    }


def test_parameters_with_equal_factors_share_a_group():
    groups = make_param_groups(Small(), RATES)
    assert [(group["lr_factor"], len(group["names"])) for group in groups] == [(1, 1), (2, 2), (1, 3), (10, 3), (20, 1)]
    assert all(type(name) is str for group in groups for name in group["names"])


def test_names_stand_in_the_order_of_their_parameters():
    model = Small()
    named = dict(model.named_parameters())
    for group in make_param_groups(model, RATES):
        assert all(named[name] is p for name, p in zip(group["names"], group["params"], strict=True))


def test_frozen_parameters_are_in_the_groups_too():
    model = Small().requires_grad_(False)
    assert by_name(make_param_groups(model, RATES)).keys() == dict(model.named_parameters()).keys()


def test_a_shared_parameter_is_listed_once():
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    model[1].weight = model[0].weight
    names = [name for group in make_param_groups(model, RATES) for name in group["names"]]
    assert sorted(names) == ["0.bias", "0.weight", "1.bias"]


@pytest.mark.parametrize("norm", [nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.InstanceNorm3d(4, affine=True)])
def test_normalisation_layers_have_the_decay_of_batch_norm_and_their_biases_that_of_biases(norm):
    assert by_name(make_param_groups(nn.Sequential(norm), RATES)) == {"0.weight": (0.1, 0.03), "0.bias": (0.2, 0.02)}


def units_of(model):
    return [
        Unit("stem", {"conv": model.conv, "bn": model.bn}, kind="stem"),
        Unit("head", {"ia_structure": model.ia_structure, "norm": model.norm}, kind="head"),
    ]


def test_each_unit_has_groups_of_its_own_in_the_order_of_the_units():
    model = Small()
    groups = make_param_groups(model, RATES, units_of(model))
    assert [(group["unit"], group["names"][0], len(group["names"])) for group in groups] == [
        ("stem", "conv.weight", 1),
        ("stem", "conv.bias", 1),
        ("stem", "bn.weight", 2),
        ("head", "norm.weight", 1),
        ("head", "norm.bias", 1),
        ("head", "ia_structure.temporal_position_k", 3),
        ("head", "ia_structure.query.bias", 1),
    ]
    assert by_name(groups) == by_name(make_param_groups(model, RATES))


def test_without_units_every_group_belongs_to_the_whole_model():
    assert {group["unit"] for group in make_param_groups(Small(), RATES)} == {""}


def test_units_that_leave_a_parameter_out_are_refused():
    model = Small()
    with pytest.raises(ValueError, match=r"norm.weight belongs to none of the units stem"):
        make_param_groups(model, RATES, units_of(model)[:1])


def test_position_tables_and_class_tokens_of_transformers_decay_like_weights():
    with torch.device("meta"):
        model = mvit_v1_b(weights=None)
    found = by_name(make_param_groups(model, RATES))
    tables = ("class_token", "spatial_pos", "temporal_pos", "class_pos")
    assert {found[f"pos_encoding.{name}"] for name in tables} == {(0.1, 0.01)}
    assert found["blocks.0.norm1.weight"] == (0.1, 0.03) and found["blocks.0.norm1.bias"] == (0.2, 0.02)


def test_batch_norm_is_recognised_by_its_type_even_as_the_whole_model():
    assert batch_norm_parameters(nn.SyncBatchNorm(3)) == {"weight", "bias"}
    assert batch_norm_parameters(nn.GroupNorm(1, 3)) == set()


def model_of_keys(config, frozen_bn):
    """Returns modules whose parameters have the names and shapes of a released configuration, without memory."""
    lines = (FIXTURES / f"contract/state_dict_keys/{config}.txt").read_text().splitlines()
    shapes = {key: tuple(map(int, shape.split("x"))) for key, shape in (line.split("\t") for line in lines)}
    norms = {key.rpartition(".")[0] for key in shapes if key.endswith(".running_mean")}
    root = nn.Module()
    for key, shape in shapes.items():
        owner, _, leaf = key.rpartition(".")
        if owner in norms:
            if frozen_bn or leaf != "weight":
                continue
            parent, _, name = owner.rpartition(".")
            descend(root, parent).add_module(name, nn.BatchNorm3d(shape[0], device="meta"))
        else:
            descend(root, owner).register_parameter(leaf, nn.Parameter(torch.empty(shape, device="meta")))
    return root


def descend(root, path):
    for name in path.split("."):
        if name not in root._modules:
            root.add_module(name, nn.Module())
        root = root._modules[name]
    return root


def golden_rates(config):
    solver = GOLDEN["optimizer"][config]["solver"]
    return GroupRates(
        base_lr=solver["BASE_LR"],
        weight_decay=solver["WEIGHT_DECAY"],
        bias_lr_factor=solver["BIAS_LR_FACTOR"],
        weight_decay_bias=solver["WEIGHT_DECAY_BIAS"],
        weight_decay_bn=solver["WEIGHT_DECAY_BN"],
        interaction_lr_factor=solver["IA_LR_FACTOR"],
    )


def settings(groups):
    return sorted((round(g["lr"], 12), g["weight_decay"], len(g["names"])) for g in groups)


def golden_settings(entry):
    return sorted((round(g["base_lr"], 12), g["weight_decay"], g["n_params"]) for g in entry["groups_by_setting"])


@pytest.mark.parametrize("config", CONFIGS)
def test_released_configurations_have_the_golden_rates(config):
    groups = make_param_groups(model_of_keys(config, frozen_bn=True), golden_rates(config))
    expected = GOLDEN["optimizer"][config]
    assert settings(groups) == golden_settings(expected)
    found = by_name(groups)
    for name, (rate, decay) in expected["examples"].items():
        assert found[name] == (pytest.approx(rate, rel=1e-12), decay)


def test_live_batch_norm_has_the_golden_rates():
    config = "resnet50_4x16f_baseline"
    groups = make_param_groups(model_of_keys(config, frozen_bn=False), golden_rates(config))
    assert settings(groups) == golden_settings(GOLDEN["optimizer"]["unfrozen_bn_r50_baseline"])
