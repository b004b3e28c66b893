"""The table of dataset classes that a data set's ``dataset`` entry names."""

from alphaction.dataset.base import ClipDataset
from alphaction.utils.registry import Registry

DATASETS: Registry[type[ClipDataset]] = Registry("dataset class (the dataset entry of a data set)")
