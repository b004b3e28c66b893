"""The second pass of a test with a memory, against projecting the memory once for each person."""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from alphaction.config import load_cfg
from alphaction.modeling import build_detector
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.utils.logger import format_table

DEFAULT = ("config_files/resnet50_4x16f_denseserial.yaml",)
# What the second pass may cost of the plain way; a change that passes this is a step back.
LIMIT = 1 / 1.7
# Persons of a batch as in AVA: two a clip on average.
_COUNTS = (1, 3, 2, 2, 1, 4, 1, 2)


@dataclass(frozen=True, slots=True)
class Pooled:
    """What the first pass leaves of a batch."""

    persons: PooledBoxes
    objects: PooledBoxes
    memory: Tensor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this measurement."""
    parser.add_argument("--config-file", nargs="+", default=DEFAULT, metavar="FILE", help="models with a memory")
    parser.add_argument("--repeats", type=int, default=5, help="passes each way, in turn")


def run(args: argparse.Namespace) -> str:
    """Returns a table of the CPU seconds of a batch in both ways, and whether their ratio is within its limit."""
    rows = []
    for path in args.config_file:
        ours, plain = measure(path, args.repeats)
        within = "yes" if ours / plain <= LIMIT else "NO"
        cells = (f"{ours:.3f}", f"{plain:.3f}", f"{ours / plain:.3f}", f"{LIMIT:.2f}", within)
        rows.append((Path(path).stem, *cells))
    title = f"Second pass over {len(_COUNTS)} clips with {sum(_COUNTS)} persons, random weights; CPU s, median."
    header = ("model", "ours", "memory per person", "ratio", "limit", "within")
    return f"{title}\n\n{format_table(header, rows)}"


def measure(path: str, repeats: int) -> tuple[float, float]:
    """Returns CPU seconds of a batch, ours and with the memory projected for each person."""
    torch.manual_seed(0)
    cfg = load_cfg(path)
    detector = build_detector(cfg).eval()
    spec = detector.interaction
    assert spec is not None
    together = make_pooled(spec.dim_in, spec.num_seconds * spec.max_per_second, spec.max_objects)
    apart = each_person_alone(together)
    seconds: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for _ in range(repeats + 1):
            for found, batch in zip(seconds, (together, apart), strict=True):
                found.append(_cpu_seconds(partial(detector.classify, batch.persons, batch.objects, batch.memory)))
    ours, plain = (statistics.median(found[1:]) for found in seconds)
    return ours, plain


def make_pooled(dim: int, memory_slots: int, num_objects: int) -> Pooled:
    """Returns random pooled boxes of a batch; each clip has ``num_objects`` objects."""
    clips = len(_COUNTS)
    return Pooled(
        persons=PooledBoxes(torch.rand(sum(_COUNTS), dim), _COUNTS),
        objects=PooledBoxes(torch.rand(clips * num_objects, dim), (num_objects,) * clips),
        memory=torch.rand(clips, memory_slots, dim),
    )


def each_person_alone(batch: Pooled) -> Pooled:
    """Returns the batch with a clip for each person, so that objects and memory are repeated for each."""
    counts = torch.tensor(batch.persons.counts)
    objects = batch.objects.features.unflatten(0, (len(counts), -1)).repeat_interleave(counts, dim=0)
    people = len(batch.persons.features)
    return Pooled(
        persons=PooledBoxes(batch.persons.features, (1,) * people),
        objects=PooledBoxes(objects.flatten(0, 1), (objects.shape[1],) * people),
        memory=batch.memory.repeat_interleave(counts, dim=0),
    )


def _cpu_seconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start
