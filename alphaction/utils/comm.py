"""What processes of one run say to each other; every function is a no-op in a run of one process."""

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

T = TypeVar("T")


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def get_rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def get_world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def is_main_process() -> bool:
    return get_rank() == 0


def synchronize() -> None:
    """Waits until every process has come here."""
    if get_world_size() > 1:
        dist.barrier()


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
