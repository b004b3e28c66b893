"""From a data set's name to batches: dataset, sampler, workers, collation."""

import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

import alphaction.dataset.datasets
from alphaction.config.paths_catalog import DatasetCatalog, DatasetEntry
from alphaction.dataset.base import ClipDataset
from alphaction.dataset.class_balance import clip_shares
from alphaction.dataset.collate import ClipCollator
from alphaction.dataset.loader import ClipLoader
from alphaction.dataset.registry import DATASETS
from alphaction.dataset.samplers import TestBatchSampler, TrainBatchSampler
from alphaction.structures.clip import ClipKey, ClipSample, Draw, SkippedClip
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError
from alphaction.utils.logger import format_table
from alphaction.utils.registry import import_submodules

logger = logging.getLogger(__name__)

import_submodules(alphaction.dataset.datasets)


def build_dataset(cfg: Any, name: str, is_train: bool) -> ClipDataset:
    """Returns the dataset of a catalog name or YAML file, with the transforms of training or test.

    Raises:
        UserError: the name, a file or a row cannot be used.
    """
    entry = DatasetCatalog.get(name)
    return DATASETS.get(entry.dataset).from_catalog(entry, cfg, is_train)


def load_labels(entry: DatasetEntry) -> LabelMap:
    """Returns the classes of a catalog entry; opens its label file only.

    Raises:
        UserError: the dataset class is unknown, or the label file cannot be used.
    """
    return DATASETS.get(entry.dataset).labels_of(entry)


class ConcatenatedClips(ClipDataset):
    """Several datasets with the same classes, one after the other."""

    def __init__(self, datasets: Sequence[ClipDataset]) -> None:
        self.labels = datasets[0].labels
        self._datasets = tuple(datasets)
        self._ends = np.cumsum([len(dataset) for dataset in datasets])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, item: int | Draw) -> ClipSample | SkippedClip:
        draw = item if isinstance(item, Draw) else Draw(0, 0, int(item))
        dataset, index = self._find(draw.index)
        return dataset[Draw(draw.seed, draw.epoch, index)]

    def key(self, index: int) -> ClipKey:
        dataset, inner = self._find(index)
        return dataset.key(inner)

    def size_group(self, index: int) -> Hashable:
        dataset, inner = self._find(index)
        return dataset.size_group(inner)

    def label_counts(self) -> NDArray[np.int64]:
        return np.concatenate([dataset.label_counts() for dataset in self._datasets])

    def _find(self, index: int) -> tuple[ClipDataset, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"Clip {index} of {len(self)}.")
        place = int(np.searchsorted(self._ends, index, side="right"))
        return self._datasets[place], index - int(self._ends[place] - len(self._datasets[place]))


def concat_datasets(datasets: Sequence[ClipDataset]) -> ClipDataset:
    """Returns the datasets as one; a single one is given back as it is.

    Raises:
        DataError: their classes differ, or a clip is in two of them.
    """
    if len(datasets) == 1:
        return datasets[0]
    for position, dataset in enumerate(datasets[1:], start=2):
        if dataset.labels != datasets[0].labels:
            raise DataError(
                f"Training set {position} has the classes {list(dataset.labels.ids)}, the first has "
                f"{list(datasets[0].labels.ids)}; ids, names and groups of all DATASETS.TRAIN must be the same."
            )
    keys = Counter(dataset.key(index) for dataset in datasets for index in range(len(dataset)))
    twice = [str(key) for key, count in keys.items() if count > 1]
    if twice:
        raise DataError(
            f"{len(twice)} clips are in more than one of DATASETS.TRAIN, such as {', '.join(twice[:5])}; "
            "video names must differ between data sets."
        )
    return ConcatenatedClips(datasets)


def make_data_loader(
    dataset: ClipDataset,
    cfg: Any,
    *,
    is_train: bool,
    seed: int,
    start_iter: int = 0,
    num_iterations: int | None = None,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> DataLoader:
    """Returns a loader of ``ClipBatch``.

    Args:
        dataset: where the clips come from.
        cfg: sizes of batches, workers, padding.
        is_train: endless shuffled batches of SOLVER.VIDEOS_PER_BATCH clips over all processes, or each clip once
            in batches of TEST.VIDEOS_PER_BATCH.
        seed: seed of the run; with the epoch and the clip it decides all randomness.
        start_iter: first training iteration.
        num_iterations: training iteration to stop before, or None.
        rank: this process.
        world_size: number of processes.
        pin_memory: for transfers to an accelerator.

    Raises:
        UserError: batches cannot be shared by the processes.
    """
    sampler: TrainBatchSampler | TestBatchSampler
    sizes = [dataset.size_group(index) for index in range(len(dataset))]
    if is_train:
        _log_classes(dataset, cfg)
        sampler = TrainBatchSampler(
            num_clips=len(dataset),
            clips_per_batch=cfg.SOLVER.VIDEOS_PER_BATCH,
            seed=seed,
            groups=_portrait_or_landscape(sizes) if cfg.DATALOADER.ASPECT_RATIO_GROUPING else None,
            shares=training_shares(dataset, cfg),
            start_iter=start_iter,
            num_iterations=num_iterations,
            rank=rank,
            world_size=world_size,
        )
    else:
        clips_per_batch = max(1, cfg.TEST.VIDEOS_PER_BATCH // world_size)
        sampler = TestBatchSampler(size_groups=sizes, clips_per_batch=clips_per_batch, rank=rank, world_size=world_size)
    return ClipLoader(
        dataset,
        batch_sampler=sampler,
        collate=ClipCollator(cfg.DATALOADER.SIZE_DIVISIBILITY),
        num_workers=cfg.DATALOADER.NUM_WORKERS,
        timeout=cfg.DATALOADER.TIMEOUT,
        start_method=cfg.DATALOADER.START_METHOD,
        pin_memory=pin_memory,
        keeps_workers=not is_train,  # training asks for one iterator only
    )


def training_shares(dataset: ClipDataset, cfg: Any) -> NDArray[np.float64] | None:
    """Returns [n] how often each clip is drawn in training, in proportion; None for each once an epoch.

    Raises:
        ConfigError: no clip has a label to go by.
    """
    sampling = cfg.DATALOADER.SAMPLING
    if sampling == "uniform":
        return None
    return clip_shares(sampling, cfg.DATALOADER.REPEAT_THRESHOLD, dataset.label_counts() > 0)


def _log_classes(dataset: ClipDataset, cfg: Any) -> None:
    """Says how often the training set has each class, and how often it will be seen; nothing if it cannot say."""
    try:
        counts = dataset.label_counts()
    except DataError:
        return
    shares = training_shares(dataset, cfg)
    draws = np.ones(len(dataset)) if shares is None else shares * len(dataset) / shares.sum()
    rows = zip(
        dataset.labels.ids,
        dataset.labels.names,
        counts.sum(axis=0).tolist(),
        (counts > 0).sum(axis=0).tolist(),
        [round(seen, 1) for seen in (draws @ (counts > 0)).tolist()],
        strict=True,
    )
    header = ("id", "class", "persons", "clips", "clips an epoch")
    logger.info('Training classes (sampling "%s"):\n%s', cfg.DATALOADER.SAMPLING, format_table(header, list(rows)))
    seen = (counts > 0).mean(axis=0)
    rarest = seen[seen > 0].min(initial=1.0)
    if cfg.DATALOADER.SAMPLING == "repeat_factor" and rarest >= cfg.DATALOADER.REPEAT_THRESHOLD:
        logger.warning(
            'DATALOADER.SAMPLING "repeat_factor" has no effect: the rarest class is in %.3g of the clips, and only '
            "classes in less than DATALOADER.REPEAT_THRESHOLD %g of them are shown more often. Raise it, say to 0.5.",
            *(rarest, cfg.DATALOADER.REPEAT_THRESHOLD),
        )
    if num_never := int((draws == 0).sum()):
        logger.warning(
            'DATALOADER.SAMPLING "%s" never draws %d of the %d clips, which show none of the classes: the model learns '
            "from them what it looks like when nobody does any of them only with another sampling.",
            *(cfg.DATALOADER.SAMPLING, num_never, len(dataset)),
        )


def _portrait_or_landscape(sizes: Sequence[Any]) -> list[int]:
    return [int(height > width) for height, width in sizes]
