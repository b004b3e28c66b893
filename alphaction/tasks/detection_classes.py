"""The classes of a detection run: from the label files of its data sets into the config."""

import logging
from typing import Any

from alphaction.config.check import class_count_keys, loss_weight_advice
from alphaction.config.defaults import _C as DEFAULTS
from alphaction.config.load import flat_keys
from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.build import load_labels
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import ConfigError

logger = logging.getLogger(__name__)


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


def _counts(values: dict[str, int]) -> str:
    total, exclusive, *multilabel = values.values()
    return f"{total} ({exclusive} exclusive, {' + '.join(map(str, multilabel))} multi-label)"
