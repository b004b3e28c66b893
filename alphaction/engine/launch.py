"""From the environment that torchrun sets to a device and a process group, and back down."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from alphaction.utils.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Process:
    """One of the processes of a run."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def pins_memory(self) -> bool:
        return self.device.type == "cuda"


def world_size_from_env() -> int:
    """Returns the number of processes torchrun started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank_from_env() -> int:
    return int(os.environ.get("RANK", "0"))


@contextmanager
def launched(device_name: str) -> Iterator[Process]:
    """Joins the process group when there is one, yields this process, and leaves the group whatever happens.

    Args:
        device_name: the key DEVICE. "auto" takes the accelerator of this machine, else the CPU.

    Raises:
        ConfigError: the device does not exist here.
    """
    rank, world_size = rank_from_env(), world_size_from_env()
    device = _choose_device(device_name, int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if world_size > 1:
        _join_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(rank, world_size, device)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def end_group_threads() -> None:
    """Ends the threads of a left process group, as the last thing of a process, when no run is referred to any more.

    Leaving a group of gloo does not end its threads while models and memories still refer to it. One of them that lets
    go of its last tensors while the interpreter shuts down aborts the process, with all its work done
    (https://github.com/pytorch/pytorch/issues/190489; this can go with the torch versions that have it).
    """
    if world_size_from_env() > 1:
        gc.collect()


def _join_group(backend: str) -> None:
    try:
        dist.init_process_group(backend)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"WORLD_SIZE asks for several processes, which cannot meet: {error} Start them with torchrun."
        ) from error


def peak_memory_bytes(device: torch.device) -> int | None:
    """Returns the most accelerator memory this process has held, None on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def _choose_device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        elif torch.backends.mps.is_available():
            name = "mps"
        else:
            name = "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f'DEVICE is "{name}"; use "auto", "cpu", "mps" or "cuda".') from None
    if device.type not in ("cpu", "mps", "cuda"):
        raise ConfigError(f'DEVICE is "{name}"; use "auto", "cpu", "mps" or "cuda".')
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(f'DEVICE is "{name}", but torch sees no such device here; use "auto" or "cpu".')
        index = local_rank if device.index is None else device.index
        if index >= torch.cuda.device_count():
            raise ConfigError(
                f"Process {local_rank} of this machine needs a GPU of its own and there are "
                f"{torch.cuda.device_count()}; start fewer processes, or set DEVICE cpu."
            )
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError('DEVICE is "mps", but torch sees no such device here; use "auto" or "cpu".')
    return device
