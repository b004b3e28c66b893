"""What the long-term feature memory costs at the size of AVA, against plain look-ups second by second."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool
from alphaction.structures.memory_window import MemoryWindow
from alphaction.utils.comm import all_gather_objects, get_rank, get_world_size, synchronize
from alphaction.utils.logger import format_table

_FIRST_SECOND = 902
_PERSONS_PER_SECOND = 2.0  # about what AVA has
_CLIPS_AT_ONCE = 64
_RESIDENCE = Path("/proc/self/smaps_rollup")
_FETCH, _OURS, _PLAIN, _WRITE = "fetch", "fetch, padded", "plain look-ups, padded", "write a batch"
T = TypeVar("T")
Times = tuple[float, float]  # wall clock and CPU
Steps = dict[str, Times]  # in milliseconds
PlainMemory = dict[str, dict[int, Tensor]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of filling the memory costs."""

    steps: Steps
    space: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this measurement."""
    parser.add_argument("--movies", type=int, default=235, help="movies; AVA's training set has 235")
    parser.add_argument("--seconds", type=int, default=897, help="key frames of a movie, one a second")
    parser.add_argument("--per-second", type=int, default=5, help="persons a second has room for")
    parser.add_argument("--dim", type=int, default=2304, help="channels of a person's feature")
    parser.add_argument("--clips", type=int, default=16, help="clips of a batch")
    parser.add_argument("--around", type=int, default=30, help="seconds before and after a key frame")
    parser.add_argument("--repeats", type=int, default=60, help="batches; medians are shown")
    parser.add_argument("--seed", type=int, default=0, help="of the features, counts and batches")
    parser.add_argument("--skip-file", action="store_true", help="do not save and load the memory")
    parser.add_argument("--folder", default=None, help="where to save it for a moment; else the temporary folder")
    parser.add_argument("--processes", type=int, default=1, help="processes that share the memory")


def run(args: argparse.Namespace) -> str:
    """Returns a table of times and of the space the memory takes, for AVA's persons per second and for full slots."""
    if args.processes == 1:
        return measure(args)
    with tempfile.TemporaryDirectory() as folder:
        # A fork begins at once, but cannot use a CUDA that its parent has used.
        method = "fork" if sys.platform == "linux" and not torch.cuda.is_initialized() else "spawn"
        mp.start_processes(_run_rank, args=(args, folder), nprocs=args.processes, start_method=method)
        return (Path(folder) / "report").read_text(encoding="utf-8")


def _run_rank(rank: int, args: argparse.Namespace, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=args.processes)
    try:
        report = measure(args)
        if rank == 0:
            (Path(folder) / "report").write_text(report, encoding="utf-8")
    finally:
        dist.destroy_process_group()


def measure(args: argparse.Namespace) -> str:
    """Returns the table; every process of the run calls it."""
    keys = [
        ClipKey(f"movie{movie:04d}", (_FIRST_SECOND + second) * 1000)
        for movie in range(args.movies)
        for second in range(args.seconds)
    ]
    columns, nbytes = [], 0
    for mean in (_PERSONS_PER_SECOND, None):
        before = _residence()
        pool = MemoryPool.create(keys, max_per_second=args.per_second, dim=args.dim)
        nbytes = pool.nbytes
        columns.append(_measure_filled(pool, keys, mean, before, args))
        del pool
    steps = [(name, *(f"{ms:.3f}" for each in columns for ms in each.steps[name])) for name in columns[0].steps]
    ratios = [
        f"{ours / plain:.2f}"
        for each in columns
        for ours, plain in zip(each.steps[_OURS], each.steps[_PLAIN], strict=True)
    ]
    space = [(name, *(f"{each.space[name]:.2f}" for each in columns)) for name in columns[0].space]
    header = ("step, ms", "AVA, wall", "CPU", "full, wall", "CPU")
    return (
        f"{args.movies} movies of {args.seconds} s, up to {args.per_second} persons of {args.dim} channels: "
        f"{nbytes / 1e9:.2f} GB in half precision\n"
        f"batches of {args.clips} clips with {2 * args.around + 1} s each, medians of {args.repeats}, "
        f"{get_world_size()} process(es) of {torch.get_num_threads()} thread(s), seed {args.seed}\n\n"
        f"{format_table(header, [*steps, ('padded / plain', *ratios)])}\n\n"
        f"{format_table(('whole memory', 'AVA', 'full'), space)}"
    )


def _measure_filled(
    pool: MemoryPool, keys: Sequence[ClipKey], mean: float | None, before: dict[str, float], args: argparse.Namespace
) -> Outcome:
    rng = np.random.default_rng(args.seed)
    counts = np.full(len(keys), args.per_second)
    if mean is not None:
        counts = np.minimum(rng.poisson(mean, len(keys)), args.per_second)
    generator = torch.Generator().manual_seed(args.seed)
    features = torch.randn(max(_CLIPS_AT_ONCE, args.clips), args.per_second, args.dim, generator=generator)
    start = time.perf_counter()
    for first in range(_CLIPS_AT_ONCE * get_rank(), len(keys), _CLIPS_AT_ONCE * get_world_size()):
        part = slice(first, min(first + _CLIPS_AT_ONCE, len(keys)))
        pool.write(keys[part], features[: part.stop - first], counts[part].tolist(), loss=1.0)
    pool.publish()
    space = {"filling it, s": time.perf_counter() - start, "persons of a second": float(counts.mean())}
    _read_everything(pool, keys, args)
    space |= _space_taken(before)
    rng = np.random.default_rng([args.seed, get_rank()])
    batches = [[keys[i] for i in rng.choice(len(keys), args.clips)] for _ in range(args.repeats + 1)]
    steps = _time_steps(pool, batches, args, features)
    if not args.skip_file:
        space |= _time_file(pool, args.folder)
    return Outcome(steps, space)


def _read_everything(pool: MemoryPool, keys: Sequence[ClipKey], args: argparse.Namespace) -> None:
    """Maps all that is filled into this process, as a long training does."""
    for first in range(0, len(keys), args.clips):
        pool.fetch(keys[first : first + args.clips], before=0, after=0, rate=1)


def _time_steps(
    pool: MemoryPool, batches: Sequence[Sequence[ClipKey]], args: argparse.Namespace, features: Tensor
) -> Steps:
    """Returns the medians of reading and writing; the first batch warms up."""
    plain = plain_memory(pool, batches, args.around)
    taken: dict[str, list[Times]] = {name: [] for name in (_FETCH, _OURS, _PLAIN, _WRITE)}

    def fetch(keys: Sequence[ClipKey]) -> MemoryWindow:
        return pool.fetch(keys, before=args.around, after=args.around, rate=1)

    for batch in batches:
        taken[_FETCH].append(_timed(fetch, batch)[1])
    for batch in batches:
        padded, padding = _timed(lambda keys: fetch(keys).padded("cpu"), batch)
        looked_up, looking_up = _timed(plain_window, plain, batch, args.around, args.per_second)
        if not torch.equal(padded, looked_up):
            raise AssertionError("both ways must find the same")
        taken[_OURS].append(padding)
        taken[_PLAIN].append(looking_up)
    counts = [args.per_second] * args.clips
    for batch in batches:  # after the reading: it changes what is there
        taken[_WRITE].append(_timed(pool.write_together, batch, features[: args.clips], counts)[1])
    medians = {name: np.median(times[1:], axis=0).tolist() for name, times in taken.items()}
    return {name: (wall * 1e3, cpu * 1e3) for name, (wall, cpu) in medians.items()}


def _time_file(pool: MemoryPool, folder: str | None) -> dict[str, float]:
    """Returns the size of the file and seconds of saving it and loading it back, while the system still caches it."""
    with tempfile.TemporaryDirectory(dir=folder) as parent:
        where = all_gather_objects(parent)[0]
        record, (saving, _) = _timed(pool.save, Path(where) / "memory.safetensors")
        record = all_gather_objects(record)[0]
        _, (loading, _) = _timed(pool.load, Path(where) / "memory.safetensors", record)
        synchronize()
    return {"file, GB": record["bytes"] / 1e9, "saving, s": saving, "loading, s": loading}


def plain_memory(pool: MemoryPool, batches: Sequence[Sequence[ClipKey]], around: int) -> PlainMemory:
    """Returns the persons around the key frames as {movie: {second: [n, C] float32}}, each a tensor of its own."""
    memory: PlainMemory = {}
    for key in {key for batch in batches for key in batch}:
        window = pool.fetch([key], before=around, after=around, rate=1)
        second = key.timestamp_ms // 1000 - around + window.position // window.shape[2]
        seconds, counts = second.unique_consecutive(return_counts=True)
        persons = window.features.float().split(counts.tolist())
        memory.setdefault(key.video, {}).update(
            (time, each.clone()) for time, each in zip(seconds.tolist(), persons, strict=True)
        )
    return memory


def plain_window(memory: PlainMemory, keys: Sequence[ClipKey], around: int, per_second: int) -> Tensor:
    """Returns [N, S * P, C] by a look-up and a small padded tensor for each second, put together at the end."""
    dim = next((persons.shape[1] for movie in memory.values() for persons in movie.values()), 0)
    seconds = []
    for key in keys:
        movie = memory[key.video]
        middle = key.timestamp_ms // 1000
        for second in range(middle - around, middle + around + 1):
            padded = torch.zeros(per_second, dim)
            if second in movie:
                padded[: len(movie[second])] = movie[second]
            seconds.append(padded)
    return torch.stack(seconds).view(len(keys), -1, dim)


def _space_taken(before: dict[str, float]) -> dict[str, float]:
    """Returns what each process holds more than ``before``, in GB."""
    after = _residence()
    grown = all_gather_objects({name: after[name] - before[name] for name in after})
    return {f"{name} of process {rank}, GB": each[name] for name in after for rank, each in enumerate(grown)}


def _residence() -> dict[str, float]:
    """Returns GB of this process's memory: all of it, and with what it shares divided by the number who share it."""
    if not _RESIDENCE.exists():  # other systems than Linux
        return {}
    fields = dict(line.split(":", 1) for line in _RESIDENCE.read_text(encoding="ascii").splitlines()[1:])
    return {name: int(fields[field].split()[0]) * 1024 / 1e9 for name, field in (("resident", "Rss"), ("share", "Pss"))}


def _timed(step: Callable[..., T], *arguments: Any) -> tuple[T, Times]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = step(*arguments)
    return result, (time.perf_counter() - wall, time.process_time() - cpu)
