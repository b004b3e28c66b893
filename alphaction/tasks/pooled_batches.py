"""What the first pass over a test set leaves for the second one."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO

import numpy as np
import torch
from torch import Tensor

from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.structures.clip import ClipKey, DetectionTarget
from alphaction.utils.errors import LocalError


@dataclass(frozen=True, slots=True)
class PooledBatch:
    """A test batch behind the backbone.

    Attributes:
        keys: its clips.
        targets: of the clips.
        persons: pooled.
        objects: pooled, None where the model does not ask for them.
    """

    keys: tuple[ClipKey, ...]
    targets: tuple[DetectionTarget, ...]
    persons: PooledBoxes
    objects: PooledBoxes | None

    def to(self, device: torch.device) -> "PooledBatch":
        objects = None if self.objects is None else _moved(self.objects, device)
        targets = tuple(target.to(device) for target in self.targets)
        return replace(self, targets=targets, persons=_moved(self.persons, device), objects=objects)


class PooledBatches:
    """Batches in the order they were appended; their features lie in a temporary file, float32.

    A test set of AVA's size has gigabytes of features, which need not stay in memory between the passes.
    """

    def __init__(self) -> None:
        with _full_folder_named():
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._batches: list[PooledBatch] = []

    def __enter__(self) -> "PooledBatches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # a full disk has been told already
            self._file.close()

    def append(self, batch: PooledBatch) -> None:
        """Adds a batch, on whatever device it is.

        Raises:
            LocalError: the temporary folder is full.
        """
        on_cpu = batch.to(torch.device("cpu"))
        persons = self._written(on_cpu.persons)
        objects = None if on_cpu.objects is None else self._written(on_cpu.objects)
        self._batches.append(replace(on_cpu, persons=persons, objects=objects))

    def keys(self) -> list[ClipKey]:
        return [key for batch in self._batches for key in batch.keys]

    def __iter__(self) -> Iterator[PooledBatch]:
        """Yields the batches on the CPU, one iteration at a time."""
        self._file.seek(0)
        for batch in self._batches:
            persons = self._read(batch.persons)
            yield replace(batch, persons=persons, objects=None if batch.objects is None else self._read(batch.objects))

    def _written(self, boxes: PooledBoxes) -> PooledBoxes:
        """Returns the boxes with an empty tensor of the features' shape in place of the features."""
        features = boxes.features.float()
        with _full_folder_named():
            self._file.write(features.numpy().tobytes())
            self._file.flush()
        return boxes._replace(features=torch.empty(features.shape, device="meta"))

    def _read(self, boxes: PooledBoxes) -> PooledBoxes:
        shape = tuple(boxes.features.shape)
        values = np.fromfile(self._file, np.float32, int(np.prod(shape)))
        return boxes._replace(features=torch.from_numpy(values).view(shape))


@contextlib.contextmanager
def _full_folder_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalError(
            f"Cannot keep pooled features in a temporary folder: {error.strerror or error}. Make room in the folder "
            "that TMPDIR names (else /tmp), or set it to another one."
        ) from error


def _moved(boxes: PooledBoxes, device: torch.device) -> PooledBoxes:
    scores: Tensor | None = None if boxes.scores is None else boxes.scores.to(device)
    return boxes._replace(features=boxes.features.to(device), scores=scores)
