"""Memory that processes of one machine share."""

import multiprocessing
import os
import signal
import tempfile
from pathlib import Path

import pytest
import torch
from processes import run_in_processes

from alphaction.utils import node_shared
from alphaction.utils.comm import all_gather_objects, all_gather_rows, raise_everywhere, synchronize
from alphaction.utils.errors import UserError
from alphaction.utils.node_shared import Node, find_node, zeros_on_node

SHARED_MEMORY = Path("/dev/shm")
has_shared_memory = pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="this system has no /dev/shm")


def files_in(*folders):
    return {path for folder in folders for path in Path(folder).iterdir() if path.name.startswith("alphaction-")}


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_process_alone_is_its_own_node():
    node = find_node()
    assert node == Node(members=((0,),), number=0)
    assert node.is_first and (node.num_nodes, node.num_members) == (1, 1)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not say what is resident")
def test_memory_of_a_process_alone_is_taken_as_it_is_written():
    before = resident_bytes()
    memory = zeros_on_node(1_000_000_000, Node())
    memory[::100_000_000] = 1
    assert memory[:2].tolist() == [1, 0]
    assert resident_bytes() - before < 20_000_000


def test_no_bytes_are_no_problem():
    assert zeros_on_node(0, Node()).shape == (0,)


def test_more_than_the_address_space_is_explained():
    with pytest.raises(UserError, match=r"No room for 9223372036.9 GB.*docker run --shm-size"):
        zeros_on_node(2**63 - 1, Node())


def sees_the_other(rank, folder, before):
    tempfile.tempdir = str(folder)
    node = find_node()
    memory = zeros_on_node(1000, node)
    assert (node.members, node.number, node.num_members) == (((0, 1),), 0, 2)
    assert node.is_first == (rank == 0)
    assert not memory.any()
    synchronize()
    memory[rank] = rank + 1
    synchronize()
    assert memory[:2].tolist() == [1, 2]
    assert files_in(folder, SHARED_MEMORY) <= before


@has_shared_memory
def test_processes_of_a_node_see_what_the_other_writes_and_leave_no_file(tmp_path):
    run_in_processes(sees_the_other, tmp_path, files_in(SHARED_MEMORY))


def has_its_own(rank, names):
    node = find_node(names[rank])
    memory = zeros_on_node(1000, node)
    memory[rank] = 1
    synchronize()
    assert memory.sum() == sum(name == names[rank] for name in names)
    assert (node.num_nodes, node.num_members) == (2, names.count(names[rank]))
    first_ranks = all_gather_objects(rank, node.firsts) if node.is_first else [ranks[0] for ranks in node.members]
    assert first_ranks == [names.index(name) for name in dict.fromkeys(names)]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "a")])
def test_nodes_have_memory_of_their_own(names):
    run_in_processes(has_its_own, names, world_size=len(names))


def uses_the_temporary_folder(rank, folder):
    tempfile.tempdir = folder
    node_shared._free_bytes = lambda folder: 0 if folder == SHARED_MEMORY else 10**9
    made = []
    make = tempfile.mkstemp
    tempfile.mkstemp = lambda **words: made.append(words["dir"]) or make(**words)
    memory = zeros_on_node(1000, find_node())
    memory[rank] = 1
    synchronize()
    assert memory.sum() == 2
    assert made == ([] if rank else [Path(folder)])
    assert files_in(folder) == set()


def test_without_room_in_shared_memory_the_temporary_folder_is_taken(tmp_path):
    run_in_processes(uses_the_temporary_folder, str(tmp_path))


def is_refused(rank, folder):
    tempfile.tempdir = folder
    node_shared._free_bytes = lambda folder: 64_000_000
    with pytest.raises(UserError) as caught:
        zeros_on_node(2_000_000_000, find_node())
    said = str(caught.value)
    assert "No room for 2.0 GB of memory that 2 process(es)" in said
    assert "/dev/shm has 0.1 GB free" in said and f"{folder} has 0.1 GB free" in said and "TMPDIR" in said


def test_too_little_room_is_one_message_on_every_process(tmp_path):
    run_in_processes(is_refused, str(tmp_path))


def meets_a_full_disk(rank, before):
    node_shared._free_bytes = lambda folder: 2**62
    with pytest.raises(UserError, match=r"No room for 70368.7 GB .*: No space left on device"):
        zeros_on_node(2**46, find_node())  # a sparse file may have this size
    assert files_in(SHARED_MEMORY) <= before


@has_shared_memory
def test_space_that_cannot_be_reserved_is_an_error_at_the_start():
    run_in_processes(meets_a_full_disk, files_in(SHARED_MEMORY))


def cannot_open(rank, folder):
    tempfile.tempdir = folder
    node_shared._SHARED_MEMORY = Path(folder)
    if rank == 1:
        os.open = refuse
    with pytest.raises(UserError, match="as one user, in one container"):
        zeros_on_node(1000, find_node())
    synchronize()
    assert files_in(folder) == set()


def refuse(*words):
    raise PermissionError(13, "Permission denied")


def test_a_file_that_another_process_cannot_open_is_explained_on_all(tmp_path):
    run_in_processes(cannot_open, str(tmp_path))


@pytest.mark.parametrize("absent", [True, False])
def test_a_system_without_reservation_gets_a_sparse_file(tmp_path, monkeypatch, absent):
    def unsupported(*words):
        raise OSError(95, "Operation not supported")

    if absent:
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", unsupported)
    with (tmp_path / "file").open("wb") as file:
        node_shared._reserve(file.fileno(), 5000)
    assert (tmp_path / "file").stat().st_size == 5000


def holds_memory(rank, folder, ready):
    tempfile.tempdir = folder
    zeros_on_node(1_000_000, find_node())
    synchronize()
    ready.set()
    signal.pause()


@has_shared_memory
def test_killed_processes_leave_nothing_behind(tmp_path):
    context, before = multiprocessing.get_context("fork"), files_in(SHARED_MEMORY)
    ready = context.Event()
    parent = context.Process(target=run_in_processes, args=(holds_memory, str(tmp_path), ready))
    parent.start()
    assert ready.wait(timeout=30)
    for child in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    parent.join(timeout=30)
    assert parent.exitcode
    assert files_in(SHARED_MEMORY, tmp_path) <= before


def gathers_rows(rank):
    rows = torch.full((rank * 2, 3), float(rank), dtype=torch.float16)
    first, second = all_gather_rows(rows, None)
    assert first.shape == (0, 3) and second.dtype == torch.float16
    assert torch.equal(second, torch.ones(2, 3, dtype=torch.float16))
    assert [len(part) for part in all_gather_rows(torch.zeros(0, 3), None)] == [0, 0]


def test_rows_of_all_ranks_are_gathered_whatever_their_number():
    run_in_processes(gathers_rows)


def hears_of_the_error(rank):
    raise_everywhere(None)
    with pytest.raises(UserError, match="one is wrong"):
        raise_everywhere(UserError("one is wrong") if rank == 1 else None)


def test_an_error_of_one_process_is_raised_on_all():
    run_in_processes(hears_of_the_error)
