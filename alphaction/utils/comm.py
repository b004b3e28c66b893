"""What processes of one run say to each other; every function is a no-op in a run of one process."""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from alphaction.utils.errors import UserError

T = TypeVar("T")
# Some processes of a run that exchange tensors of the CPU; None in a run of one process.
CpuGroup = dist.ProcessGroup | None


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def get_rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def get_world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def is_main_process() -> bool:
    return get_rank() == 0


def synchronize(group: CpuGroup = None) -> None:
    """Waits until every process, or every one of the group, has come here."""
    if get_world_size() > 1:
        dist.barrier(group)


def new_cpu_group(ranks: Sequence[int] | None = None) -> CpuGroup:
    """Returns a group of the given ranks, else of all, for tensors of the CPU whatever the run's device is.

    Every process calls it, also those that are not in the group, which get None and have no use for it.
    """
    if get_world_size() == 1:
        return None
    if ranks is None and dist.get_backend() == "gloo":
        return dist.group.WORLD
    group = dist.new_group(None if ranks is None else list(ranks), backend="gloo")
    return group if isinstance(group, dist.ProcessGroup) else None


def synchronize_buffers(model: nn.Module) -> None:
    """Gives every process rank 0's buffers, such as running statistics, which each has updated on its own clips."""
    if get_world_size() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def gather_objects(value: T) -> list[T]:
    """Returns the values of all ranks, in rank order, on rank 0, and an empty list elsewhere.

    The values are pickled: use it for reports and predictions at the end of a pass, never inside a step.
    """
    if get_world_size() == 1:
        return [value]
    gathered: list[Any] | None = [None] * get_world_size() if is_main_process() else None
    dist.gather_object(value, gathered, dst=0)
    return gathered or []


def all_gather_objects(value: T, group: CpuGroup = None) -> list[T]:
    """Returns the values of all ranks, in rank order, on every rank; pickled, as in :func:`gather_objects`."""
    if get_world_size() == 1:
        return [value]
    gathered: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(gathered, value, group=group)
    return gathered


def broadcast_object(value: T) -> T:
    """Returns rank 0's value on every rank; pickled, as in :func:`gather_objects`."""
    if get_world_size() == 1:
        return value
    box: list[Any] = [value if is_main_process() else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def all_gather_rows(rows: torch.Tensor, group: CpuGroup) -> list[torch.Tensor]:
    """Returns the rows of every rank of the group, in rank order; each rank may have another number of them.

    Args:
        rows: [n, ...] on the CPU; all but n is the same everywhere. They travel as bytes, so any type will do.
    """
    if get_world_size() == 1:
        return [rows]
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(dist.get_world_size(group))]
    dist.all_gather(lengths, torch.tensor([len(rows)]), group=group)
    counts = [int(length) for length in lengths]
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    gathered = [torch.empty_like(padded) for _ in counts]
    if padded.numel():
        dist.all_gather([part.view(torch.uint8) for part in gathered], padded.view(torch.uint8), group=group)
    return [part[:count] for part, count in zip(gathered, counts, strict=True)]


def raise_everywhere(error: UserError | None, group: CpuGroup = None) -> None:
    """Raises on every rank the error of the lowest rank that has one; else returns when all have come here.

    What one process finds wrong would otherwise leave the others waiting for it.
    """
    errors = [found for found in all_gather_objects(error, group) if found is not None]
    if errors:
        raise errors[0]


def reduce_mean(values: torch.Tensor) -> torch.Tensor:
    """Returns the element-wise mean over all ranks, the same on every rank; the argument is not changed."""
    if get_world_size() == 1:
        return values
    reduced = values.clone()
    dist.all_reduce(reduced)
    return reduced / get_world_size()


def any_rank(flag: bool, device: torch.device) -> bool:
    """Returns on every rank whether the flag is set on one of them."""
    if get_world_size() == 1:
        return flag
    flags = torch.tensor([float(flag)], device=device)
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags.item())


def reduce_dict(values: dict[str, torch.Tensor]) -> dict[str, float]:
    """Returns the mean over all ranks of every scalar; all ranks get the same numbers, in one message."""
    if not values:
        return {}
    names = sorted(values)
    stacked = torch.stack([values[name].detach().float() for name in names])
    return dict(zip(names, reduce_mean(stacked).tolist(), strict=True))
