"""Factors on the loss of single classes: given, or from how often the training set has each class."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import ConfigError
from alphaction.utils.logger import format_table

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClassWeighting:
    """How classes are weighed against each other.

    Attributes:
        kind: "none", "inverse_frequency" or "given".
        given: K factors for "given".
    """

    kind: str = "none"
    given: tuple[float, ...] = ()

    @classmethod
    def from_cfg(cls, cfg: Any, labels: LabelMap) -> "ClassWeighting":
        """Returns what the config asks for.

        Raises:
            ConfigError: CLASS_WEIGHTS has not one number a class.
        """
        head = cfg.MODEL.ROI_ACTION_HEAD
        if head.CLASS_WEIGHTING == "given" and len(head.CLASS_WEIGHTS) != len(labels):
            raise ConfigError(
                f"MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS has {len(head.CLASS_WEIGHTS)} numbers, the data set has "
                f"{len(labels)} classes; give one number a class, in the order of ascending ids."
            )
        return cls(head.CLASS_WEIGHTING, tuple(map(float, head.CLASS_WEIGHTS)))

    def weights(self, labels: LabelMap, dataset: Any) -> Tensor | None:
        """Returns [K] float32 factors, or None when all classes weigh alike.

        Args:
            labels: the classes.
            dataset: the training set; its ``label_counts()`` are asked for when they matter.

        Raises:
            DataError: the dataset cannot count its labels.
        """
        if self.kind == "none":
            return None
        if self.kind == "given":
            return torch.tensor(self.given)
        weights = inverse_frequency(dataset.label_counts().sum(axis=0), labels)
        rows = [(name, f"{weight:.3g}") for name, weight in zip(labels.names, weights, strict=True)]
        logger.info("Weights of the classes' losses:\n%s", format_table(("class", "weight"), rows))
        return torch.from_numpy(weights.astype(np.float32))


def inverse_frequency(counts: NDArray[np.int64], labels: LabelMap) -> NDArray[np.float64]:
    """Returns [K] factors in proportion to 1 / count within each group.

    Their mean is 1, so that a group's loss keeps its size: over the labels of the exclusive group, where a box has the
    weight of its one class; over the classes of the other groups, where each class has a loss on every box. A class
    without labels weighs as little as the most frequent one.

    Args:
        counts: [K] labelled persons of each class.
        labels: the classes and their groups.
    """
    weights = np.ones(len(labels))
    for name, columns in labels.groups.items():
        of_group = counts[list(columns)].astype(np.float64)
        if not of_group.any():
            continue
        inverse = 1 / np.where(of_group > 0, of_group, of_group.max())
        mean = (inverse * of_group).sum() / of_group.sum() if name == "pose" else inverse.mean()
        weights[list(columns)] = inverse / mean
    return weights
