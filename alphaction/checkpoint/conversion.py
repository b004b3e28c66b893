"""Weights of one shape made into weights of another: pure functions with their formulas.

Letters: O outputs, I inputs, C channels of the model's input, kt kh kw the kernel, [n] rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from alphaction.checkpoint.report import Shape

_RGB = 3


@dataclass(frozen=True, slots=True)
class ShapeRules:
    """Which shapes may be converted.

    Attributes:
        inflate: MODEL.INFLATE, "" or a key of ``INFLATIONS``.
        input_channels: MODEL.INPUT_CHANNELS, "", "preserve" or "repeat".
    """

    inflate: str = ""
    input_channels: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a tensor of a file becomes one of the model.

    Attributes:
        how: in words, for the report.
        apply: (the file's tensor, the model's as it was initialised) -> new values in the model's shape.
    """

    how: str
    apply: Callable[[Tensor, Tensor], Tensor]


def inflate_by_mean(weight: Tensor, taps: int) -> Tensor:
    """Returns [O, I, kt, kh, kw] of [O, I, kh, kw]: ``W3[:, :, t] = W2 / kt`` at each of the kt taps.

    Carreira & Zisserman, Quo Vadis, Action Recognition? (2017), section 2.3. On a clip that does not change, the
    response is that of the 2D kernel wherever the kernel does not reach beyond the clip's ends.
    """
    return (_in_float(weight) / taps).unsqueeze(2).repeat(1, 1, taps, 1, 1)


def inflate_by_centre(weight: Tensor, taps: int) -> Tensor:
    """Returns [O, I, kt, kh, kw] of [O, I, kh, kw]: ``W3[:, :, kt // 2] = W2``, 0 at the other taps.

    The centre initialisation of Feichtenhofer et al., Spatiotemporal Residual Networks (2016), section 3.3. With a
    padding of kt // 2 the response at each frame is that of the 2D kernel on this frame, whatever the clip.
    """
    inflated = weight.new_zeros(*weight.shape[:2], taps, *weight.shape[2:])
    inflated[:, :, taps // 2] = weight
    return inflated


INFLATIONS: dict[str, Callable[[Tensor, int], Tensor]] = {"mean": inflate_by_mean, "centre": inflate_by_centre}


def repeat_input_channels(weight: Tensor, channels: int, *, preserves_response: bool) -> Tensor:
    """Returns [O, C, ...] of [O, 3, ...]: ``W'[:, c] = (W[:, 0] + W[:, 1] + W[:, 2]) / 3 * s`` for each of C channels.

    Cross-modality initialisation of Wang et al., Temporal Segment Networks (2016), section 3.2, which has s = 1. With
    ``preserves_response`` s = 3 / C, so that an input whose channels are all alike has the response it had in RGB.
    """
    scale = _RGB / channels if preserves_response else 1.0
    mean = _in_float(weight).mean(dim=1, keepdim=True) * scale
    return mean.repeat(1, channels, *(1 for _ in weight.shape[2:]))


def linear_to_conv(weight: Tensor, num_dims: int) -> Tensor:
    """Returns [O, I, 1, ...] with ``num_dims`` dimensions of [O, I]: at every place the convolution is the layer.

    Long et al., Fully Convolutional Networks (2015), section 3.1; exact.
    """
    return weight.reshape(*weight.shape, *(1 for _ in range(num_dims - weight.dim())))


def find_conversion(
    file_shape: Shape, model_shape: Shape, rules: ShapeRules, *, is_first_conv: bool = False
) -> Conversion | None:
    """Returns how a weight of ``file_shape`` becomes one of ``model_shape``; None if the rules do not allow it.

    Args:
        file_shape: of the file's tensor.
        model_shape: of the model's, which is another one.
        rules: what is allowed beside a linear layer in place of a convolution of one place, which is exact.
        is_first_conv: the model's tensor is a convolution that meets the input.
    """
    ones = (1,) * (len(model_shape) - 2)
    if len(file_shape) == 2 and ones and model_shape == (*file_shape, *ones):
        return Conversion("linear layer as a convolution", lambda weight, _: linear_to_conv(weight, len(model_shape)))
    steps: list[tuple[str, Callable[[Tensor], Tensor]]] = []
    shape = file_shape
    if rules.input_channels and is_first_conv and _has_other_channels(file_shape, model_shape):
        steps.append(_channel_step(model_shape[1], rules.input_channels))
        shape = (shape[0], model_shape[1], *shape[2:])
    if rules.inflate and len(shape) == 4 and len(model_shape) == 5 and shape == model_shape[:2] + model_shape[3:]:
        steps.append(_inflation_step(model_shape[2], rules.inflate))
        shape = model_shape
    if not steps or shape != model_shape:
        return None
    return Conversion("; ".join(how for how, _ in steps), lambda weight, _: _chained(steps, weight))


def _has_other_channels(file_shape: Shape, model_shape: Shape) -> bool:
    return len(file_shape) > 2 and len(model_shape) > 2 and file_shape[1] == _RGB != model_shape[1]


def _channel_step(channels: int, rule: str) -> tuple[str, Callable[[Tensor], Tensor]]:
    preserves = rule == "preserve"
    how = f"mean over RGB, {channels} times" + (f", x 3/{channels}" if preserves else "")
    return how, partial(repeat_input_channels, channels=channels, preserves_response=preserves)


def _inflation_step(taps: int, rule: str) -> tuple[str, Callable[[Tensor], Tensor]]:
    how = f"1/{taps} in each of {taps} frames" if rule == "mean" else f"in the middle one of {taps} frames"
    return f"inflated: {how if taps > 1 else 'one frame'}", lambda weight: INFLATIONS[rule](weight, taps)


def _chained(steps: list[tuple[str, Callable[[Tensor], Tensor]]], weight: Tensor) -> Tensor:
    for _, apply in steps:
        weight = apply(weight)
    return weight


def _in_float(weight: Tensor) -> Tensor:
    """Returns the tensor in float32 at least, so that halves are not rounded twice."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32))
