import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from alphaction.layers.nonlocal_block import NonLocalBlock, NonLocalSpec

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"
WEIGHTS = runpy.run_path(str(GOLDEN / "golden_weights.py"))
CASES = {
    "nl_default_frozenbn": (NonLocalSpec(frozen_bn=True), 0),
    "nl_group": (NonLocalSpec(frozen_bn=True), 4),
    "nl_nomaxpool_nosoftmax": (NonLocalSpec(use_maxpool=False, use_softmax=False), 0),
    "nl_noscale_nobn": (NonLocalSpec(use_scale=False, use_bn=False), 0),
}
DOT_PRODUCT = NonLocalSpec(use_bn=False, use_softmax=False)


def make_block(spec: NonLocalSpec, group_frames: int = 0) -> NonLocalBlock:
    """Returns a block with the golden weights."""
    block = NonLocalBlock(8, 4, spec=spec, group_frames=group_frames).eval()
    shapes = {key: tuple(value.shape) for key, value in block.state_dict().items()}
    block.load_state_dict({key: torch.as_tensor(value) for key, value in WEIGHTS["state_dict"](shapes).items()})
    return block


def feature_map(*shape: int) -> torch.Tensor:
    return torch.from_numpy(WEIGHTS["randn"]("ops/nl/x", shape or (2, 8, 8, 6, 8)))


@pytest.mark.parametrize("name", CASES)
def test_output_and_keys_equal_the_golden_ones(name: str) -> None:
    block = make_block(*CASES[name])
    expected = torch.from_numpy(np.load(GOLDEN / "ops.npz")[name])
    torch.testing.assert_close(block(feature_map()), expected, rtol=0, atol=1e-5)
    shapes = {key: list(value.shape) for key, value in block.state_dict().items()}
    assert shapes == json.loads((GOLDEN / "ops.json").read_text())[f"{name}_keys"]


def test_a_group_sees_its_own_frames_only() -> None:
    block = make_block(NonLocalSpec(use_bn=False), group_frames=4)
    x = feature_map()
    changed = torch.cat([x[:, :, :4], x[:, :, 4:].flip(3)], dim=2)
    torch.testing.assert_close(block(changed)[:, :, :4], block(x)[:, :, :4])
    assert not torch.allclose(make_block(NonLocalSpec(use_bn=False))(changed)[:, :, :4], block(x)[:, :, :4], atol=1e-3)


@pytest.mark.parametrize(("num_frames", "groups"), [(1, [1]), (3, [3]), (6, [4, 2]), (9, [4, 4, 1])])
@pytest.mark.parametrize("spec", [NonLocalSpec(frozen_bn=True), DOT_PRODUCT], ids=["softmax", "dot_product"])
def test_the_last_group_may_be_shorter(spec: NonLocalSpec, num_frames: int, groups: list[int]) -> None:
    x = feature_map(2, 8, num_frames, 6, 8)
    whole = make_block(spec)
    expected = torch.cat([whole(part) for part in x.split(groups, dim=2)], dim=2)
    torch.testing.assert_close(make_block(spec, group_frames=4)(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 1), (5, 7)])
def test_frames_of_any_size_can_be_pooled(size: tuple[int, int]) -> None:
    x = feature_map(1, 8, 2, *size)
    assert make_block(NonLocalSpec(use_bn=False))(x).shape == x.shape


@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_new_block_starts_with_the_share_that_gamma_says(frozen: bool, gamma: float) -> None:
    torch.manual_seed(0)
    block = NonLocalBlock(8, 4, spec=NonLocalSpec(conv_init_std=0.5, frozen_bn=frozen, bn_init_gamma=gamma)).eval()
    torch.manual_seed(0)
    full = NonLocalBlock(8, 4, spec=NonLocalSpec(conv_init_std=0.5, frozen_bn=frozen, bn_init_gamma=1.0)).eval()
    x = feature_map()
    torch.testing.assert_close(block(x) - x, gamma * (full(x) - x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("zero_init", [False, True])
@pytest.mark.parametrize("norm", [{"use_bn": False}, {"frozen_bn": True}, {"frozen_bn": False}], ids=str)
def test_a_block_that_starts_as_the_identity_learns(norm: dict[str, bool], zero_init: bool) -> None:
    torch.manual_seed(0)
    block = NonLocalBlock(8, 4, spec=NonLocalSpec(conv_init_std=0.5, zero_init_out=zero_init, **norm))
    optimizer, x = torch.optim.SGD(block.parameters(), lr=1e-3), feature_map()
    block(x).square().sum().backward()
    optimizer.step()  # moves what stands at zero; what lies before it follows
    optimizer.zero_grad()
    block(x).square().sum().backward()
    assert bool(block.theta.weight.grad.any())


def test_initial_weights_follow_the_specification() -> None:
    torch.manual_seed(0)
    block = NonLocalBlock(64, 64, spec=NonLocalSpec(conv_init_std=0.2, zero_init_out=True, use_bn=False))
    assert {name: round(conv.weight.std().item(), 2) for name, conv in block.named_children()} == {
        **dict.fromkeys(("theta", "phi", "g"), 0.2),
        "out": 0.0,
    }
    assert not any(bool(conv.bias.any()) for conv in block.children() if isinstance(conv, nn.Conv3d))
    bare = NonLocalBlock(8, 4, spec=NonLocalSpec(has_bias=False, use_bn=False))
    assert sorted(bare.state_dict()) == ["g.weight", "out.weight", "phi.weight", "theta.weight"]


def test_the_norm_follows_the_specification() -> None:
    norm = NonLocalBlock(8, 4, spec=NonLocalSpec(bn_momentum=0.3, bn_epsilon=1e-3, bn_init_gamma=0.5)).bn
    assert (norm.momentum, norm.eps, set(norm.weight.tolist())) == (0.3, 1e-3, {0.5})
    assert NonLocalBlock(8, 4, spec=NonLocalSpec(frozen_bn=True, bn_epsilon=1e-3)).bn.eps == 1e-3


@pytest.mark.parametrize("spec", [NonLocalSpec(use_bn=False), DOT_PRODUCT], ids=["softmax", "dot_product"])
def test_gradients_equal_those_of_the_formula(spec: NonLocalSpec) -> None:
    block, x = make_block(spec), feature_map(1, 8, 2, 4, 6).requires_grad_()
    source = torch.nn.functional.max_pool3d(x, (1, 2, 2))
    q, k, v = block.theta(x).flatten(2), block.phi(source).flatten(2), block.g(source).flatten(2)
    affinity = q.mT @ k  # [N, places, places / 4]
    weights = (affinity / 2).softmax(-1) if spec.use_softmax else affinity / affinity.shape[-1]
    expected = x + block.out((v @ weights.mT).view(1, 4, 2, 4, 6))
    wanted = torch.autograd.grad(expected.square().sum(), [x, *block.parameters()])
    found = torch.autograd.grad(block(x).square().sum(), [x, *block.parameters()])
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
