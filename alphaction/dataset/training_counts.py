"""How many labelled boxes of each class the model learns, or has learnt, from."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.base import ClipDataset
from alphaction.dataset.build import load_labels
from alphaction.dataset.registry import DATASETS
from alphaction.structures.labels import LabelMap
from alphaction.utils.comm import is_main_process
from alphaction.utils.errors import UserError

logger = logging.getLogger(__name__)


def count_training_boxes(cfg: Any, labels: LabelMap, training_set: ClipDataset | None) -> NDArray[np.int64] | None:
    """Returns [K] the labelled boxes of each class in the sets of DATASETS.TRAIN, None when they cannot be counted.

    Args:
        cfg: names the training sets.
        labels: the classes.
        training_set: the training sets where they are open; else their annotation files are read, by the main process
            alone, which writes the report.
    """
    try:
        if training_set is not None:
            return training_set.label_counts().sum(axis=0)
        if not cfg.DATASETS.TRAIN or not is_main_process():
            return None
        return np.sum([_count(name, labels) for name in cfg.DATASETS.TRAIN], axis=0)
    except UserError as error:
        logger.info("The report will not say how many training boxes each class has: %s", error)
        return None


def _count(name: str, labels: LabelMap) -> NDArray[np.int64]:
    entry = DatasetCatalog.get(name)
    counts = DATASETS.get(entry.dataset).count_labels(entry)
    column = load_labels(entry).column_of()
    return np.array([counts[column[i]] if i in column else 0 for i in labels.ids], np.int64)
