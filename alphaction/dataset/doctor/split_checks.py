"""One half of a data set as a whole, and the halves beside each other."""

from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.doctor.box_checks import check_boxes, check_repeated
from alphaction.dataset.doctor.detection_checks import check_detections
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.person_checks import check_actions, check_persons
from alphaction.dataset.doctor.split import Split


def check_split(split: Split, max_persons: int, findings: Findings) -> None:
    """Notes what is wrong within one half, without looking at its videos."""
    truth, classes = split.truth, split.classes
    if truth is not None:
        if not len(truth.rows) and not truth.rows.frames_without_boxes and not truth.bad_lines:
            findings.add("error", "truth-empty", truth.path, "the file holds no row", "Label some key frames first.")
        check_boxes(truth, findings)
        check_repeated(truth, findings)
        if classes is not None:
            check_actions(truth, classes.labels, classes.known_ids, split.source.files.label_file, findings)
            check_persons(truth, classes.labels, max_persons, findings)
    if split.annotations is not None:
        check_boxes(split.annotations, findings)
        check_repeated(split.annotations, findings)
        if classes is not None:
            label_file = split.source.files.label_file
            check_actions(split.annotations, classes.labels, classes.known_ids, label_file, findings)
    if split.boxes is not None:
        check_boxes(split.boxes, findings)
        check_repeated(split.boxes, findings)
        if truth is not None and len(truth.rows):
            check_detections(truth, split.boxes, split.threshold, findings)
    if split.excluded is not None:
        _check_excluded(split.excluded, truth, findings)


def check_halves(splits: Sequence[Split], findings: Findings) -> None:
    """Notes what training and test halves share and should not, and classes that one of them misses."""
    train = [split for split in splits if split.source.role == "train" and split.truth is not None]
    test = [split for split in splits if split.source.role == "test" and split.truth is not None]
    for one, other in product(train, test):
        if one.truth is not None and other.truth is not None:
            if one.classes and other.classes and one.classes.labels != other.classes.labels:
                findings.add(
                    "error",
                    "labels-differ",
                    other.source.name,
                    f"its classes (ids, names, groups) are not those of {one.source.name}",
                    "Use one label_file, and the same groups and keep_classes, in both data set files.",
                )
            if Path(one.truth.path).resolve() == Path(other.truth.path).resolve():
                note_same_set(other.source.name, f"both read {other.truth.path}", findings)
            else:
                _check_shared(one.truth, other.truth, findings)
    for one, other in combinations(train, 2):
        if one.truth is not None and other.truth is not None:
            _check_joined(one.truth, other.truth, findings)
    if train and test:
        _check_class_rows(train, test, findings)


def note_same_set(name: str, why: str, findings: Findings) -> None:
    """Notes that a training is tested on what it was trained with."""
    problem = f"the test set is the training set: {why}"
    findings.add(
        "warning", "splits-same", name, problem, "Test on other videos: a score on what was trained says nothing."
    )


def count_labels(split: Split) -> NDArray[np.int64]:
    """Returns [classes] the number of labels of each class of the half."""
    if split.classes is None or split.truth is None:
        return np.zeros(0, np.int64)
    ids = np.array(split.classes.labels.ids)
    action = split.truth.rows.action[np.isin(split.truth.rows.action, ids)]
    return np.bincount(np.searchsorted(ids, action), minlength=len(ids))


def _check_excluded(excluded: FileRows, truth: FileRows | None, findings: Findings) -> None:
    keys = set(excluded.rows.frames_without_boxes)
    if not keys and not excluded.bad_lines:
        findings.add(
            "warning",
            "exclusions-empty",
            excluded.path,
            "the exclusion file holds no row",
            "Take exclusion_file out of the data set file if nothing is to be left out.",
        )
    if truth is None or not keys or not len(truth.rows):
        return
    labelled = truth.rows.frame_index()[0]
    num_left_out = sum(key in keys for key in labelled)
    if num_left_out == len(labelled):
        problem = f"all {len(labelled)} key frames of {truth.path} are excluded"
        findings.add("error", "exclusions-all", excluded.path, problem, "Correct the exclusion file.")
    elif not num_left_out:
        problem = f"none of its {len(keys)} key frames is in {truth.path}"
        findings.add("info", "exclusions-none", excluded.path, problem, "Compare the names of the videos.")


def _check_shared(train: FileRows, test: FileRows, findings: Findings) -> None:
    rows = _rows_also_in(train, test)
    findings.add_rows(
        "error",
        "splits-share-frames",
        test.path,
        rows,
        test.place,
        lambda row: f"the key frame {test.key(row)} is in {train.path} too",
        "Delete it from one of the two: a score on what was trained says nothing.",
    )
    shared = sorted(set(train.rows.videos) & set(test.rows.videos))
    if shared and not len(rows):
        first = int(np.argmax(test.rows.video == test.rows.videos.index(shared[0])))
        listed = ", ".join(f'"{name}"' for name in shared[:5]) + (
            f" and {len(shared) - 5} more" if len(shared) > 5 else ""
        )
        findings.add(
            "warning",
            "splits-share-videos",
            test.path,
            f"{len(shared)} of {len(test.rows.videos)} videos are in {train.path} too, at other times: {listed}",
            "Split by video where you can: the same people and place make the score look better than it is.",
            places=[test.place(first)],
        )


def _check_joined(one: FileRows, other: FileRows, findings: Findings) -> None:
    findings.add_rows(
        "error",
        "sets-share-frames",
        other.path,
        _rows_also_in(one, other),
        other.place,
        lambda row: f"the key frame {other.key(row)} is in {one.path} too, and both are for training",
        "Names of videos must differ between training sets.",
    )


def _rows_also_in(one: FileRows, other: FileRows) -> NDArray[np.int64]:
    """Returns the first row in ``other`` of each key frame that both have, in the order of its file."""
    known = set(one.rows.frame_index()[0])
    keys, frame = other.rows.frame_index()
    is_shared = np.array([key in known for key in keys], bool)
    first = np.unique(frame, return_index=True)[1]
    return np.sort(first[is_shared])


def _check_class_rows(train: Sequence[Split], test: Sequence[Split], findings: Findings) -> None:
    labels = next((split.classes.labels for split in train if split.classes), None)
    if labels is None:
        return
    for code, word, half, remedy in (
        (
            "class-untrained",
            "training",
            train,
            "Label some, or leave the class out (keep_classes): nothing teaches it.",
        ),
        ("class-untested", "test", test, "Label some: without a row its average precision is not defined."),
    ):
        counts = [count_labels(split) for split in half if split.classes and split.classes.labels == labels]
        empty = np.flatnonzero(np.sum(counts, axis=0) == 0).tolist() if counts else []
        if empty:
            listed = _listed([f"{labels.ids[i]} {labels.names[i]}" for i in empty], 8)
            verb = "has" if len(empty) == 1 else "have"
            problem = f"{len(empty)} of {len(labels)} classes {verb} no {word} row: {listed}"
            findings.add("warning", code, _files(half), problem, remedy)


def _files(half: Sequence[Split]) -> str:
    return " + ".join(split.truth.path for split in half if split.truth is not None)


def _listed(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
