"""The order of the changes of a clip, in training and in test: the only place that lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaction.dataset.transforms.video import (
    BoxLists,
    ColourJitter,
    Frames,
    Images,
    RandomFlip,
    Resize,
    Transform,
)


@dataclass(frozen=True, slots=True)
class ClipTransforms:
    """Resizes a clip and takes it through further steps; one generator serves frames and boxes.

    Attributes:
        resize: the first step.
        steps: the others, in order.
    """

    resize: Resize
    steps: Sequence[Transform] = ()

    def __call__(self, frames: Images, boxes: BoxLists, rng: np.random.Generator) -> tuple[Frames, BoxLists]:
        steps: list[Transform] = [self.resize, *self.steps]
        for step in steps:
            frames, boxes = step(frames, boxes, rng)
        return np.asarray(frames), boxes


def build_transforms(cfg: Any, is_train: bool) -> ClipTransforms:
    """Returns the changes of training (resize, colour, mirror) or of test (resize)."""
    if not is_train:
        return ClipTransforms(Resize(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST))
    steps: list[Transform] = []
    if cfg.INPUT.COLOR_JITTER:
        steps.append(ColourJitter(cfg.INPUT.HUE_JITTER, cfg.INPUT.SAT_JITTER, cfg.INPUT.VAL_JITTER))
    if cfg.INPUT.FLIP_PROB > 0:
        steps.append(RandomFlip(cfg.INPUT.FLIP_PROB))
    return ClipTransforms(Resize(cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN), tuple(steps))
