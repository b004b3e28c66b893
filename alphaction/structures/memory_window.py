"""What is read from the memory: the persons seen around some key frames."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alphaction.structures.memory_store import MemoryStore, ragged_positions


@dataclass(frozen=True, slots=True, eq=False)
class MemoryWindow:
    """The persons around N key frames, at S seconds each with room for P persons; M of the places are filled.

    Attributes:
        features: [M, C] float16; valid until the next fetch from the pool.
        position: [M] int64 place in N * S * P, rising.
        loss: [M] float32 loss of the step that wrote the person.
        shape: (N, S, P).
    """

    features: Tensor
    position: Tensor
    loss: Tensor
    shape: tuple[int, int, int]

    def padded(
        self, device: torch.device | str, dtype: torch.dtype = torch.float32, factor: Tensor | None = None
    ) -> Tensor:
        """Returns [N, S * P, C] with zeros in the empty places; ``factor`` [M] scales the persons."""
        clips, seconds, persons = self.shape
        dim = self.features.shape[1]
        is_safe = self.features.is_pinned()  # else a copy might still run when the next fetch fills the buffer
        position = self.position.to(device, non_blocking=is_safe)
        # Half the bytes are moved when rows are placed first and converted then.
        rows = self.features.to(device, non_blocking=is_safe)
        places = rows.new_zeros(clips * seconds * persons, dim).index_copy_(0, position, rows).to(dtype)
        if factor is not None:
            scale = places.new_zeros(len(places), 1)
            places.mul_(scale.index_copy_(0, position, factor.to(scale, non_blocking=is_safe).unsqueeze(1)))
        return places.view(clips, seconds * persons, dim)


def read_window(store: MemoryStore, slots: NDArray[np.int64], buffer_for: Callable[[int], Tensor]) -> MemoryWindow:
    """Returns the persons of the slots [N, S], of which -1 is none, in one gather of the filled rows alone.

    Args:
        buffer_for: gives [M, C] float16 to write to, for the M persons there are.
    """
    wanted = slots.ravel()
    counts = store.count[wanted]
    rows = store.rows_of(wanted)
    features = torch.index_select(store.rows, 0, rows, out=buffer_for(len(rows)))
    position = torch.from_numpy(ragged_positions(np.arange(len(wanted)), counts, store.per_slot))
    loss = torch.from_numpy(np.repeat(store.loss[wanted], counts))
    return MemoryWindow(features, position, loss, (*slots.shape, store.per_slot))
