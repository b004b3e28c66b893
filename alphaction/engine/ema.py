"""A running mean of the weights, which is evaluated in place of the weights that train."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from alphaction.engine.trainer import Hook, Trainer
from alphaction.utils.errors import CheckpointError


class WeightMean:
    """Running mean of a model's state: floating tensors are averaged, others are copied.

    Args:
        model: not wrapped for several processes; its tensors now are the first value.
        decay: share of the old mean that an update keeps in the long run; the t-th keeps (1 + t) / (10 + t) at most, so
            that the first value, of little use in most runs, is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._mean = {key: value.clone() for key, value in _tensors_of(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, num_updates: int) -> None:
        """Moves the mean towards the model; a tensor that equals its mean leaves it exactly as it is.

        Args:
            model: after a step.
            num_updates: of the mean, before this one.
        """
        decay = min(self._decay, (1 + num_updates) / (10 + num_updates))
        for key, value in _tensors_of(model).items():
            if value.is_floating_point():
                self._mean[key].lerp_(value, 1.0 - decay)
            else:
                self._mean[key].copy_(value)

    @contextmanager
    def in_place_of(self, model: nn.Module) -> Iterator[None]:
        """Lets the model have the mean as its weights; it gets its own back, whatever ends the block."""
        own = {key: value.clone() for key, value in _tensors_of(model).items()}
        _copy(self._mean, _tensors_of(model))
        try:
            yield
        finally:
            _copy(own, _tensors_of(model))

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the mean by the names of the model's state."""
        return dict(self._mean)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what ``state_dict`` returned.

        Raises:
            CheckpointError: the mean is one of another model.
        """
        if {key: value.shape for key, value in state.items()} != {k: v.shape for k, v in self._mean.items()}:
            raise CheckpointError(
                'The running mean of the weights in the checkpoint (part "ema") is one of another model: set '
                "SOLVER.EMA_DECAY 0 with --adjust-lr to go on without it."
            )
        _copy(state, self._mean)


class AverageWeights(Hook):
    """Updates the mean after each step."""

    def __init__(self, mean: WeightMean, model: nn.Module) -> None:
        self._mean, self._model = mean, model

    def after_step(self, trainer: Trainer) -> None:
        self._mean.update(self._model, trainer.iteration - 1)


def _tensors_of(model: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
    for key, target in targets.items():
        target.copy_(values[key])
