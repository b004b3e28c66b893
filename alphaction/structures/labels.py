"""The classes of a data set: their ids, names, columns and groups, read from its label file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alphaction.utils.errors import DataError

# AVA's label types, in the order of the loss groups: one posture per person, then two multi-label groups.
GROUP_NAMES = ("pose", "object", "person")
_GROUP_OF_TYPE = {
    "PERSON_MOVEMENT": "pose",
    "OBJECT_MANIPULATION": "object",
    "PERSON_INTERACTION": "person",
}
# A block; braces within a quoted name are part of it.
_BLOCK = r"\b(?:item|label)\s*\{((?:\"[^\"\n]*\"|'[^'\n]*'|[^}\"'])*)\}"


@dataclass(frozen=True, slots=True)
class ClassGroups:
    """Columns of each loss group: ``pose`` is exclusive (softmax), ``object`` and ``person`` are multi-label.

    Together they hold every column 0 .. K-1 exactly once.
    """

    pose: tuple[int, ...] = ()
    object: tuple[int, ...] = ()
    person: tuple[int, ...] = ()

    @classmethod
    def from_counts(cls, pose: int, object: int, person: int) -> "ClassGroups":
        """Returns groups of consecutive columns, AVA's layout."""
        edges = (0, pose, pose + object, pose + object + person)
        return cls(*(tuple(range(edges[i], edges[i + 1])) for i in range(3)))

    @property
    def multilabel(self) -> tuple[int, ...]:
        """Columns of the classes of which a person may have any number, none included."""
        return (*self.object, *self.person)

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.pose), len(self.object), len(self.person)

    def items(self) -> list[tuple[str, tuple[int, ...]]]:
        """Returns (group name, columns) of the groups that hold a class."""
        return [(name, getattr(self, name)) for name in GROUP_NAMES if getattr(self, name)]


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Classes in ascending id; class ``ids[k]`` is column k of scores and labels.

    Attributes:
        ids: class ids as written in annotation files.
        names: one text a class.
        groups: the columns of the loss groups.
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    groups: ClassGroups

    def __len__(self) -> int:
        return len(self.ids)

    def column_of(self) -> dict[int, int]:
        """Returns class id -> column."""
        return {class_id: column for column, class_id in enumerate(self.ids)}

    def subset(self, ids: Sequence[int]) -> "LabelMap":
        """Returns the classes with these ids, columns numbered anew, groups kept.

        Raises:
            DataError: an id is not one of ours.
        """
        unknown = sorted(set(ids) - set(self.ids))
        if unknown:
            raise DataError(f"Class ids {unknown} are not in the label file; it has {list(self.ids)}.")
        kept = [column for column, class_id in enumerate(self.ids) if class_id in set(ids)]
        new_column = {old: new for new, old in enumerate(kept)}
        groups = {
            name: tuple(new_column[old] for old in columns if old in new_column)
            for name, columns in self.groups.items()
        }
        return LabelMap(
            tuple(self.ids[column] for column in kept),
            tuple(self.names[column] for column in kept),
            ClassGroups(**groups),
        )

    @classmethod
    def ava(cls) -> "LabelMap":
        """Returns AVA's 80 numbered classes in groups of 14, 49 and 17, for runs without a label file."""
        ids = tuple(range(1, 81))
        return cls(ids, tuple(f"class {i}" for i in ids), ClassGroups.from_counts(14, 49, 17))


def load_label_map(path: str | Path, groups: str | Mapping[str, Sequence[int]] | None = None) -> LabelMap:
    """Returns the classes of a label file.

    Args:
        path: a ``.pbtxt`` in either AVA dialect (``item { name id }``, ``label { name label_id label_type }``,
            also mixed in one file), or a plain list with one class name a line (ids 1, 2, ...), optionally
            written as ``id name``, ``id: name`` or ``id,name``.
        groups: ``"exclusive"``, ``"multilabel"``, or class ids by group name (pose, object, person). Without
            it the file's ``label_type`` decides, and without that one multi-label group.

    Raises:
        DataError: the file is missing, empty, repeats an id, or the groups do not hold each class once.
    """
    entries = _read_entries(Path(path))
    if not entries:
        raise DataError(f"The label file {path} holds no class.")
    seen: dict[int, str] = {}
    for class_id, name, _ in entries:
        if class_id in seen:
            raise DataError(f'The label file {path} gives id {class_id} to "{seen[class_id]}" and "{name}".')
        seen[class_id] = name
    entries = sorted(entries)
    ids = tuple(entry[0] for entry in entries)
    try:
        class_groups = _make_groups(ids, [entry[2] for entry in entries], groups)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return LabelMap(ids, tuple(entry[1] for entry in entries), class_groups)


def _make_groups(
    ids: tuple[int, ...], types: Sequence[str], groups: str | Mapping[str, Sequence[int]] | None
) -> ClassGroups:
    columns = tuple(range(len(ids)))
    if groups == "exclusive":
        return ClassGroups(pose=columns)
    if groups == "multilabel":
        return ClassGroups(object=columns)
    if isinstance(groups, str):
        raise DataError(f'groups is "{groups}"; use "exclusive", "multilabel" or lists of ids by group name.')
    if groups is not None:
        return _explicit_groups(ids, groups)
    if not any(types):
        return ClassGroups(object=columns)
    unknown = sorted({kind for kind in types if kind not in _GROUP_OF_TYPE})
    if unknown:
        raise DataError(
            f"label_type must be one of {', '.join(_GROUP_OF_TYPE)} for every class or for none; "
            f"found {', '.join(kind or 'a class without one' for kind in unknown)}."
        )
    named: dict[str, list[int]] = {name: [] for name in GROUP_NAMES}
    for column, kind in enumerate(types):
        named[_GROUP_OF_TYPE[kind]].append(column)
    return ClassGroups(**{name: tuple(members) for name, members in named.items()})


def _explicit_groups(ids: tuple[int, ...], groups: Mapping[str, Sequence[int]]) -> ClassGroups:
    unknown = sorted(set(groups) - set(GROUP_NAMES))
    if unknown:
        raise DataError(f"Unknown group {', '.join(unknown)}; the groups are {', '.join(GROUP_NAMES)}.")
    listed = [class_id for members in groups.values() for class_id in members]
    if sorted(listed) != list(ids):
        raise DataError(
            f"The groups list the ids {sorted(listed)}, the label file has {list(ids)}: each must appear once."
        )
    column = {class_id: position for position, class_id in enumerate(ids)}
    return ClassGroups(**{name: tuple(sorted(column[i] for i in members)) for name, members in groups.items()})


def _read_entries(path: Path) -> list[tuple[int, str, str]]:
    """Returns (id, name, label type or an empty text) of every class in the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the label file {path}: {error}") from error
    if re.search(r"^\s*(item|label)\s*\{", text, re.MULTILINE):
        return _read_pbtxt(text, path)
    return _read_list(text, path)


def _read_pbtxt(text: str, path: Path) -> list[tuple[int, str, str]]:
    entries = []
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    between = re.sub(_BLOCK, "", text, flags=re.DOTALL).split()
    if between:
        raise DataError(
            f'{path}: "{" ".join(between)[:60]}" is outside the blocks item {{ ... }} and label {{ ... }}, or in one '
            "that is not closed."
        )
    for number, block in enumerate(re.findall(_BLOCK, text, re.DOTALL), start=1):
        name = re.search(r'\bname\s*:\s*(?:"(.*?)"|\'(.*?)\')', block)
        class_id = re.search(r"\b(?:label_)?id\s*:\s*(\d+)", block)
        kind = re.search(r'\blabel_type\s*:\s*"?(\w+)"?', block)
        if name is None or class_id is None:
            raise DataError(f"{path}: block {number} needs a name and an id, found {{{block.strip()}}}.")
        entries.append((int(class_id[1]), name[1] or name[2] or "", kind[1] if kind else ""))
    return entries


def _read_list(text: str, path: Path) -> list[tuple[int, str, str]]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    numbered = [re.fullmatch(r"(\d+)\s*[:,\s]\s*(\S.*)", line) for line in lines]
    if lines and all(numbered):
        return [(int(match[1]), match[2], "") for match in numbered if match]
    if any("{" in line or "}" in line for line in lines):
        raise DataError(f"{path} is neither a pbtxt with item/label blocks nor a plain list of names.")
    return [(position, line, "") for position, line in enumerate(lines, start=1)]
