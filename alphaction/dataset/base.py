"""What the loader, the engine and the evaluation ask of a dataset."""

from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from alphaction.structures.clip import ClipKey, ClipSample, Draw, SkippedClip
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError


class ClipDataset(Dataset[ClipSample | SkippedClip]):
    """Contract of a dataset of clips.

    All randomness of a sample comes from ``utils.seed.sample_generator(*draw)``, so that it does not depend on the
    worker, the process or the samples before. A clip that cannot be read gives, in test, a :class:`SkippedClip`,
    and in training a clip of another video, which lists it in ``ClipSample.skipped`` (a :class:`SkippedClip` again when
    no video can be read).

    Attributes:
        labels: the classes, in the order of the columns of scores and labels.
        evaluator: registered name of the evaluator that can score it.
    """

    labels: LabelMap
    evaluator: ClassVar[str]

    @classmethod
    def from_catalog(cls, entry: Any, cfg: Any, is_train: bool) -> "ClipDataset":
        """Returns the dataset of a catalog entry (name, dataset, arguments), with its transforms.

        Raises:
            DataError: a file or a row of it cannot be used.
        """
        raise NotImplementedError

    @classmethod
    def labels_of(cls, entry: Any) -> LabelMap:
        """Returns the classes of a catalog entry; opens its label file only.

        Raises:
            DataError: the entry or its label file cannot be used.
        """
        raise NotImplementedError

    @classmethod
    def count_labels(cls, entry: Any) -> NDArray[np.int64]:
        """Returns [K] the labelled boxes of each class of a catalog entry; opens its annotation file, no video.

        Reports say how many boxes a class was trained on; nothing else needs it.

        Raises:
            DataError: the file cannot be used, or the dataset does not count.
        """
        raise DataError(f"{cls.__name__} does not count its labels without its videos.")

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, item: int | Draw) -> ClipSample | SkippedClip:
        """Returns a sample; a plain index means ``Draw(0, 0, index)``."""
        raise NotImplementedError

    def key(self, index: int) -> ClipKey:
        """Returns which clip stands at ``index``."""
        raise NotImplementedError

    def size_group(self, index: int) -> Hashable:
        """Returns (height, width) of the clip's frames after resizing, without reading them."""
        raise NotImplementedError

    def label_counts(self) -> NDArray[np.int64]:
        """Returns [n, K] how many labelled persons of each clip have each class; reads no video.

        A dataset needs it for sampling and for loss weights by class, and for nothing else.

        Raises:
            DataError: the dataset has no labels.
        """
        raise DataError(
            f"{type(self).__name__} does not count its labels: DATALOADER.SAMPLING must be "
            '"uniform" and MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING "none" or "given".'
        )
