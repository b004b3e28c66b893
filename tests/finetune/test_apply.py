"""What a plan does to a model: gradients, modes, and what a step then moves."""

from itertools import product

import pytest
import torch
from torch import nn

from alphaction.finetune.apply import NormPolicy, num_stored_norms, set_modes, set_trainable
from alphaction.layers.frozen_batch_norm import FrozenBatchNorm3d
from alphaction.structures.unit import Unit
from tests.finetune.networks import Net

TRAINED = ("layer2.1", "norm", "head")
MODES = ("eval", "batch", "track", "affine", "train")


def plan(net: Net, policy: NormPolicy) -> None:
    set_trainable(net.stages(), TRAINED, policy)
    net.train()
    set_modes(net.stages(), TRAINED, policy)


def step(net: Net, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    net(torch.randn(8, 4) + 3).square().mean().backward()
    optimizer.step()


def moved(net: Net, policy: NormPolicy) -> set[str]:
    """Returns the tensors of the state that two steps of SGD with momentum and weight decay have changed."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for _ in range(2):
        plan(net, policy)
        step(net, optimizer)
    return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}


def test_only_what_trains_is_moved() -> None:
    changed = moved(Net(), NormPolicy())
    assert changed and all(name.startswith(("layer2.1.", "norm.", "head.")) for name in changed)
    assert {"layer2.1.0.weight", "layer2.1.1.weight", "layer2.1.1.running_mean", "head.bias"} <= changed


@pytest.mark.parametrize(("frozen", "trained"), list(product(MODES, MODES)))
def test_batch_norms_move_what_their_policy_says(frozen: str, trained: str) -> None:
    changed = moved(Net(), NormPolicy(frozen, trained))
    for name, mode in (("layer1.0.1", frozen), ("layer2.1.1", trained)):
        assert (f"{name}.weight" in changed) is (mode in ("affine", "train"))
        assert (f"{name}.running_mean" in changed) is (mode in ("track", "train"))
        assert (f"{name}.num_batches_tracked" in changed) is (mode in ("track", "train"))


@pytest.mark.parametrize("mode", MODES)
def test_batch_norms_normalise_with_what_their_policy_says(mode: str) -> None:
    net = Net()
    plan(net, NormPolicy(frozen=mode))
    x = torch.randn(64, 4) * 5 + 10
    mean = float(net.stem[1](x).detach().mean())
    assert (abs(mean) < 1e-3) is (mode in ("batch", "track", "train"))
    net.eval()
    assert abs(net.stem[1](x).mean()) > 1  # in a test always the stored statistics


def test_a_gradient_that_is_left_over_does_not_move_a_frozen_weight() -> None:
    net = Net()
    set_trainable(net.stages(), net.state_dict().keys() | {"stem", "head"}, NormPolicy())
    net(torch.randn(4, 4)).sum().backward()
    set_trainable(net.stages(), ("head",), NormPolicy())
    assert all(p.grad is None for name, p in net.named_parameters() if not name.startswith("head"))
    assert net.head.weight.grad is not None


def test_dropout_of_frozen_parts_is_off() -> None:
    net = Net()
    plan(net, NormPolicy(frozen="train"))
    assert not net.layer1[0][2].training and net.layer2[1][2].training


def test_released_norms_follow_their_statistics_again() -> None:
    net, policy = Net(), NormPolicy(frozen="batch")
    plan(net, policy)
    assert not net.stem[1].track_running_stats
    set_trainable(net.stages(), ("stem", "head"), policy)
    net.train()
    set_modes(net.stages(), ("stem", "head"), policy)
    assert net.stem[1].track_running_stats and net.stem[1].training


def test_parameters_that_no_output_uses_stay_without_a_gradient() -> None:
    net = Net()
    set_trainable(net.stages(), ("head",), NormPolicy(), never=[net.head.bias.requires_grad_(False)])
    assert net.head.weight.requires_grad and not net.head.bias.requires_grad


def test_norms_whose_weights_are_buffers_are_counted() -> None:
    stored = Unit("res2", {"res2": nn.Sequential(FrozenBatchNorm3d(4), nn.BatchNorm3d(4), FrozenBatchNorm3d(4))})
    assert num_stored_norms([stored]) == 2
