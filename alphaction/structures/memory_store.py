"""Where the features of the memory lie."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alphaction.utils.node_shared import Node, zeros_on_node

_ALIGNMENT = 64


@dataclass(frozen=True, slots=True, eq=False)
class MemoryStore:
    """The persons of every slot, in memory that the processes of a node share.

    The last slot is always empty: the number -1 of a second without a slot means this one.

    Attributes:
        features: [slots, P, C] float16; rows from the slot's count on are leftovers that nobody reads.
        loss: [slots] float32 loss of the step that wrote the slot.
        count: [slots] uint8 persons; 0 is an empty slot.
        unsent: [slots] uint8, 1 where this node wrote what other nodes do not know yet.
    """

    features: Tensor
    loss: NDArray[np.float32]
    count: NDArray[np.uint8]
    unsent: NDArray[np.uint8]

    @classmethod
    def allocate(cls, slots: int, per_slot: int, dim: int, node: Node) -> "MemoryStore":
        """Returns an empty store; every process of the run calls it.

        Raises:
            UserError: there is no room for it.
        """
        sizes = (slots * per_slot * dim * 2, slots * 4, slots, slots)
        aligned = [-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes]
        memory = zeros_on_node(sum(aligned), node).split(aligned)
        features, loss, count, unsent = (part[:size] for part, size in zip(memory, sizes, strict=True))
        return cls(
            features.view(torch.float16).view(slots, per_slot, dim),
            loss.view(torch.float32).numpy(),
            count.numpy(),
            unsent.numpy(),
        )

    @property
    def per_slot(self) -> int:
        return self.features.shape[1]

    @property
    def dim(self) -> int:
        return self.features.shape[2]

    @property
    def rows(self) -> Tensor:
        """[slots * P, C], the persons in the order of the slots."""
        return self.features.view(-1, self.dim)

    def filled(self) -> NDArray[np.int64]:
        """Returns the slots that hold somebody, in rising order."""
        return np.flatnonzero(self.count)

    def rows_of(self, slots: NDArray[np.int64]) -> Tensor:
        """Returns [M] positions in ``rows`` of the persons of the slots."""
        return torch.from_numpy(ragged_positions(slots, self.count[slots], self.per_slot))

    def put(
        self, slots: NDArray[np.int64], counts: NDArray[np.integer], persons: Tensor, loss: NDArray[np.float32] | float
    ) -> None:
        """Writes [M, C] persons into distinct slots, of which each takes its count of them in turn."""
        self.rows.index_copy_(0, torch.from_numpy(ragged_positions(slots, counts, self.per_slot)), persons)
        self.loss[slots] = loss
        self.count[slots] = counts

    def clear(self) -> None:
        self.count[:] = 0
        self.unsent[:] = 0


def ragged_positions(groups: NDArray[np.integer], counts: NDArray[np.integer], group_size: int) -> NDArray[np.int64]:
    """Returns [M] the positions group * group_size + p for all p below each group's count, group after group."""
    counts = counts.astype(np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(groups * group_size - (ends - counts), counts) + np.arange(total)
