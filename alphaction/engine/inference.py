"""One pass over a data set: the same for training's evaluation, the test tool and the demo."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from alphaction.engine.skipped import SkippedClips
from alphaction.structures.clip import ClipBatch, ClipKey, ClipPrediction
from alphaction.tasks.base import Task
from alphaction.utils.comm import gather_objects, is_main_process

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inference:
    """What a pass gives rank 0: predictions of all processes by clip, and what was skipped."""

    predictions: dict[ClipKey, ClipPrediction]
    skipped: SkippedClips


def run_inference(
    task: Task, model: nn.Module, loader: Iterable[ClipBatch], device: torch.device, max_bad_videos: int
) -> Inference | None:
    """Returns the predictions for every clip of the loaders of all processes, on rank 0; None on the others.

    The model is left in eval mode.

    Raises:
        LocalError: clips of more than ``max_bad_videos`` videos cannot be read.
    """
    model.eval()
    skipped: list[Any] = []
    with torch.inference_mode():
        predictions = list(task.predict(model, _on_device(loader, device, skipped, max_bad_videos)))
    gathered = gather_objects((predictions, skipped))
    if not is_main_process():
        return None
    by_key = {prediction.key: prediction for part, _ in gathered for prediction in part}
    ledger = SkippedClips(max_bad_videos)
    for _, clips in gathered:
        ledger.add(clips)
    if ledger.summary():
        logger.warning("%s They count as clips without a prediction.", ledger.summary())
    return Inference(by_key, ledger)


def _on_device(
    loader: Iterable[ClipBatch], device: torch.device, skipped: list[Any], max_bad_videos: int
) -> Iterator[ClipBatch]:
    """Yields batches on the device, noting skipped clips; batches of skipped clips alone are left out."""
    for batch in loader:
        skipped.extend(batch.skipped)
        bad_videos = {clip.key.video for clip in skipped}
        if len(bad_videos) > max_bad_videos:
            SkippedClips(max_bad_videos).add(skipped)
        if len(batch):
            yield batch.to(device, non_blocking=True)
