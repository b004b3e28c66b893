"""Model, optimizer and schedule through a file."""

from functools import partial

import torch
from solver_rates import rates_of
from torch import nn

from alphaction.checkpoint import Checkpointer, restore_model
from alphaction.solver import FactorScheduler, Span, load_optimizer_state
from alphaction.solver.curves import WarmUp, multi_step
from alphaction.solver.param_groups import GroupRates, make_param_groups


def start(base_lr=0.05, milestones=(4,)):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3), nn.Flatten(), nn.Linear(3 * 8, 2))
    rates = GroupRates(base_lr=base_lr, weight_decay=0.01, bias_lr_factor=2)
    optimizer = torch.optim.SGD(make_param_groups(model, rates), lr=base_lr, momentum=0.9)
    curve = WarmUp(3, 0.25).times(partial(multi_step, milestones=milestones, gamma=0.1))
    return model, optimizer, FactorScheduler(optimizer, lambda span: curve, Span(0, 7))


def train(run, first, last):
    model, optimizer, scheduler = run
    for iteration in range(first, last):
        clips = torch.randn(4, 2, 2, 2, 2, generator=torch.Generator().manual_seed(iteration))
        optimizer.zero_grad()
        model(clips).square().mean().backward()
        optimizer.step()
        scheduler.step()


def save(run, folder, iteration):
    states = zip(("model", "optimizer", "scheduler"), (part.state_dict() for part in run), strict=True)
    Checkpointer(folder).save(iteration, {**dict(states), "task": {}, "config": ""})


def resume(run, folder):
    parts = Checkpointer(folder).load_last()
    restore_model(run[0], parts["model"], source=folder)
    load_optimizer_state(run[1], parts["optimizer"])
    run[2].load_state_dict(parts["scheduler"])
    return parts["iteration"]


def test_a_resumed_run_ends_bit_for_bit_where_the_uninterrupted_one_ends(tmp_path):
    whole = start()
    train(whole, 0, 7)
    cut = start()
    train(cut, 0, 3)
    save(cut, tmp_path, 3)
    resumed = start()
    train(resumed, resume(resumed, tmp_path), 7)
    expected, found = whole[0].state_dict(), resumed[0].state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert rates_of(resumed[2]) == rates_of(whole[2])


def test_new_rates_and_steps_take_over_at_the_saved_iteration(tmp_path):
    old = start()
    train(old, 0, 5)
    save(old, tmp_path, 5)
    new = start(base_lr=0.2, milestones=(100,))
    assert resume(new, tmp_path) == 5
    assert rates_of(new[2]) == [0.2, 0.4, 0.2]
    weight = new[0][0].weight
    assert torch.equal(new[1].state[weight]["momentum_buffer"], old[1].state[old[0][0].weight]["momentum_buffer"])
