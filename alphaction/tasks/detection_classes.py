"""The classes of a detection run: from the label files of its data sets into the config and the model."""

import logging
from collections.abc import Sequence
from typing import Any

from torch import nn

from alphaction.config.check import class_count_keys, loss_weight_advice
from alphaction.config.defaults import _C as DEFAULTS
from alphaction.config.load import flat_keys
from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.build import load_labels
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import ConfigError

logger = logging.getLogger(__name__)

_CLASSIFIER = "roi_heads.action.predictor.cls_score."


def shared_labels(cfg: Any) -> LabelMap:
    """Returns the classes of every data set of the config; AVA's when it names none.

    Raises:
        ConfigError: the data sets have different classes.
    """
    names = dict.fromkeys((*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST))
    by_name = {name: load_labels(DatasetCatalog.get(name)) for name in names}
    if not by_name:
        return LabelMap.ava()
    (first, labels), *others = by_name.items()
    for name, other in others:
        if other != labels:
            raise ConfigError(
                f'The data sets "{first}" and "{name}" have different classes or groups '
                f"({len(labels)} and {len(other)} classes); give both the same label_file, groups and keep_classes."
            )
    return labels


def with_class_counts(cfg: Any) -> Any:
    """Returns the config with the class counts of the data sets' label files.

    Raises:
        ConfigError: the data sets have different classes, or the NUM_* keys were set to something else.
    """
    labels = shared_labels(cfg)
    found = dict(zip(class_count_keys(), (len(labels), *labels.groups.counts), strict=True))
    values, defaults = flat_keys(cfg), flat_keys(DEFAULTS)
    given = {key: values[key] for key in found}
    if given == found:
        return cfg
    if any(given[key] != defaults[key] for key in found):
        raise ConfigError(
            f"The class counts {_counts(given)} disagree with the label file of the data, which has "
            f"{_counts(found)}. Leave the four NUM_*_CLASSES keys out: the label file sets them."
        )
    resolved = cfg.clone()
    resolved.merge_from_list([item for pair in found.items() for item in pair])
    logger.info("Classes from the label file: %s.", _counts(found))
    for advice in loss_weight_advice(resolved):
        logger.warning("%s", advice)
    return resolved


def require_same_classes(labels: LabelMap, ids: Sequence[int], names: Sequence[str]) -> None:
    """Raises what to do where the classes of a checkpoint are not ``labels``.

    Raises:
        ConfigError: an id or a name differs.
    """
    saved, current = dict(zip(ids, names, strict=True)), dict(zip(labels.ids, labels.names, strict=True))
    if saved != current:
        differing = {i: (saved.get(i), current.get(i)) for i in saved | current if saved.get(i) != current.get(i)}
        raise ConfigError(
            "The checkpoint was trained on other classes than the label file has; id: (checkpoint, label file) "
            f"{differing}. Use the label file of that run, or start anew from it: --transfer takes over the head's "
            "rows of the classes that have the same name, --transfer --no-head trains a new head."
        )


def class_rows(model: nn.Module) -> tuple[str, ...]:
    """Returns the keys of the model's tensors with one row a class."""
    return tuple(key for key in model.state_dict() if key.startswith(_CLASSIFIER))


def _counts(values: dict[str, int]) -> str:
    total, exclusive, *multilabel = values.values()
    return f"{total} ({exclusive} exclusive, {' + '.join(map(str, multilabel))} multi-label)"
