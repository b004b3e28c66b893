"""The memory of several processes, on one node and on several."""

import pytest
import torch
from memories import DIM, keys_of, persons, small_pool, values_at
from processes import run_in_processes

from alphaction.structures import memory_exchange
from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool
from alphaction.utils.comm import synchronize
from alphaction.utils.errors import CheckpointError, DataError
from alphaction.utils.node_shared import find_node

A905, B905 = ClipKey("a", 905_000), ClipKey("b", 905_000)
# The machine each rank believes to be on.
ONE_NODE, TWO_NODES, MIXED = ("x", "x"), ("x", "y"), ("x", "y", "x")
layouts = pytest.mark.parametrize("machines", [ONE_NODE, TWO_NODES, MIXED], ids=["one", "two", "mixed"])


def pool_of(rank, machines, **words):
    return small_pool(node=find_node(machines[rank]), **words)


def publishes(rank, machines):
    pool = pool_of(rank, machines)
    memory_exchange._SLOTS_AT_ONCE = 2
    seconds = range(900 + 3 * rank, 903 + 3 * rank)
    pool.write(keys_of("a", seconds), persons(*seconds), [1, 0, 2], loss=float(rank))
    pool.publish()
    written = [persons for each in range(len(machines)) for persons in (900 + 3 * each, *[902 + 3 * each] * 2)]
    window = pool.fetch([A905], before=5, after=4, rate=1)
    assert window.features[:, 0].tolist() == written
    assert window.loss.tolist() == [float(each) for each in range(len(machines)) for _ in range(3)]


def publishes_again(rank, machines):
    pool = pool_of(rank, machines)
    for value, count in ((1, 1), (2, 2), (3, 0)):
        if rank == 1:
            pool.write([A905], persons(value), [count])
        pool.publish()
        assert values_at(pool, A905) == [value] * count
        synchronize()  # nobody writes while another reads


@layouts
def test_after_publish_every_rank_sees_what_any_wrote(machines):
    run_in_processes(publishes, machines, world_size=len(machines))


@layouts
def test_a_slot_may_be_published_again_and_again(machines):
    run_in_processes(publishes_again, machines, world_size=len(machines))


def writes_together(rank, machines):
    pool = pool_of(rank, machines)
    mine = [[A905, B905], [ClipKey("a", 901_000), A905, ClipKey("b", 901_000)], [B905]][rank]
    values = [[1, 2], [3, 4, 5], [6]][rank]
    pool.write_together(mine, persons(*values), [1] * len(mine), loss=float(rank))
    found = [values_at(pool, key) for key in (A905, B905, ClipKey("a", 901_000), ClipKey("b", 901_000))]
    assert found == [[1], [2], [3], [5]]
    assert pool.fetch([A905], before=4, after=0, rate=1).loss.tolist() == [1, 0]
    pool.write_together([], torch.zeros(0, 2, DIM), [])
    if rank:
        pool.write_together([A905], persons(7 + rank), [2])
    else:
        pool.write_together([], torch.zeros(0, 2, DIM), [])
    assert values_at(pool, A905) == [8, 8]


@layouts
def test_of_a_key_frame_on_several_ranks_the_lowest_is_kept(machines):
    run_in_processes(writes_together, machines, world_size=len(machines))


def prefers_the_lowest_node(rank):
    pool = pool_of(rank, TWO_NODES)
    pool.write([A905, B905] if rank == 0 else [B905, A905], persons(rank, rank), [1, 1])
    assert values_at(pool, A905) == [rank]
    pool.publish()
    assert (values_at(pool, A905), values_at(pool, B905)) == ([0], [0])


def test_of_a_key_frame_written_on_several_nodes_the_lowest_is_published():
    run_in_processes(prefers_the_lowest_node)


def saves_and_loads(rank, machines, folder):
    pool = pool_of(rank, machines)
    pool.write_together([A905] if rank else [B905], persons(rank), [rank + 1])
    record = pool.save(folder / "memory.safetensors")
    assert bool(record) == (rank == 0)
    synchronize()
    assert [path.name for path in folder.iterdir()] == ["memory.safetensors"]
    both = [record]
    torch.distributed.broadcast_object_list(both)
    pool.write_together([B905] if rank else [A905], persons(7), [1])
    pool.load(folder / "memory.safetensors", both[0])
    assert (values_at(pool, A905), values_at(pool, B905)) == ([1, 1], [0])
    with pytest.raises(CheckpointError, match="is missing"):
        pool.load(folder / "other.safetensors", both[0])


@pytest.mark.parametrize("machines", [ONE_NODE, TWO_NODES], ids=["one", "two"])
def test_the_main_process_saves_and_all_load(machines, tmp_path):
    run_in_processes(saves_and_loads, machines, tmp_path)


def has_other_keys(rank):
    with pytest.raises(DataError, match="different key frames"):
        MemoryPool.create(keys_of("a", range(3 + rank)), max_per_second=2, dim=DIM)


def test_different_key_frames_are_refused_on_every_rank():
    run_in_processes(has_other_keys)
