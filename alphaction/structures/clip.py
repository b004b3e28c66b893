"""What travels from the data to the evaluator.

Letters of shapes, here and everywhere: N clips, C channels, T frames, H W pixels, R boxes of a batch, K classes.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from alphaction.structures.boxes import Boxes


class ClipKey(NamedTuple):
    """The identity of a clip: its video and the time of its key frame. AVA files write whole seconds."""

    video: str
    timestamp_ms: int

    def __str__(self) -> str:
        seconds = self.timestamp_ms / 1000
        return f"{self.video}@{seconds:g}s"


@dataclass(frozen=True, slots=True)
class Media:
    """The frames of one clip, or of N clips padded to one size.

    Each distinct frame is held once; the two index tensors say which of them each pathway sees, in order.

    Attributes:
        frames: [T, H, W, 3] uint8 RGB, batched [N, T, H, W, 3].
        slow_index: [Ts] int64 positions in T, batched [N, Ts].
        fast_index: [Tf] int64, batched [N, Tf].
        valid_size: [2] int64 (height, width) of the part of H x W that is video, batched [N, 2].
    """

    frames: Tensor
    slow_index: Tensor
    fast_index: Tensor
    valid_size: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Media":
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Media":
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Any) -> "Media":
        return Media(change(self.frames), change(self.slow_index), change(self.fast_index), change(self.valid_size))


@dataclass(frozen=True, slots=True)
class DetectionTarget:
    """Boxes of the key frame, in pixels of the frames the model sees.

    Attributes:
        persons: with ``labels`` in training, with detector ``scores`` in test.
        frame_size: (width, height) of the frame as it was decoded, in pixels; predictions are given in it.
        objects: with ``scores``, or None when the data set has no object boxes.
    """

    persons: Boxes
    frame_size: tuple[int, int]
    objects: Boxes | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "DetectionTarget":
        objects = None if self.objects is None else self.objects.to(device, non_blocking)
        return replace(self, persons=self.persons.to(device, non_blocking), objects=objects)

    def pin_memory(self) -> "DetectionTarget":
        objects = None if self.objects is None else self.objects.pin_memory()
        return replace(self, persons=self.persons.pin_memory(), objects=objects)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a sampler asks a dataset for: the item, and the numbers all its randomness comes from."""

    seed: int
    epoch: int
    index: int


@dataclass(frozen=True, slots=True)
class SkippedClip:
    """A clip that could not be read, and why."""

    key: ClipKey
    reason: str


@dataclass(frozen=True, slots=True)
class ClipSample:
    """One item of a dataset.

    Attributes:
        key: which clip it is.
        media: its frames.
        target: the dataset's own type; its task reads it, nobody between does.
        skipped: unreadable clips that this one stands in for (training only).
    """

    key: ClipKey
    media: Media
    target: Any
    skipped: tuple[SkippedClip, ...] = ()


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """N samples: ``media`` has the leading N, ``targets`` holds one entry a clip.

    ``skipped`` names the unreadable clips met on the way; a test batch of only such clips has N = 0.
    """

    keys: tuple[ClipKey, ...]
    media: Media
    targets: tuple[Any, ...]
    skipped: tuple[SkippedClip, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "ClipBatch":
        targets = tuple(target.to(device, non_blocking) for target in self.targets)
        return replace(self, media=self.media.to(device, non_blocking), targets=targets)

    def pin_memory(self) -> "ClipBatch":
        targets = tuple(target.pin_memory() for target in self.targets)
        return replace(self, media=self.media.pin_memory(), targets=targets)


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a training step gives back.

    Attributes:
        losses: scalars, already weighted; the trainer adds them up.
        metrics: scalars to log.
        aux: anything the task wants back in ``after_step``, detached.
    """

    losses: dict[str, Tensor]
    metrics: dict[str, Tensor]
    aux: Any = None


@dataclass(frozen=True, slots=True)
class ClipPrediction:
    """What a model says of one clip.

    Attributes:
        key: which clip.
        boxes: the persons with ``scores`` [n, K], in pixels of the frame as it was decoded, for detection.
        scores: [K] for a task that judges the whole clip.
    """

    key: ClipKey
    boxes: Boxes | None = None
    scores: Tensor | None = None
