"""What the released models cost on a CPU: seconds of a training step and of inference, parameters, memory."""

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.config import load_cfg
from alphaction.modeling import build_detector
from alphaction.modeling.roi_heads.action_head.loss import action_losses
from alphaction.solver.build import build_optimizer
from alphaction.structures.boxes import Boxes
from alphaction.structures.labels import ClassGroups
from alphaction.utils.logger import format_table

RELEASED = tuple(
    f"config_files/{name}.yaml"
    for name in (
        "resnet50_4x16f_baseline",
        "resnet50_4x16f_serial",
        "resnet50_4x16f_parallel",
        "resnet50_4x16f_denseserial",
        "resnet101_8x8f_baseline",
        "resnet101_8x8f_denseserial",
    )
)
_NUM_PERSONS, _NUM_OBJECTS = 3, 5


class Clip(NamedTuple):
    """The arguments of a detector: one clip, objects and memory where the model looks at them."""

    slow: Tensor
    fast: Tensor
    boxes: list[Boxes]
    objects: list[Boxes] | None
    memory: Tensor | None


@dataclass(frozen=True, slots=True)
class ModelCost:
    """A model's parameters, CPU seconds of a clip (medians), and the largest memory of its process so far in MB."""

    parameters: int
    inference_seconds: float
    inference_peak: float
    training_seconds: float
    training_peak: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this measurement."""
    parser.add_argument(
        "--config-file", nargs="+", default=RELEASED, metavar="FILE", help="models; default: the six released ones"
    )
    parser.add_argument("--height", type=_at_least(16), default=256, help="of the video in pixels")
    parser.add_argument("--width", type=_at_least(16), default=455, help="of the video in pixels")
    parser.add_argument(
        "--repeats", type=_at_least(1), default=1, help="passes and steps that are timed, after one that is not"
    )


def run(args: argparse.Namespace) -> str:
    """Returns a table with a line for each model: random weights, one clip, one thread, float32.

    Every model has a process of its own, whose memory is the one reported: it holds Python and PyTorch as well.

    Raises:
        ConfigError: a file is missing, or cannot be built.
    """
    rows = []
    for path in args.config_file:
        cost = _in_new_process(path, args.height, args.width, args.repeats)
        rows.append(
            (
                Path(path).stem,
                f"{cost.parameters / 1e6:.1f}",
                f"{cost.inference_seconds:.2f}",
                f"{cost.inference_peak:.0f}",
                f"{cost.training_seconds:.2f}",
                f"{cost.training_peak:.0f}",
            )
        )
    header = ("model", "parameters, M", "inference, CPU s", "peak MB", "training step, CPU s", "peak MB")
    title = (
        f"One clip of {args.width} x {args.height} pixels, {_NUM_PERSONS} persons; with interaction also "
        f"{_NUM_OBJECTS} objects and a full memory. Median of {args.repeats}, one thread."
    )
    return f"{title}\n\n{format_table(header, rows)}"


def measure(path: str, height: int, width: int, repeats: int) -> ModelCost:
    """Returns what the model of a config costs in this process, on one thread.

    Args:
        path: the config file.
        height, width: of the video in pixels, before the padding that the loader adds.
        repeats: passes and steps of which the median is taken, after one that is not timed.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cfg = load_cfg(path)
    detector = build_detector(cfg)
    clip = make_clip(cfg, detector.backbone.dim_out, height, width)
    detector.eval()
    with torch.inference_mode():
        inference_seconds = _median_seconds(lambda: detector(*clip), repeats)
    inference_peak = _peak_megabytes()
    training_seconds = _median_seconds(_make_training_step(cfg, detector, clip), repeats)
    return ModelCost(
        parameters=sum(p.numel() for p in detector.parameters()),
        inference_seconds=inference_seconds,
        inference_peak=inference_peak,
        training_seconds=training_seconds,
        training_peak=_peak_megabytes(),
    )


def make_clip(cfg: CfgNode, dim: int, height: int, width: int) -> Clip:
    """Returns a random clip as the config samples and pads it.

    Args:
        cfg: the config.
        dim: channels of the backbone, which pooled persons in the memory have too.
        height, width: of the video in pixels.
    """
    step = max(cfg.DATALOADER.SIZE_DIVISIBILITY, 1)
    padded = [-(-extent // step) * step for extent in (height, width)]
    slow_frames = cfg.INPUT.FRAME_NUM // cfg.INPUT.TAU
    keys = cfg.MODEL.IA_STRUCTURE
    blocks = str(keys.I_BLOCK_LIST) if keys.ACTIVE else ""
    slots = (sum(keys.LENGTH) + 1) * keys.MAX_PER_SEC
    return Clip(
        slow=torch.randn(1, 3, slow_frames, *padded),
        fast=torch.randn(1, 3, slow_frames * cfg.INPUT.ALPHA, *padded),
        boxes=[_random_boxes(_NUM_PERSONS, (width, height))],
        objects=[_random_boxes(_NUM_OBJECTS, (width, height))] if "O" in blocks else None,
        memory=torch.rand(1, slots, dim) if "M" in blocks else None,
    )


def _at_least(smallest: int) -> Callable[[str], int]:
    def number(word: str) -> int:
        if int(word) < smallest:
            raise argparse.ArgumentTypeError(f"{word} is too small; give {smallest} or more")
        return int(word)

    return number


def _random_boxes(count: int, size: tuple[int, int]) -> Boxes:
    """Returns boxes of a third to a half of the frame, with scores."""
    extent = torch.tensor(size, dtype=torch.float32)
    left_top = torch.rand(count, 2) / 2 * extent
    right_bottom = left_top + (1 / 3 + torch.rand(count, 2) / 6) * extent
    return Boxes(torch.cat([left_top, right_bottom], dim=1), size, scores=torch.rand(count))


def _make_training_step(cfg: CfgNode, detector: nn.Module, clip: Clip) -> Callable[[], None]:
    """Returns forward, losses, backward and a step of SGD, as one function."""
    head = cfg.MODEL.ROI_ACTION_HEAD
    groups = ClassGroups.from_counts(
        head.NUM_PERSON_MOVEMENT_CLASSES, head.NUM_OBJECT_MANIPULATION_CLASSES, head.NUM_PERSON_INTERACTION_CLASSES
    )
    weights = {"pose": head.POSE_LOSS_WEIGHT, "object": head.OBJECT_LOSS_WEIGHT, "person": head.PERSON_LOSS_WEIGHT}
    labels = (torch.rand(_NUM_PERSONS, head.NUM_CLASSES) < 0.05).to(torch.uint8)
    optimizer = build_optimizer(cfg, detector.train())

    def step() -> None:
        losses = action_losses(
            detector(*clip),
            labels,
            groups=groups,
            weights=weights,
            gamma=head.FOCAL_LOSS.GAMMA,
            alpha=head.FOCAL_LOSS.ALPHA,
            normalizer=_NUM_PERSONS,
        )
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()

    return step


def _in_new_process(path: str, height: int, width: int, repeats: int) -> ModelCost:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, path, height, width, repeats).result()


def _median_seconds(step: Callable[[], object], repeats: int) -> float:
    """Returns CPU seconds; the first pass, in which memory is taken and kernels are chosen, does not count."""
    step()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def _peak_megabytes() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would answer with the parent's memory where that was larger
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
