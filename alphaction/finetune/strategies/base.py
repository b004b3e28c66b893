"""What a strategy of fine-tuning is."""

from typing import Any

from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.utils.registry import Registry

STRATEGIES: "Registry[type[Strategy]]" = Registry("fine-tuning strategy (FINETUNE.STRATEGY)")


class Strategy:
    """Says at the start of each epoch which units train.

    :meth:`plan` is asked once an epoch, in order, on rank 0 and on every other process with the same clock. What it
    remembers from one epoch to the next is its ``state_dict``; a strategy whose answer follows from the epoch alone
    has none. A run may begin at any epoch: a release that is overdue takes place then.
    """

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "Strategy":
        """Returns the strategy of the whole config for a model.

        Raises:
            ConfigError: a key does not fit the model.
        """
        raise NotImplementedError

    @classmethod
    def num_epochs(cls, cfg: Any) -> int:
        """Returns the length the run has to have, in epochs of fine-tuning; 0 leaves it to SOLVER."""
        return 0

    @classmethod
    def needs_metric(cls, cfg: Any) -> bool:
        """Returns whether the clock has to show the monitored metric, so that every epoch ends with an evaluation."""
        return False

    def due_by(self) -> int:
        """Returns the epoch by which all that the keys lay down for sure has begun, for a warning of runs too short.

        Of releases that depend on a metric it is the earliest that can come.
        """
        return 0

    def plan(self, clock: Clock) -> FreezePlan:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what ``state_dict`` returned."""


def keep_order(layout: ModelLayout, *names: str) -> tuple[str, ...]:
    """Returns the named units in the model's order, each once."""
    return tuple(name for name in layout.names if name in names)
