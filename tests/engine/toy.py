"""A task of ten lines: the engine has to run it without knowing anything about it."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from alphaction.engine.skipped import SkippedClips
from alphaction.engine.trainer import Hook, Trainer
from alphaction.solver import FactorScheduler, Span
from alphaction.structures.clip import ClipBatch, ClipKey, ClipPrediction, Media, StepOutput
from alphaction.tasks.base import Task


class ToyTarget:
    def to(self, device: Any, non_blocking: bool = False) -> "ToyTarget":
        return self


class ToyTask(Task):
    """Fits the mean brightness of a clip; ``break_at`` makes the loss of that step infinite."""

    def __init__(self, break_at: int = -1) -> None:
        self.step, self.break_at, self.after = 0, break_at, []

    def train_step(self, model: nn.Module, batch: ClipBatch, generator: torch.Generator) -> StepOutput:
        noise = torch.rand(1, generator=generator)
        loss = (model(brightness(batch)) - noise).square().mean()
        self.step += 1
        if self.step == self.break_at:
            loss = loss * float("inf")
        return StepOutput({"loss_toy": loss}, {"accuracy_toy": torch.tensor(0.5)}, aux=self.step)

    def after_step(self, output: StepOutput) -> None:
        self.after.append(output.aux)

    def predict_batch(self, model: nn.Module, batch: ClipBatch) -> list[ClipPrediction]:
        return [
            ClipPrediction(key, scores=score) for key, score in zip(batch.keys, model(brightness(batch)), strict=True)
        ]


def brightness(batch: ClipBatch) -> torch.Tensor:
    return batch.media.frames.float().mean(dim=(1, 2, 3, 4))[:, None] / 255


def make_batch(number: int, num_clips: int = 2, skipped: tuple = ()) -> ClipBatch:
    generator = torch.Generator().manual_seed(number)
    frames = torch.randint(0, 256, (num_clips, 1, 2, 2, 3), generator=generator, dtype=torch.uint8)
    index = torch.zeros(num_clips, 1, dtype=torch.int64)
    media = Media(frames, index, index, torch.full((num_clips, 2), 2))
    keys = tuple(ClipKey(f"movie{number}", i * 1000) for i in range(num_clips))
    return ClipBatch(keys, media, tuple(ToyTarget() for _ in keys), skipped)


def batches(start: int) -> Iterator[ClipBatch]:
    number = start
    while True:
        yield make_batch(number)
        number += 1


def make_toy_trainer(hooks: list[Hook], *, max_iter: int = 6, start: int = 0, task: ToyTask | None = None) -> Trainer:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Trainer(
        task=task or ToyTask(),
        model=model,
        optimizer=optimizer,
        scheduler=FactorScheduler(optimizer, lambda span: lambda iteration: 1.0, Span(0, max_iter)),
        loader=list(batch for batch, _ in zip(batches(start), range(max_iter - start), strict=False)),
        device=torch.device("cpu"),
        hooks=hooks,
        max_iter=max_iter,
        seed=5,
        rank=0,
        skipped=SkippedClips(1),
        iteration=start,
    )
