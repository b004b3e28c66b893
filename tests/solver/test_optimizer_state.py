"""Momentum put back by name."""

import io

import pytest
import torch
from torch import nn

from alphaction.solver import load_optimizer_state
from alphaction.solver.param_groups import GroupRates, make_param_groups
from alphaction.utils.errors import CheckpointError


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def make_optimizer(model, base_lr=0.1, bias_lr_factor=2.0):
    rates = GroupRates(base_lr=base_lr, weight_decay=0.01, bias_lr_factor=bias_lr_factor)
    return torch.optim.SGD(make_param_groups(model, rates), lr=base_lr, momentum=0.9)


def train(model, optimizer, steps):
    for step in range(steps):
        optimizer.zero_grad()
        torch.manual_seed(step)
        model(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()


def through_a_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def momenta(model, optimizer):
    return {name: optimizer.state[p]["momentum_buffer"] for name, p in model.named_parameters()}


def test_a_restored_optimizer_takes_the_same_next_step():
    model = make_model()
    optimizer = make_optimizer(model)
    train(model, optimizer, 3)
    other = make_model()
    other.load_state_dict(model.state_dict())
    resumed = make_optimizer(other)
    load_optimizer_state(resumed, through_a_file(optimizer.state_dict()))
    train(model, optimizer, 1)
    train(other, resumed, 1)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_state_finds_its_parameter_when_the_groups_are_cut_differently():
    model = make_model()
    optimizer = make_optimizer(model)
    train(model, optimizer, 2)
    regrouped = make_optimizer(model, bias_lr_factor=1.0)
    assert [g["names"] for g in regrouped.param_groups] != [g["names"] for g in optimizer.param_groups]
    load_optimizer_state(regrouped, optimizer.state_dict())
    found, expected = momenta(model, regrouped), momenta(model, optimizer)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_rates_stay_those_of_the_new_run():
    model = make_model()
    saved = make_optimizer(model, base_lr=0.1).state_dict()
    optimizer = make_optimizer(model, base_lr=0.5)
    load_optimizer_state(optimizer, saved)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 1.0, 0.5]


def test_a_parameter_that_never_had_a_gradient_stays_without_state():
    model = make_model()
    model[0].requires_grad_(False)
    optimizer = make_optimizer(model)
    train(model, optimizer, 1)
    resumed = make_optimizer(model)
    load_optimizer_state(resumed, optimizer.state_dict())
    assert model[0].weight not in resumed.state
    assert model[2].weight in resumed.state


def test_other_parameters_are_refused_by_name_and_nothing_changes():
    model = make_model()
    optimizer = make_optimizer(model)
    other = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 2))
    with pytest.raises(CheckpointError, match=r"only in the checkpoint: 1.bias, 1.weight(.|\n)*FROZEN_BN"):
        load_optimizer_state(make_optimizer(other), optimizer.state_dict())


def test_another_shape_is_refused():
    model, wide = nn.Linear(3, 4), nn.Linear(3, 5)
    optimizer = make_optimizer(model)
    train(model, optimizer, 1)
    target = make_optimizer(wide)
    with pytest.raises(CheckpointError, match="of another shape: bias, weight"):
        load_optimizer_state(target, optimizer.state_dict())
    assert not target.state


@pytest.mark.parametrize("saved", [{}, torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0).state_dict()])
def test_an_optimizer_of_another_program_is_refused_with_what_to_do(saved):
    with pytest.raises(CheckpointError, match=r"does not name its parameters.*--transfer"):
        load_optimizer_state(make_optimizer(make_model()), saved)
