"""Weights of one shape made into weights of another, and what they then compute."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from alphaction.checkpoint.conversion import (
    ShapeRules,
    find_conversion,
    inflate_by_centre,
    inflate_by_mean,
    linear_to_conv,
    repeat_input_channels,
)

KERNEL = (4, 3, 3, 3)
INFLATED = (4, 3, 5, 3, 3)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def convert(file: Tensor, model_shape: tuple[int, ...], *, is_first_conv: bool = False, **rules: str) -> Tensor | None:
    found = find_conversion(tuple(file.shape), model_shape, ShapeRules(**rules), is_first_conv=is_first_conv)
    return None if found is None else found.apply(file, torch.full(model_shape, torch.nan))


def test_a_mean_inflated_kernel_answers_a_still_clip_as_the_2d_one_between_the_ends() -> None:
    weight, frame = torch.randn(KERNEL), torch.randn(2, 3, 8, 8)
    clip = frame[:, :, None].expand(-1, -1, 9, -1, -1)
    response = F.conv3d(clip, inflate_by_mean(weight, 5), padding=(2, 1, 1))
    still = F.conv2d(frame, weight, padding=1)
    assert torch.allclose(response[:, :, 2:-2], still[:, :, None].expand(-1, -1, 5, -1, -1), atol=1e-5)
    assert not torch.allclose(response[:, :, 0], still, atol=1e-2)  # the padding counts as frames of zeros


@pytest.mark.parametrize("taps", [1, 3, 5])
def test_a_centre_inflated_kernel_answers_each_frame_as_the_2d_one(taps: int) -> None:
    weight, clip = torch.randn(KERNEL), torch.randn(1, 3, 6, 8, 8)
    response = F.conv3d(clip, inflate_by_centre(weight, taps), padding=(taps // 2, 1, 1))
    frames = torch.stack([F.conv2d(clip[:, :, t], weight, padding=1) for t in range(6)], dim=2)
    assert torch.allclose(response, frames, atol=1e-5)


def test_preserved_channels_answer_an_even_input_as_rgb_did() -> None:
    weight, plane = torch.randn(KERNEL), torch.randn(1, 1, 8, 8)
    rgb = F.conv2d(plane.expand(-1, 3, -1, -1), weight)
    flow = F.conv2d(plane.expand(-1, 20, -1, -1), repeat_input_channels(weight, 20, preserves_response=True))
    assert torch.allclose(flow, rgb, atol=1e-5)


def test_repeated_channels_are_the_mean_without_a_factor() -> None:
    weight = torch.randn(KERNEL)
    repeated = repeat_input_channels(weight, 20, preserves_response=False)
    assert repeated.shape == (4, 20, 3, 3)
    assert torch.allclose(repeated, weight.mean(dim=1, keepdim=True).expand(-1, 20, -1, -1))


def test_one_channel_with_the_factor_is_the_sum() -> None:
    weight = torch.randn(KERNEL)
    grey = repeat_input_channels(weight, 1, preserves_response=True)
    assert torch.allclose(grey, weight.sum(dim=1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize("num_dims", [3, 4, 5])
def test_a_linear_layer_as_a_convolution_gives_the_same_at_every_place(num_dims: int) -> None:
    weight, rows = torch.randn(6, 4), torch.randn(7, 4)
    places = rows.T.reshape(1, 4, 7, *(1 for _ in range(num_dims - 3)))
    conv = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[num_dims]
    found = conv(places, linear_to_conv(weight, num_dims)).reshape(6, 7).T
    assert torch.allclose(found, F.linear(rows, weight), atol=1e-6)


def test_halves_are_averaged_in_full_precision() -> None:
    weight = torch.full((1, 3, 1, 1), 40000.0, dtype=torch.float16)  # the sum of three would overflow
    assert repeat_input_channels(weight, 2, preserves_response=False).tolist() == [[[[40000.0]], [[40000.0]]]]


@pytest.mark.parametrize(("rule", "by_hand"), [("mean", inflate_by_mean), ("centre", inflate_by_centre)])
def test_inflation_follows_its_rule(rule: str, by_hand) -> None:
    weight = torch.randn(KERNEL)
    assert convert(weight, INFLATED) is None
    assert torch.equal(convert(weight, INFLATED, inflate=rule), by_hand(weight, 5))


def test_channels_and_inflation_combine() -> None:
    weight = torch.randn(KERNEL)
    found = convert(weight, (4, 2, 5, 3, 3), inflate="mean", input_channels="preserve", is_first_conv=True)
    expected = weight.mean(dim=1)[:, None, None] * 3 / 2 / 5
    assert torch.allclose(found, expected.expand(4, 2, 5, 3, 3))


def test_only_the_first_convolution_takes_other_channels() -> None:
    weight = torch.randn(KERNEL)
    assert convert(weight, (4, 20, 3, 3), input_channels="preserve") is None
    assert convert(weight, (4, 20, 3, 3), is_first_conv=True) is None
    assert convert(weight, (4, 20, 3, 3), input_channels="repeat", is_first_conv=True).shape == (4, 20, 3, 3)


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ((4, 3, 3, 3), (8, 3, 5, 3, 3)),  # other outputs
        ((4, 6, 3, 3), (4, 3, 5, 3, 3)),  # other inputs, not of RGB
        ((4, 3, 6, 6), (4, 3, 5, 3, 3)),  # another kernel
        ((4, 3, 1, 3, 3), (4, 3, 5, 3, 3)),  # three dimensions already
        ((4, 3), (4, 3, 1, 3)),  # a kernel larger than one place
        ((4, 3), (4, 2, 1, 1)),
        ((4,), (4, 1)),
    ],
)
def test_other_differences_are_never_converted(file: tuple[int, ...], model: tuple[int, ...]) -> None:
    rules = ShapeRules(inflate="mean", input_channels="preserve")
    assert find_conversion(file, model, rules, is_first_conv=True) is None


def test_a_linear_layer_needs_no_rule_and_a_conversion_says_what_it_does() -> None:
    found = find_conversion((4, 3), (4, 3, 1, 1), ShapeRules())
    assert found is not None and found.how == "linear layer as a convolution"
    both = find_conversion(KERNEL, (4, 2, 5, 3, 3), ShapeRules("centre", "preserve"), is_first_conv=True)
    assert both is not None and both.how == "mean over RGB, 2 times, x 3/2; inflated: in the middle one of 5 frames"
    one = find_conversion(KERNEL, (4, 3, 1, 3, 3), ShapeRules("mean"))
    assert one is not None and one.how == "inflated: one frame"
