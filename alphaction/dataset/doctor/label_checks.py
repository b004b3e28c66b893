"""The classes of a data set: duplicate ids and names, with the line where they stand."""

import re
from dataclasses import dataclass
from pathlib import Path

from alphaction.dataset.ava_files import AvaFiles
from alphaction.dataset.doctor.finding import Findings
from alphaction.structures.labels import LabelMap, load_label_map
from alphaction.utils.errors import DataError

_ID = re.compile(r"\b(?:label_)?id\s*:\s*(\d+)|^\s*(\d+)\s*[:,\s]\s*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes that are learned, and all that the label file has."""

    labels: LabelMap
    whole: LabelMap

    @property
    def known_ids(self) -> tuple[int, ...]:
        return self.whole.ids


def check_labels(name: str, files: AvaFiles, findings: Findings) -> Classes | None:
    """Returns the classes of a data set, or None (and a finding) when they cannot be used.

    Args:
        name: the data set file, which is to blame for wrong ``groups`` and ``keep_classes``.
        files: what it names.
        findings: where faults are noted.
    """
    try:
        whole = load_label_map(files.label_file, files.groups and "multilabel") if files.label_file else LabelMap.ava()
    except DataError as error:
        _report_unusable(files.label_file, error, findings)
        return None
    setting = "groups"
    try:
        if files.label_file and files.groups:
            whole = load_label_map(files.label_file, files.groups)
        setting = "keep_classes"
        labels = whole.subset(files.keep_classes) if files.keep_classes else whole
    except DataError as error:
        _note_setting(name, setting, str(error).removeprefix(f"{files.label_file}: "), findings)
        return None
    if files.label_file:
        _check_names(files.label_file, labels, findings)
    try:
        files.load_evaluated_ids(labels)
    except DataError as error:
        _add_error(files.labelmap_file, error, "Write only classes of the label file.", findings)
    return Classes(labels, whole)


def _note_setting(name: str, setting: str, problem: str, findings: Findings) -> None:
    problem = f"{setting}: {problem[0].lower()}{problem[1:]}".rstrip(".")
    findings.add("error", "labels-unusable", name, problem, f"Correct {setting} in the data set file.")


def _report_unusable(path: str, error: DataError, findings: Findings) -> None:
    twice = _repeated_id(path)
    if twice is None:
        _add_error(path, error, "Correct the label file.", findings)
        return
    class_id, rows = twice
    findings.add(
        "error",
        "label-id-twice",
        path,
        f"the id {class_id} is given to two classes",
        "Give each class an id of its own.",
        places=rows,
        count=1,
    )


def _repeated_id(path: str) -> tuple[str, list[str]] | None:
    """Returns the first id that is there twice and the rows of the second."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    seen: set[int] = set()
    for match in _ID.finditer(text):
        number = int(match[1] or match[2])
        if number in seen:
            place = match.start(1) if match[1] else match.start(2)
            return str(number), [f"row {text.count(chr(10), 0, place) + 1}"]
        seen.add(number)
    return None


def _check_names(path: str, labels: LabelMap, findings: Findings) -> None:
    first: dict[str, int] = {}
    for class_id, name in zip(labels.ids, labels.names, strict=True):
        key = " ".join(name.lower().split())
        if key in first:
            findings.add(
                "warning",
                "label-name-twice",
                path,
                f'the classes {first[key]} and {class_id} have the same name "{name}"',
                "Join them if they are one action, or rename one.",
                places=[f"id {class_id}"],
            )
        first.setdefault(key, class_id)


def _add_error(path: str, error: DataError, remedy: str, findings: Findings) -> None:
    problem = str(error).replace(f"the label file {path}", "it").removeprefix(f"{path}: ").removeprefix(path).strip()
    findings.add("error", "labels-unusable", path, problem.rstrip("."), remedy)
