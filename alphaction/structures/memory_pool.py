"""The long-term feature memory: what a model saw in other seconds of a movie."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_exchange import first_holders, first_places, publish
from alphaction.structures.memory_file import read_memory, write_memory
from alphaction.structures.memory_index import SecondIndex
from alphaction.structures.memory_store import MemoryStore, ragged_positions
from alphaction.structures.memory_window import MemoryWindow, read_window
from alphaction.utils.comm import all_gather_objects, is_main_process, raise_everywhere, synchronize
from alphaction.utils.errors import DataError, UserError
from alphaction.utils.node_shared import Node, find_node

logger = logging.getLogger(__name__)

_LARGEST = torch.finfo(torch.float16).max


class MemoryPool:
    """Pooled features of persons by movie and second, one slot a key frame, in half precision.

    The processes of a node share one copy; :meth:`create` makes it. Calls marked *collective* are made by every
    process of the run, in the same order.

    Shapes: P persons of a second (at most ``max_per_second``), C channels (``dim``), S seconds of a window.
    """

    def __init__(self, index: SecondIndex, store: MemoryStore, node: Node, pin_memory: bool) -> None:
        self._index = index
        self._store = store
        self._node = node
        self._pin_memory = pin_memory
        self._buffer = store.features.new_empty(0, store.dim)

    @classmethod
    def create(
        cls,
        keys: Sequence[ClipKey],
        *,
        max_per_second: int,
        dim: int,
        pin_memory: bool = False,
        node: Node | None = None,
    ) -> "MemoryPool":
        """Returns an empty memory for the key frames; collective.

        Args:
            keys: the key frames of a data set, the same on every process; one that comes twice has one slot.
            max_per_second: persons a second has room for, at most 255.
            dim: channels of a feature.
            pin_memory: fetch into page-locked memory, which an accelerator copies while it computes.
            node: which processes share memory, to use one answer for several pools; found when not given.

        Raises:
            DataError: a key frame is not at a whole second, or the processes have different key frames.
            UserError: there is no room for it.
        """
        if not 0 < max_per_second <= np.iinfo(np.uint8).max:
            raise ValueError(f"max_per_second is {max_per_second}, expected 1 to {np.iinfo(np.uint8).max}.")
        index = SecondIndex(keys)
        node = node or find_node()
        if len(set(all_gather_objects((index.digest(), max_per_second, dim), node.everyone))) > 1:
            raise DataError(
                "The processes of this run have different key frames, persons per second or feature widths, and "
                "cannot share a memory. Give all machines the same annotation files and configuration."
            )
        pool = cls(index, MemoryStore.allocate(len(index) + 1, max_per_second, dim, node), node, pin_memory)
        logger.info(
            "Memory of %d key frames with up to %d persons: at most %.1f MB on each machine.",
            len(index),
            max_per_second,
            pool.nbytes / 1e6,
        )
        return pool

    @property
    def nbytes(self) -> int:
        """The size of the memory when every slot is full, in bytes on each node."""
        store = self._store
        return store.features.nbytes + store.loss.nbytes + store.count.nbytes + store.unsent.nbytes

    @property
    def num_filled(self) -> int:
        """How many key frames have somebody in memory."""
        return int(np.count_nonzero(self._store.count))

    def write(
        self, keys: Sequence[ClipKey], features: Tensor, counts: Sequence[int], loss: float = float("nan")
    ) -> None:
        """Replaces what the memory holds of N key frames; seen at once here, and elsewhere after :meth:`publish`.

        Args:
            keys: [N]; of one that comes twice the first is kept.
            features: [N, P, C] of any floating type, on any device. Beyond the range of half precision they are
                clamped to it.
            counts: [N] persons of each key frame; the rows after them are not read.
            loss: loss of the step that made them.

        Raises:
            ValueError: a key frame is not in the memory, or shapes do not fit.
        """
        slots = self._slots_of(keys)
        self._write(slots, first_places(slots), features, counts, loss)

    def write_together(
        self, keys: Sequence[ClipKey], features: Tensor, counts: Sequence[int], loss: float = float("nan")
    ) -> None:
        """Writes as :meth:`write`, every process its own clips, seen by every process on return; collective.

        Of a key frame that several ranks hold the lowest rank's features are kept. Nothing is written before all
        processes are here, so that none is still reading what the step before has left.
        """
        slots = self._slots_of(keys)
        self._write(slots, first_holders(slots, self._node), features, counts, loss)
        self.publish()

    def publish(self) -> None:
        """Shows every process what :meth:`write` has written in any of them; collective."""
        publish(self._store, self._node)

    def fetch(self, keys: Sequence[ClipKey], *, before: int, after: int, rate: int) -> MemoryWindow:
        """Returns the persons at the seconds t + k * rate of N key frames, for k from -before to after.

        The second t itself is among them. Seconds without a slot, or outside the movie, are empty.

        Raises:
            ValueError: a movie is not in the memory.
        """
        if before < 0 or after < 0 or rate < 1:
            raise ValueError(f"before {before} and after {after} must not be negative, rate {rate} must be positive.")
        slots = self._index.locate(keys, np.arange(-before, after + 1) * rate)
        capacity = slots.size * self._store.per_slot
        return read_window(self._store, slots, lambda rows: self._rows(rows, capacity))

    def save(self, path: Path) -> dict[str, Any]:
        """Writes the filled slots to a .safetensors file, and returns what :meth:`load` checks it by.

        Only the main process writes; the others return an empty dictionary. Equal memories give equal bytes. A file
        that was there stays until the new one is complete. No process may write to the memory meanwhile.

        Returns:
            ``file`` (name), ``bytes`` and ``sha256``.

        Raises:
            CheckpointError: the folder cannot be written, or the disk is full.
        """
        return write_memory(path, self._index, self._store) if is_main_process() else {}

    def load(self, path: Path, record: Mapping[str, Any]) -> None:
        """Replaces the memory by that of a file; collective, read once on each node.

        Args:
            record: what :meth:`save` returned for the file.

        Raises:
            CheckpointError: the file is missing, is not the one of the record, or does not fit this memory.
        """
        synchronize(self._node.everyone)
        error: UserError | None = None
        num_unknown = 0
        if self._node.is_first:
            try:
                self._store.clear()
                num_unknown = read_memory(path, record, self._index, self._store)
            except UserError as found:
                error = found
        raise_everywhere(error, self._node.everyone)
        logger.info("Read the memory of %d key frames from %s.", self.num_filled, path)
        if num_unknown and is_main_process():
            logger.warning("%d key frames of %s are not in this data set and were left out.", num_unknown, path)

    def _slots_of(self, keys: Sequence[ClipKey]) -> NDArray[np.int64]:
        slots = self._index.locate(keys)[:, 0]
        if len(unknown := np.flatnonzero(slots < 0)):
            raise ValueError(f"{keys[unknown[0]]} is no key frame of the memory.")
        return slots

    def _write(
        self, slots: NDArray[np.int64], kept: NDArray[np.bool_], features: Tensor, counts: Sequence[int], loss: float
    ) -> None:
        number = np.asarray(counts, np.int64)
        clips, persons, dim = features.shape
        limit = min(persons, self._store.per_slot)
        if not len(slots) == len(number) == clips or dim != self._store.dim or (number > limit).any():
            raise ValueError(
                f"features {tuple(features.shape)} and counts {list(counts)} do not fit {len(slots)} key frames with "
                f"up to {self._store.per_slot} persons of {self._store.dim} channels."
            )
        rows = torch.from_numpy(ragged_positions(np.flatnonzero(kept), number[kept], persons))
        values = features.detach().reshape(clips * persons, dim)[rows.to(features.device)]
        values = values.float().clamp(-_LARGEST, _LARGEST).half().cpu()
        self._store.put(slots[kept], number[kept], values, loss)
        if self._node.num_nodes > 1:
            self._store.unsent[slots[kept]] = 1

    def _rows(self, rows: int, capacity: int) -> Tensor:
        """Returns [rows, C] to fetch into; fresh memory at each step would cost more than the fetch itself."""
        if self._pin_memory:  # this allocator hands a block out again only when the copy from it has ended
            return torch.empty(rows, self._store.dim, dtype=torch.float16, pin_memory=True)
        if len(self._buffer) < rows:
            self._buffer = self._buffer.new_empty(capacity, self._store.dim)
        return self._buffer[:rows]
