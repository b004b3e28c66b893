"""The files of an AVA-style data set, read and sorted out: which key frames, with which boxes."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.annotations import Annotations, load_annotations, load_boxes_json
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.structures.ava_csv import NO_ACTION, AvaRows, load_exclusions, load_person_boxes_csv
from alphaction.structures.clip import ClipKey
from alphaction.structures.labels import LabelMap, load_label_map
from alphaction.utils.errors import DataError
from alphaction.utils.registry import nearest

logger = logging.getLogger(__name__)

_PERSON_CATEGORY = 1


@dataclass(frozen=True, slots=True)
class AvaFiles:
    """What a data set's catalog entry or YAML file gives; an empty text is a file that is not given.

    Attributes:
        video_root: folder of the movies: ``<movie>/<second>.mp4``, or ``<movie>.<any>``.
        ann_file: AlphAction's JSON annotations, or an AVA CSV; without it ``csv_gt_file`` is used.
        csv_gt_file: AVA CSV of the ground truth; the evaluation prefers it to ``ann_file``.
        box_file: person boxes of a detector, used in test: JSON or AVA's predicted CSV.
        object_file: boxes of objects with scores, JSON beside a JSON ``ann_file``, or AVA's predicted CSV form.
        label_file: the classes; without it AVA's 80.
        labelmap_file: the classes that are evaluated; without it all.
        exclusion_file: key frames to leave out, AVA CSV.
        groups: loss groups, see ``structures.labels.load_label_map``.
        keep_classes: ids of the classes to learn; without it all. Where some of them are multi-label, persons without
            one of them stay: they show what it looks like when the class is absent.
        box_thresh: score that a box of ``box_file`` needs, see ``box_threshold``.
    """

    video_root: str = ""
    ann_file: str = ""
    csv_gt_file: str = ""
    box_file: str = ""
    object_file: str = ""
    label_file: str = ""
    labelmap_file: str = ""
    exclusion_file: str = ""
    groups: str | Mapping[str, Sequence[int]] | None = None
    keep_classes: Sequence[int] = ()
    box_thresh: float | None = None

    @classmethod
    def from_arguments(cls, name: str, arguments: Mapping[str, Any]) -> "AvaFiles":
        """Returns the entry's files.

        Raises:
            DataError: an argument is unknown, or one that is needed is missing.
        """
        known = {entry.name for entry in fields(cls)}
        for key in arguments:
            if key not in known:
                raise DataError(f'Data set "{name}": unknown entry "{key}"; {nearest(key, known)}')
        given = {key: value for key, value in arguments.items() if value or key == "box_thresh"}
        files = cls(**given)
        _check_types(name, files)
        if not files.video_root:
            raise DataError(f'Data set "{name}" needs video_root, the folder of its videos.')
        if not files.ann_file and not files.csv_gt_file:
            raise DataError(f'Data set "{name}" needs ann_file (JSON) or csv_gt_file (AVA CSV), its annotations.')
        return files

    @property
    def annotation_file(self) -> str:
        """The file the samples come from."""
        return self.ann_file or self.csv_gt_file

    @property
    def ground_truth_file(self) -> str:
        """The file the evaluation reads."""
        return self.csv_gt_file or self.ann_file

    def load_labels(self) -> LabelMap:
        """Returns the classes of the model.

        Raises:
            DataError: the label file cannot be used, or ``keep_classes`` names a class it has not.
        """
        labels = load_label_map(self.label_file, self.groups) if self.label_file else LabelMap.ava()
        return labels.subset(self.keep_classes) if self.keep_classes else labels

    def load_evaluated_ids(self, labels: LabelMap) -> tuple[int, ...] | None:
        """Returns the ids of the classes to evaluate, or None for all.

        Raises:
            DataError: the file cannot be used, or the model has not one of its classes.
        """
        if not self.labelmap_file:
            return None
        ids = load_label_map(self.labelmap_file, "multilabel").ids
        unknown = sorted(set(ids) - set(labels.ids))
        if unknown and not self.keep_classes:
            raise DataError(f"{self.labelmap_file} evaluates the class ids {unknown}, which the model does not have.")
        return tuple(class_id for class_id in ids if class_id in set(labels.ids))


def _check_types(name: str, files: AvaFiles) -> None:
    def is_ids(value: Any) -> bool:
        return isinstance(value, list | tuple) and all(type(item) is int for item in value)

    if not is_ids(files.keep_classes):
        raise DataError(f'Data set "{name}": keep_classes is {files.keep_classes!r}; it takes a list of class ids.')
    thresh = files.box_thresh
    if thresh is not None and (type(thresh) not in (int, float) or not 0 <= thresh <= 1):
        raise DataError(f'Data set "{name}": box_thresh is {thresh!r}; it takes a score from 0 to 1.')
    groups = files.groups
    is_known = groups is None or groups in ("exclusive", "multilabel")
    are_lists = isinstance(groups, Mapping) and all(is_ids(ids) for ids in groups.values())
    if not is_known and not are_lists:
        raise DataError(
            f'Data set "{name}": groups is {groups!r}; it takes "exclusive", "multilabel", or lists of class ids by '
            "group name (pose, object, person)."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The key frames of a data set, and the boxes that its samples hold.

    Attributes:
        annotations: the labelled persons.
        persons: rows of the persons: the labelled ones of known classes, or a detector's.
        objects: rows of the objects, or None.
        keys: the key frames with a person, by video and time.
        excluded: key frames of the exclusion file.
        dropped: how many of what was left out, by reason.
    """

    annotations: Annotations
    persons: AvaRows
    objects: AvaRows | None
    keys: list[ClipKey]
    excluded: set[ClipKey]
    dropped: Counter[str] = field(default_factory=Counter)

    def where(self, key: ClipKey) -> str:
        """Returns the first place of a key frame in the annotation file, in words."""
        rows = self.annotations.rows
        if key.video in rows.videos:
            is_here = (rows.video == rows.videos.index(key.video)) & (rows.timestamp_ms == key.timestamp_ms)
            if is_here.any():
                return f"{self.annotations.where(int(np.argmax(is_here)))}, {key}"
        return str(key)

    def known_sizes(self) -> dict[str, tuple[int, int]]:
        """Returns the frame sizes (width, height) that the annotation file gives, by video."""
        images = self.annotations.images
        if images is None:
            return {}
        pairs = zip(images.keys, images.sizes.tolist(), strict=True)
        return {key.video: (width, height) for key, (width, height) in pairs}


def select_key_frames(
    files: AvaFiles, labels: LabelMap, is_train: bool, threshold: BoxThreshold, with_objects: bool
) -> Selection:
    """Reads the files and returns the key frames with a person in them.

    Training and tests without ``box_file`` take the labelled persons, other tests a detector's boxes.

    Args:
        files: the data set.
        labels: the classes of the model.
        is_train: training or test.
        threshold: of a detector's boxes.
        with_objects: read the objects.

    Raises:
        DataError: a file cannot be used, or an annotation has an unknown class.
    """
    annotations = load_annotations(files.annotation_file)
    dropped: Counter[str] = Counter({"persons without an action": annotations.num_without_action})
    persons = _rows_of_known_classes(annotations, files, labels, dropped)
    known: Sequence[ClipKey] = annotations.rows.keyframes
    if not is_train and files.box_file:
        persons, known = _detected_persons(annotations, files, threshold, dropped)
    excluded = load_exclusions(files.exclusion_file) if files.exclusion_file else set()
    with_person = persons.frame_index()[0]
    dropped["key frames without a person"] = len(set(known) - set(with_person))
    keys = [key for key in with_person if key not in excluded]
    dropped["excluded key frames"] = len(with_person) - len(keys)
    objects = _load_objects(annotations, files.object_file) if with_objects and files.object_file else None
    return Selection(annotations, persons, objects, keys, excluded, dropped)


def count_labels(files: AvaFiles) -> NDArray[np.int64]:
    """Returns [K] the labels of each class outside excluded key frames; opens no video.

    Raises:
        DataError: a file cannot be used.
    """
    rows = load_annotations(files.ground_truth_file).rows
    if files.exclusion_file:
        keys, frame = rows.frame_index()
        excluded = load_exclusions(files.exclusion_file)
        rows = rows.select(~np.array([key in excluded for key in keys], bool)[frame])
    ids = np.array(files.load_labels().ids)
    return np.bincount(np.searchsorted(ids, rows.action[np.isin(rows.action, ids)]), minlength=len(ids))


def _rows_of_known_classes(
    annotations: Annotations, files: AvaFiles, labels: LabelMap, dropped: Counter[str]
) -> AvaRows:
    rows = annotations.rows
    is_known = is_kept = np.isin(rows.action, labels.ids)
    if is_known.all():
        return rows
    if files.keep_classes:
        all_labels = load_label_map(files.label_file, files.groups) if files.label_file else LabelMap.ava()
        is_known = np.isin(rows.action, all_labels.ids)
        dropped["labels of classes not in keep_classes"] = int((~is_kept & is_known).sum())
    if not is_known.all():
        first = int(np.argmin(is_known))
        raise DataError(
            f"{annotations.path}, {annotations.where(first)}: class id {rows.action[first]} is not one of the "
            f"{len(labels)} classes of {files.label_file or 'AVA (no label_file is given)'}: {_first_classes(labels)}."
        )
    if labels.groups.multilabel:
        return replace(rows, action=np.where(is_kept, rows.action, NO_ACTION))
    return rows.select(is_kept)


def _first_classes(labels: LabelMap) -> str:
    shown = [f"{class_id} {name}" for class_id, name in zip(labels.ids[:5], labels.names, strict=False)]
    return ", ".join(shown) + (", ..." if len(labels) > 5 else "")


def _detected_persons(
    annotations: Annotations, files: AvaFiles, threshold: BoxThreshold, dropped: Counter[str]
) -> tuple[AvaRows, Sequence[ClipKey]]:
    """Returns the rows of good boxes, and all key frames of which the test set consists."""
    path = files.box_file
    if path.lower().endswith((".json", ".json.gz")):
        if annotations.images is None:
            raise DataError(f"{path} names images by id; that needs ann_file, the JSON with these images.")
        boxes, num_others = load_boxes_json(path, annotations.images, _PERSON_CATEGORY)
        dropped["boxes of other images or categories"] = num_others
        known: Sequence[ClipKey] = annotations.images.keys
    else:
        boxes = load_person_boxes_csv(path)
        known = annotations.images.keys if annotations.images is not None else _annotated_part(annotations, boxes)
        num_boxes, boxes = len(boxes), _rows_at(boxes, known)
        dropped["person boxes outside the annotated part of their video"] = num_boxes - len(boxes)
    needed = threshold.in_force(files.box_thresh)
    if needed.why:
        logger.info("%s: a box needs a score of %g, %s.", path, needed.score, needed.why)
    is_good = boxes.score >= needed.score
    dropped[f"person boxes of a score below {needed.source} {needed.score:g}"] = int((~is_good).sum())
    return boxes.select(is_good), known


def _annotated_part(annotations: Annotations, boxes: AvaRows) -> list[ClipKey]:
    """Returns the annotated key frames, and those with boxes from the first to the last annotated one of a video.

    A file of boxes may be about a whole video of which a part is for training.
    """
    annotated = annotations.rows.keyframes
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for video, time in annotated:
        first[video] = min(first.get(video, time), time)
        last[video] = max(last.get(video, time), time)
    between = [key for key in boxes.keyframes if first.get(key[0], 1) <= key[1] <= last.get(key[0], 0)]
    return list(dict.fromkeys([*annotated, *between]))


def _rows_at(rows: AvaRows, keys: Sequence[ClipKey]) -> AvaRows:
    wanted = set(keys)
    frames, frame_of_row = rows.frame_index()
    return rows.select(np.array([frame in wanted for frame in frames], bool)[frame_of_row]) if frames else rows


def _load_objects(annotations: Annotations, path: str) -> AvaRows:
    if not path.lower().endswith((".json", ".json.gz")):
        return load_person_boxes_csv(path)
    if annotations.images is None:
        raise DataError(
            f"{path} names images by id; that needs ann_file, the JSON with these images. Beside a CSV, give the "
            "objects as a CSV too: video,second,x1,y1,x2,y2,,score."
        )
    return load_boxes_json(path, annotations.images)[0]
