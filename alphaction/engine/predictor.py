"""One video in, predictions out: the way of the test, for a video outside of any data set."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from alphaction.config.load import option_keys
from alphaction.engine.flags import Flags
from alphaction.engine.inference import run_inference
from alphaction.engine.launch import Process
from alphaction.engine.setup import make_test_loader, resolve_config
from alphaction.engine.start import load_for_test
from alphaction.structures.clip import ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.tasks.base import Task
from alphaction.utils.errors import DataError


class VideoPredictor:
    """Predicts on single videos with one model.

    Args:
        task: what the model does.
        model: on ``device``.
        open_loader: from a video and its boxes to the loader of its clips.
        device: where the model is.
    """

    def __init__(
        self,
        *,
        task: Task,
        model: nn.Module,
        open_loader: Callable[[str | Path, str | Path], DataLoader],
        device: torch.device,
    ) -> None:
        self.task = task
        self._model, self._open_loader, self._device = model, open_loader, device

    @classmethod
    def from_flags(cls, flags: Flags, process: Process) -> "VideoPredictor":
        """Returns the predictor of a config and its weights, found as ``tools/test_net.py`` finds them.

        Raises:
            UserError: config or weights cannot be used.
        """
        resolved = resolve_config(flags)
        cfg = resolved.cfg
        task = resolved.task_class.from_cfg(cfg)
        model = task.build_model(cfg)
        load_for_test(cfg, task, model, is_typed="MODEL.WEIGHT" in option_keys(flags.opts))

        def open_loader(video_path: str | Path, boxes_path: str | Path) -> DataLoader:
            return make_test_loader(cfg, task.open_video(cfg, video_path, boxes_path), process)

        return cls(task=task, model=model.to(process.device), open_loader=open_loader, device=process.device)

    @property
    def labels(self) -> LabelMap:
        """The classes, in the order of the scores' columns."""
        return self.task.labels

    def predict(self, video_path: str | Path, boxes_path: str | Path) -> list[ClipPrediction]:
        """Returns the predictions in order of time.

        Args:
            video_path: a whole video.
            boxes_path: its person boxes, an AVA CSV: ``video,second,x1,y1,x2,y2,,score``.

        Raises:
            DataError: a file cannot be used or read, or no box reaches TEST.BOX_THRESH.
        """
        loader = self._open_loader(video_path, boxes_path)
        found = run_inference(self.task, self._model, loader, self._device, max_bad_videos=1)
        if found is None:
            return []
        if not found.predictions:
            raise DataError(f"{video_path} has no clip that can be read. {found.skipped.summary()}")
        return [found.predictions[key] for key in sorted(found.predictions)]
