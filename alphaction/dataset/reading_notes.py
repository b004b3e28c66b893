"""What each worker of a loader is reading, in memory that the main process can look into when a worker hangs."""

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path

# A slot: when the reading began (seconds of the machine's clock), how long the name is, the end of the name.
_HEADER = struct.Struct("dH")
_NAME_BYTES = 1000
_SLOT_BYTES = _HEADER.size + _NAME_BYTES

# The slot of this process, if it is a worker: a decoder, deep inside a dataset, does not know whose process it is in.
_own_slot: "tuple[ReadingNotes, int] | None" = None


class ReadingNotes:
    """A slot for each of ``num_workers`` processes.

    Args:
        num_workers: number of slots.
        context: of the processes, which are started by it.
    """

    def __init__(self, num_workers: int, context: BaseContext) -> None:
        self._num_workers = num_workers
        self._memory = context.RawArray("c", max(num_workers, 1) * _SLOT_BYTES)

    def open_slot(self, worker: int) -> None:
        """Makes :func:`reading` in this process write to a worker's slot."""
        global _own_slot
        _own_slot = self, worker

    def current(self) -> dict[int, tuple[str, float]]:
        """Returns by worker what it is reading, and for how many seconds; workers that read nothing are left out."""
        found = {}
        for worker in range(self._num_workers):
            slot = self._memory.raw[worker * _SLOT_BYTES : (worker + 1) * _SLOT_BYTES]
            began, length = _HEADER.unpack_from(slot)
            if length:
                name = slot[_HEADER.size : _HEADER.size + length].decode(errors="replace")
                found[worker] = name, time.monotonic() - began
        return found

    def write(self, worker: int, name: str) -> None:
        """Notes what a worker reads from now on; "" is nothing."""
        text = name.encode(errors="replace")[-_NAME_BYTES:]
        slot = _HEADER.pack(time.monotonic(), len(text)) + text
        self._memory[worker * _SLOT_BYTES : worker * _SLOT_BYTES + len(slot)] = slot


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Notes that this process reads a file while the block lasts; does nothing outside a loader's worker."""
    if _own_slot is None:
        yield
        return
    notes, worker = _own_slot
    notes.write(worker, str(path))
    try:
        yield
    finally:
        notes.write(worker, "")
