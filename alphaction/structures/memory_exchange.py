"""How ranks and nodes agree on the memory, with tensors and never with pickled objects."""

import numpy as np
import torch
from numpy.typing import NDArray

from alphaction.structures.memory_store import MemoryStore
from alphaction.utils.comm import all_gather_rows, get_rank, synchronize
from alphaction.utils.node_shared import Node

# Slots that travel at once from each node: with AVA's persons at most 12 MB.
_SLOTS_AT_ONCE = 512


def first_holders(slots: NDArray[np.int64], node: Node) -> NDArray[np.bool_]:
    """Returns which of this rank's slots [n] no lower rank and no earlier place here holds; every process calls it."""
    by_rank = [part.numpy() for part in all_gather_rows(torch.from_numpy(slots), node.everyone)]
    taken = np.concatenate([np.zeros(0, np.int64), *by_rank[: get_rank()]])
    return first_places(slots) & ~np.isin(slots, taken)


def first_places(slots: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns [n] whether no earlier place holds the same slot."""
    is_first = np.zeros(len(slots), bool)
    is_first[np.unique(slots, return_index=True)[1]] = True
    return is_first


def publish(store: MemoryStore, node: Node) -> None:
    """Returns when every process sees what any has written; every process calls it.

    Where nodes wrote the same slot, the lowest node's is kept.
    """
    synchronize(node.everyone)
    if node.num_nodes > 1:
        if node.is_first:
            _exchange(store, node)
        synchronize(node.everyone)


def _exchange(store: MemoryStore, node: Node) -> None:
    written = np.flatnonzero(store.unsent)
    by_node = [part.numpy() for part in all_gather_rows(torch.from_numpy(written), node.firsts)]
    kept = [np.setdiff1d(slots, np.concatenate([slots[:0], *by_node[:i]])) for i, slots in enumerate(by_node)]
    for start in range(0, max(map(len, kept)), _SLOTS_AT_ONCE):
        parts = [slots[start : start + _SLOTS_AT_ONCE] for slots in kept]
        mine = parts[node.number]
        counts = all_gather_rows(torch.from_numpy(store.count[mine]), node.firsts)
        losses = all_gather_rows(torch.from_numpy(store.loss[mine]), node.firsts)
        persons = all_gather_rows(store.rows[store.rows_of(mine)], node.firsts)
        for i, slots in enumerate(parts):
            if i != node.number:
                store.put(slots, counts[i].numpy(), persons[i], losses[i].numpy())
    store.unsent[written] = 0
