"""Running a function of a test in several processes that talk to each other over gloo."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_in_processes(function: Callable[..., None], *arguments: Any, world_size: int = 2) -> None:
    """Calls ``function(rank, *arguments)`` in each process; what one of them raises is raised here.

    The function stands at the top of its module.
    """
    # A fork has torch imported already, but cannot use a CUDA that its parent has used.
    method = "fork" if sys.platform == "linux" and not torch.cuda.is_initialized() else "spawn"
    with tempfile.TemporaryDirectory() as folder:
        words = (function, world_size, str(Path(folder) / "store"), arguments)
        mp.start_processes(_enter, args=words, nprocs=world_size, start_method=method)


def _enter(rank: int, function: Callable[..., None], world_size: int, store: str, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world_size)
    try:
        function(rank, *arguments)
    finally:
        dist.destroy_process_group()
