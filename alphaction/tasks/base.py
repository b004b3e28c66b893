"""What the engine asks of a task; it knows this contract and nothing else about what is learnt."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from alphaction.structures.clip import ClipBatch, ClipPrediction, StepOutput
from alphaction.structures.labels import LabelMap
from alphaction.structures.unit import Unit
from alphaction.utils.registry import Registry

TASKS: "Registry[type[Task]]" = Registry("task (TASK)")


class Task:
    """One kind of learning problem: joins model, data and metric.

    ``labels`` are the classes, for the results of whoever asks. ``main_metric`` is the metric of the task's evaluator
    that says which of two models is better; "" where there is none.

    Inherited code is the one-pass ``predict`` and the empty hooks; a task is composed of functions, not of tasks.
    """

    name: ClassVar[str]
    main_metric: ClassVar[str] = ""
    labels: LabelMap

    @classmethod
    def resolve_config(cls, cfg: Any) -> Any:
        """Returns the config with what the data decide (class counts) filled in; opens label files only."""
        return cfg

    @classmethod
    def from_cfg(cls, cfg: Any) -> "Task":
        """Returns the task of a resolved config."""
        raise NotImplementedError

    def build_model(self, cfg: Any) -> nn.Module:
        raise NotImplementedError

    def head_prefixes(self, model: nn.Module) -> tuple[str, ...]:
        """Returns the state-dict prefixes that ``--no-head`` leaves out."""
        raise NotImplementedError

    def class_rows(self, model: nn.Module) -> tuple[str, ...]:
        """Returns the state-dict keys of the tensors with one row for each of ``labels``, in their order."""
        return ()

    def stages(self, model: nn.Module) -> Sequence[Unit]:
        """Returns the units of the model from input to head; their modules' names are those within the model."""
        raise NotImplementedError

    def build_dataset(self, cfg: Any, name: str, is_train: bool) -> Any:
        """Returns the dataset registered under ``name``, with its transforms."""
        raise NotImplementedError

    def open_video(self, cfg: Any, video_path: Any, boxes_path: Any) -> Any:
        """Returns one video as a test set, for the demo; ``boxes_path`` says where to look, if the task needs it."""
        raise NotImplementedError

    def start_training(self, model: nn.Module, dataset: Any, saved: dict[str, Any] | None, folder: Path) -> None:
        """Called once before the first step.

        Args:
            model: on its device.
            dataset: the clips of the training.
            saved: what ``state_dict`` returned for the checkpoint that the run goes on from, None for a new run.
            folder: of that checkpoint, with the files of ``save_files``.
        """

    def train_step(self, model: nn.Module, batch: ClipBatch, generator: torch.Generator) -> StepOutput:
        """Returns weighted losses of one batch; ``generator`` (CPU) is the only source of randomness."""
        raise NotImplementedError

    def after_step(self, output: StepOutput) -> None:
        """Called after the optimizer's step with what ``train_step`` returned."""

    def predict(self, model: nn.Module, loader: Iterable[ClipBatch]) -> Iterator[ClipPrediction]:
        """Yields predictions of every clip, in one pass, on whatever device the batches are."""
        for batch in loader:
            yield from self.predict_batch(model, batch)

    def predict_batch(self, model: nn.Module, batch: ClipBatch) -> list[ClipPrediction]:
        raise NotImplementedError

    def make_evaluator(self, cfg: Any, dataset: Any, training_set: Any = None) -> Any:
        """Returns the evaluator of a dataset built by ``build_dataset``; with the training set where it is open."""
        raise NotImplementedError

    def save_files(self, folder: Path, tag: str) -> None:
        """Writes what is too large for a checkpoint beside it; every process calls it, before ``state_dict``.

        Args:
            folder: of the checkpoint.
            tag: of the checkpoint, for the names of the files.
        """

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint must hold besides the model: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what ``state_dict`` returned."""
