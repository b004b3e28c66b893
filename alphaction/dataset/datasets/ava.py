"""AVA and data sets in its form: persons of key frames with actions, in movies cut to seconds or whole."""

import logging
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from alphaction.dataset.annotations import load_annotations
from alphaction.dataset.ava_files import AvaFiles, Selection, count_labels, select_key_frames
from alphaction.dataset.base import ClipDataset
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.clip_table import BoxTable, table_of_boxes, table_of_persons
from alphaction.dataset.frames import Pathways, Window
from alphaction.dataset.movies import Movies, check_times, open_movies
from alphaction.dataset.registry import DATASETS
from alphaction.dataset.sources import Source
from alphaction.dataset.transforms.build import ClipTransforms, build_transforms
from alphaction.dataset.video_file import VideoError
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey, ClipSample, DetectionTarget, Draw, Media, SkippedClip
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError
from alphaction.utils.seed import sample_generator

logger = logging.getLogger(__name__)

# So many clips are tried in place of one that cannot be read.
_MOST_TRIES = 20
# Annotations belong to frames of this shape, up to 2 % (rounding of small sizes).
_ASPECT_SLACK = 0.02


@DATASETS.register("AVAVideoDataset")
class AVAVideoDataset(ClipDataset):
    """Clips around key frames, with their persons and objects.

    Args:
        keys: the n clips.
        sources: where the frames of each video come from.
        sizes: (width, height) of the frames of each video, in pixels.
        persons: n clips' boxes, labelled in training, scored in test.
        objects: n clips' boxes with scores, or None.
        labels: the classes.
        pathways: which frames of a window are read.
        window: where the window lies.
        transforms: changes of frames and boxes.
        is_train: draw the following clip for one that cannot be read.
        ground_truth_file: what the evaluation reads.
        evaluated_ids: classes to evaluate, or None for all.
        excluded: key frames that are not evaluated.
    """

    evaluator: ClassVar[str] = "ava"

    def __init__(
        self,
        *,
        keys: Sequence[ClipKey],
        sources: dict[str, Source],
        sizes: dict[str, tuple[int, int]],
        persons: BoxTable,
        objects: BoxTable | None,
        labels: LabelMap,
        pathways: Pathways,
        window: Window,
        transforms: ClipTransforms,
        is_train: bool,
        ground_truth_file: str = "",
        evaluated_ids: tuple[int, ...] | None = None,
        excluded: set[ClipKey] | None = None,
    ) -> None:
        self.labels = labels
        self.evaluated_ids = evaluated_ids
        self.excluded = excluded or set()
        self._videos = tuple(sources)
        place = {video: position for position, video in enumerate(self._videos)}
        self._video = np.array([place[key.video] for key in keys], np.int32)
        self._timestamp_ms = np.array([key.timestamp_ms for key in keys], np.int64)
        self.sources, self.sizes = sources, sizes
        self.persons, self.objects = persons, objects
        self.pathways, self.window, self.transforms = pathways, window, transforms
        self._is_train = is_train
        self._ground_truth_file = ground_truth_file

    @classmethod
    def from_catalog(cls, entry: Any, cfg: Any, is_train: bool) -> "AVAVideoDataset":
        files = AvaFiles.from_arguments(entry.name, entry.arguments)
        labels = files.load_labels()
        interaction = cfg.MODEL.IA_STRUCTURE
        with_objects = interaction.ACTIVE and "O" in str(interaction.I_BLOCK_LIST)
        chosen = select_key_frames(files, labels, is_train, BoxThreshold.from_cfg(cfg), with_objects)
        movies = open_movies(files.video_root, chosen.keys, chosen.known_sizes(), cfg.DATALOADER.MAX_BAD_VIDEOS)
        keys = [key for key in chosen.keys if key.video in movies.sources]
        chosen.dropped["key frames of unreadable videos"] = len(chosen.keys) - len(keys)
        check_times(files.annotation_file, keys, movies.sources, chosen.where)
        _report(entry.name, keys, chosen, movies)
        has_labels = is_train or not files.box_file
        if has_labels and not is_train:
            logger.warning(
                "%s has no box_file: the test uses the labelled boxes, so that the mAP is higher than a detector's "
                "boxes would give.",
                entry.name,
            )
        if with_objects and not files.object_file:
            logger.warning("%s has no object_file: the O blocks of the model see no objects.", entry.name)
        persons = _table_of_persons(chosen, keys, labels, is_train)
        if is_train:
            _warn_of_nothing_to_tell_apart(entry.name, labels, persons)
            if cfg.INPUT.FLIP_PROB > 0:
                _warn_of_sides(labels)
        return cls(
            keys=keys,
            sources=movies.sources,
            sizes=movies.sizes,
            persons=persons,
            objects=None if chosen.objects is None else table_of_boxes(chosen.objects, keys, interaction.MAX_OBJECT),
            labels=labels,
            pathways=Pathways(
                frame_num=cfg.INPUT.FRAME_NUM,
                tau=cfg.INPUT.TAU,
                alpha=cfg.INPUT.ALPHA,
                slow_jitter=is_train and cfg.INPUT.SLOW_JITTER,
                shuffle=not is_train and cfg.TEST.SHUFFLE_FRAMES,
            ),
            window=Window(cfg.INPUT.FRAME_NUM, cfg.INPUT.FRAME_SAMPLE_RATE, cfg.INPUT.FPS),
            transforms=build_transforms(cfg, is_train),
            is_train=is_train,
            ground_truth_file=files.ground_truth_file,
            evaluated_ids=None if is_train else files.load_evaluated_ids(labels),
            excluded=chosen.excluded,
        )

    @classmethod
    def labels_of(cls, entry: Any) -> LabelMap:
        return AvaFiles.from_arguments(entry.name, entry.arguments).load_labels()

    @classmethod
    def count_labels(cls, entry: Any) -> NDArray[np.int64]:
        return count_labels(AvaFiles.from_arguments(entry.name, entry.arguments))

    def __len__(self) -> int:
        return len(self._video)

    def __getitem__(self, item: int | Draw) -> ClipSample | SkippedClip:
        draw = item if isinstance(item, Draw) else Draw(0, 0, int(item))
        if not 0 <= draw.index < len(self):
            raise IndexError(f"Clip {draw.index} of {len(self)}.")
        skipped: list[SkippedClip] = []
        index: int | None = draw.index
        tried: list[int] = []
        while index is not None:
            try:
                return self._load(index, sample_generator(draw.seed, draw.epoch, index), tuple(skipped))
            except VideoError as error:
                skipped.append(SkippedClip(self.key(index), str(error)))
            tried.append(index)
            index = self._stand_in(tried) if self._is_train and len(tried) < _MOST_TRIES else None
        return skipped[-1]

    def _stand_in(self, tried: Sequence[int]) -> int | None:
        """Returns the next clip of a video that was not tried yet, else the next clip that was not, else None."""
        order = np.roll(np.arange(len(self)), -tried[0])
        of_others = order[~np.isin(self._video[order], self._video[list(tried)])]
        untried = of_others if len(of_others) else order[~np.isin(order, tried)]
        return int(untried[0]) if len(untried) else None

    def key(self, index: int) -> ClipKey:
        return ClipKey(self._videos[self._video[index]], int(self._timestamp_ms[index]))

    def size_group(self, index: int) -> Hashable:
        width, height = self.transforms.resize.size(self.sizes[self.key(index).video])
        return height, width

    def label_counts(self) -> NDArray[np.int64]:
        return self.persons.label_counts()

    def ground_truth(self) -> AvaRows:
        """Returns the labelled boxes that the evaluation compares with; reads the file.

        Raises:
            DataError: the file cannot be used.
        """
        return load_annotations(self._ground_truth_file).rows

    def _load(self, index: int, rng: np.random.Generator, skipped: tuple[SkippedClip, ...]) -> ClipSample:
        key = self.key(index)
        plan = self.pathways.plan(rng)
        decoded = self.sources[key.video].read(key.timestamp_ms, plan.positions, self.window)
        height, width = decoded.frames[0].shape[:2]
        self._check_aspect(key, (width, height))
        boxes = [table.boxes(index, (width, height)) for table in (self.persons, self.objects) if table is not None]
        frames, (persons, *objects) = self.transforms(decoded.frames, tuple(boxes), rng)
        media = Media(
            frames=torch.from_numpy(frames),
            slow_index=torch.from_numpy(decoded.index[plan.slow_index]),
            fast_index=torch.from_numpy(decoded.index[plan.fast_index]),
            valid_size=torch.tensor(frames.shape[1:3]),
        )
        target = DetectionTarget(persons, (width, height), objects[0] if objects else None)
        return ClipSample(key, media, target, skipped)

    def _check_aspect(self, key: ClipKey, size: tuple[int, int]) -> None:
        expected = self.sizes[key.video]
        if abs(size[0] * expected[1] / (size[1] * expected[0]) - 1) > _ASPECT_SLACK:
            raise VideoError(
                str(key), f"its frames are {size[0]} x {size[1]}, its annotations say {expected[0]} x {expected[1]}"
            )


def _table_of_persons(chosen: Selection, keys: Sequence[ClipKey], labels: LabelMap, is_train: bool) -> BoxTable:
    """Returns labelled persons for training, else the boxes with their scores (1 for labelled ones)."""
    if not is_train and (chosen.persons.action < 0).all():
        return table_of_boxes(chosen.persons, keys)
    table, num_shared = table_of_persons(chosen.persons, keys, labels.column_of())
    if num_shared:
        logger.warning(
            "%d times one person id has two boxes apart from each other in a key frame of %s; they are taken as two "
            "persons.",
            num_shared,
            chosen.annotations.path,
        )
    return table if is_train else BoxTable(table.start, table.xyxy, table.score)


def _report(name: str, keys: Sequence[ClipKey], chosen: Selection, movies: Movies) -> None:
    dropped = ", ".join(f"{count} {reason}" for reason, count in Counter(chosen.dropped).items() if count)
    if not keys:
        raise DataError(
            f"The data set {name} ({chosen.annotations.path}) has no clip. Left out: {dropped or 'nothing'}; "
            f"the annotation file has {len(chosen.annotations.rows)} labels. "
            "If a detector's boxes were left out for their scores, lower the threshold that is named."
        )
    logger.info("%s: %d clips of %d videos. Left out: %s.", name, len(keys), len(movies.sources), dropped or "nothing")


def _warn_of_nothing_to_tell_apart(name: str, labels: LabelMap, persons: BoxTable) -> None:
    """Warns of classes that a model learns to give to everybody, because it sees nobody without them."""
    counts = persons.label_counts().sum(axis=0)
    by_all = [labels.names[column] for column in labels.groups.multilabel if counts[column] == len(persons.xyxy)]
    if by_all:
        logger.warning(
            "%s: all %d persons do %s, so that a model learns to say it of everybody. Label persons who do not, with "
            "another class.",
            *(name, len(persons.xyxy), ", ".join(by_all)),
        )
    if len(labels.groups.pose) == 1:
        logger.warning(
            '%s: "%s" is the only exclusive class, so that everybody has it with score 1; use groups: multilabel.',
            *(name, labels.names[labels.groups.pose[0]]),
        )


def _warn_of_sides(labels: LabelMap) -> None:
    sided = [name for name in labels.names if re.search(r"\b(left|right)\b", name.replace("_", " "), re.IGNORECASE)]
    if sided:
        logger.warning(
            "Clips are mirrored (INPUT.FLIP_PROB) but labels are not swapped, and these classes tell left from "
            "right: %s. Set INPUT.FLIP_PROB 0.",
            ", ".join(sided),
        )
