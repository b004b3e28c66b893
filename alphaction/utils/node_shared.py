"""Memory that the processes of one machine share: one copy a machine, gone with the last process."""

import contextlib
import logging
import mmap
import os
import platform
import tempfile
from dataclasses import dataclass
from errno import EINVAL, ENOSYS, EOPNOTSUPP
from pathlib import Path

import torch
from torch import Tensor

from alphaction.utils.comm import (
    CpuGroup,
    all_gather_objects,
    get_rank,
    get_world_size,
    is_main_process,
    new_cpu_group,
    raise_everywhere,
)
from alphaction.utils.errors import UserError

logger = logging.getLogger(__name__)

_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Node:
    """Where this process runs, and which others run there.

    Attributes:
        members: the ranks of each node, by their lowest rank.
        number: this process's position in ``members``.
        everyone: all processes of the run.
        firsts: the lowest rank of each node; only they may use it.
    """

    members: tuple[tuple[int, ...], ...] = ((0,),)
    number: int = 0
    everyone: CpuGroup = None
    firsts: CpuGroup = None

    @property
    def num_nodes(self) -> int:
        return len(self.members)

    @property
    def num_members(self) -> int:
        """How many processes this node has."""
        return len(self.members[self.number])

    @property
    def is_first(self) -> bool:
        """Whether this process does what a node does once."""
        return get_rank() == self.members[self.number][0]


def find_node(identity: str | None = None) -> Node:
    """Returns which processes of the run share this one's machine; every process calls it.

    It may make process groups, which last as long as the run: find the node once and keep it.

    Args:
        identity: the machine's name; processes that give the same are on one node. Found when not given.
    """
    if get_world_size() == 1:
        return Node()
    everyone = new_cpu_group()
    identities = all_gather_objects(identity or _machine(), everyone)
    members = tuple(
        tuple(rank for rank, other in enumerate(identities) if other == machine)
        for machine in dict.fromkeys(identities)
    )
    number = next(i for i, ranks in enumerate(members) if get_rank() in ranks)
    firsts = new_cpu_group([ranks[0] for ranks in members]) if len(members) > 1 else None
    return Node(members, number, everyone, firsts)


def zeros_on_node(num_bytes: int, node: Node) -> Tensor:
    """Returns [num_bytes] uint8 zeros that the processes of the node share; every process of the run calls it.

    A process alone gets anonymous memory, which is taken page by page as it is written. Several map one file without
    a name in /dev/shm, or in the folder for temporary files when that has no room; its space is taken at once. Memory
    of either kind is not copied when a loader's worker is forked, and is given back however the processes end.

    Raises:
        UserError: there is no room for it; on every process of the run.
    """
    handle = _open_together(num_bytes, node)
    try:
        _reserve_together(handle, num_bytes, node)
        return _mapped(handle, num_bytes, node)
    finally:
        if handle >= 0:
            os.close(handle)


def _open_together(num_bytes: int, node: Node) -> int:
    """Returns a handle of the node's empty file, whose name is gone already; -1 for a process alone on its node."""
    handle, path = -1, ""
    error: UserError | None = None
    try:
        if node.is_first and node.num_members > 1:
            handle, path, error = _make(num_bytes, node)
        raise_everywhere(error, node.everyone)
        paths = all_gather_objects(path, node.everyone)
        if not node.is_first:
            handle, error = _open(paths[node.members[node.number][0]])
        raise_everywhere(error, node.everyone)
    except BaseException:
        if handle >= 0:
            os.close(handle)
        raise
    finally:
        if path:
            os.unlink(path)
    return handle


def _make(num_bytes: int, node: Node) -> tuple[int, str, UserError | None]:
    try:
        handle, path = tempfile.mkstemp(prefix="alphaction-", dir=_choose_folder(num_bytes, node))
    except OSError as problem:
        return -1, "", UserError(f"{_no_room(num_bytes, node)}: {problem}. {_REMEDY}")
    except UserError as problem:
        return -1, "", problem
    return handle, path, None


def _open(path: str) -> tuple[int, UserError | None]:
    try:
        return os.open(path, os.O_RDWR), None
    except OSError as problem:
        return -1, UserError(
            f"A process of {platform.node()} cannot open {path}, which another process of that machine made for memory "
            f"they share: {problem.strerror}. Run all processes of a machine as one user, in one container."
        )


def _reserve_together(handle: int, num_bytes: int, node: Node) -> None:
    """Takes the space now: a full disk found later, at a write, would end the process without a word."""
    error: UserError | None = None
    if node.is_first and handle >= 0:
        try:
            _reserve(handle, max(num_bytes, 1))
        except OSError as problem:
            error = UserError(f"{_no_room(num_bytes, node)}: {problem.strerror}. {_REMEDY}")
    raise_everywhere(error, node.everyone)


def _reserve(handle: int, num_bytes: int) -> None:
    try:
        os.posix_fallocate(handle, 0, num_bytes)
    except AttributeError:  # macOS has no such call
        os.ftruncate(handle, num_bytes)
    except OSError as problem:
        if problem.errno not in (EINVAL, ENOSYS, EOPNOTSUPP):  # what file systems without it say
            raise
        os.ftruncate(handle, num_bytes)


def _mapped(handle: int, num_bytes: int, node: Node) -> Tensor:
    memory: mmap.mmap | None = None
    error: UserError | None = None
    try:
        memory = mmap.mmap(handle, max(num_bytes, 1))
    except (OSError, OverflowError, MemoryError) as problem:
        error = UserError(f"{_no_room(num_bytes, node)}: {problem}. {_REMEDY}")
    raise_everywhere(error, node.everyone)
    assert memory is not None
    return torch.frombuffer(memory, dtype=torch.uint8)[:num_bytes]


def _choose_folder(num_bytes: int, node: Node) -> Path:
    free = {folder: _free_bytes(folder) for folder in dict.fromkeys([_SHARED_MEMORY, Path(tempfile.gettempdir())])}
    for folder, room in free.items():
        if room >= num_bytes:
            if folder != _SHARED_MEMORY and is_main_process():
                logger.warning("Shared memory lies in %s: /dev/shm has not %s free.", folder, _size(num_bytes))
            return folder
    found = ", ".join(f"{folder} has {_size(room)} free" for folder, room in free.items())
    raise UserError(f"{_no_room(num_bytes, node)}: {found}. {_REMEDY}")


def _free_bytes(folder: Path) -> int:
    """Returns how much a file there can hold, 0 for a folder that cannot be written."""
    if not os.access(folder, os.W_OK):
        return 0
    stat = os.statvfs(folder)
    free = stat.f_bavail * stat.f_frsize
    return min(free, _free_memory()) if folder == _SHARED_MEMORY else free


def _free_memory() -> int:
    """Returns how much memory new data can have on this machine: what /dev/shm promises may be in use."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _machine() -> str:
    """Returns a name that processes share if they see the same files and run on the same machine."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(str(os.stat("/proc/self/ns/mnt").st_ino))  # containers of one machine differ in it
    return " ".join(parts)


_REMEDY = (
    "Give the container more shared memory (docker run --shm-size), set TMPDIR to a folder of a disk with room, "
    "or use a machine with more memory."
)


def _no_room(num_bytes: int, node: Node) -> str:
    return f"No room for {_size(num_bytes)} of memory that {node.num_members} process(es) of {platform.node()} share"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 5e7 else f"{num_bytes / 1e6:.1f} MB"
