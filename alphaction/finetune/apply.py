"""A plan carried out on a model: what has a gradient, and in which mode everything runs."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from alphaction.structures.unit import Unit

NormMode = Literal["eval", "batch", "track", "affine", "train"]

_TRAINS_WEIGHTS = ("affine", "train")
_USES_BATCH = ("batch", "track", "train")


@dataclass(frozen=True, slots=True)
class NormPolicy:
    """How batch norms of frozen and of trained units behave; the words are those of FINETUNE.BN_OF_FROZEN."""

    frozen: NormMode = "eval"
    trained: NormMode = "train"

    def of(self, is_trained: bool) -> NormMode:
        return self.trained if is_trained else self.frozen


def set_trainable(
    units: Iterable[Unit], trained: Collection[str], norms: NormPolicy, *, never: Collection[nn.Parameter] = ()
) -> None:
    """Says which parameters have gradients from now on, and drops the gradients of all others.

    A gradient that is left over would move a frozen weight once more, so none is kept.

    Args:
        units: of the model.
        trained: names of those that train.
        norms: whether the weights of batch norms go with their unit.
        never: parameters that no output uses; they stay as they are.
    """
    left_alone = {id(parameter) for parameter in never}
    for unit in units:
        is_trained = unit.name in trained
        affine = {id(p) for norm in _batch_norms(unit) for p in norm.parameters(recurse=False)}
        for parameter in unit.parameters():
            if id(parameter) in left_alone:
                continue
            is_norm = id(parameter) in affine
            parameter.requires_grad_(norms.of(is_trained) in _TRAINS_WEIGHTS if is_norm else is_trained)
            if not parameter.requires_grad:
                parameter.grad = None


def set_modes(units: Iterable[Unit], trained: Collection[str], norms: NormPolicy) -> None:
    """Takes frozen units out of train mode, dropout included, and sets batch norms as the policy says.

    To be called each time the model has entered train mode, which undoes it.
    """
    for unit in units:
        is_trained = unit.name in trained
        if not is_trained:
            for module in unit.modules.values():
                module.eval()
        mode = norms.of(is_trained)
        for norm in _batch_norms(unit):
            norm.train(mode in _USES_BATCH)
            norm.track_running_stats = mode != "batch"


def num_stored_norms(units: Iterable[Unit]) -> int:
    """Returns the number of norms whose weights are buffers (FROZEN_BN), which nothing can train."""
    return sum(
        "weight" in dict(module.named_buffers(recurse=False)) and "running_mean" in dict(module.named_buffers())
        for unit in units
        for root in unit.modules.values()
        for module in root.modules()
    )


def _batch_norms(unit: Unit) -> Iterator[_BatchNorm]:
    for root in unit.modules.values():
        yield from (module for module in root.modules() if isinstance(module, _BatchNorm))
