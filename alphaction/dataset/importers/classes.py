"""Numbers for the names of actions."""

from collections.abc import Iterable, Sequence

from alphaction.dataset.importers.base import ReadOptions
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.utils.errors import DataError
from alphaction.utils.registry import nearest
from alphaction.utils.words import counted

_SHOWN_IDS = 20


def labels_of_names(used: Iterable[str], options: ReadOptions, defined: Sequence[str] = ()) -> LabelMap:
    """Returns the classes: those of the label file, or else the names in use, numbered 1, 2, ...

    Args:
        used: the names that occur.
        options: with the label file and the groups.
        defined: names in the order in which the tool lists them; the others follow in alphabetic order.

    Raises:
        DataError: a name is not in the label file.
    """
    names = set(used)
    if options.labels is not None:
        for name in sorted(names - set(options.labels.names)):
            raise DataError(
                f'The action "{name}" is not in the label file; {nearest(name, list(options.labels.names))} '
                f"Its classes are {', '.join(options.labels.names[:10])}{', ...' if len(options.labels) > 10 else ''}."
            )
        return options.labels
    ordered = [name for name in dict.fromkeys(defined) if name in names]
    ordered += sorted(names - set(ordered))
    return make_labels(dict(enumerate(ordered, start=1)), options.groups)


def labels_of_ids(used: Iterable[int], options: ReadOptions, names: dict[int, str]) -> LabelMap:
    """Returns the classes of numbered actions: the label file's, else the known names, else ``class 12``.

    Raises:
        DataError: a number is not in the label file.
    """
    ids = sorted(set(used))
    if options.labels is not None:
        unknown = sorted(set(ids) - set(options.labels.ids))
        if unknown:
            missing = f"{counted(len(unknown), 'class id')} of the annotations ({_listed(unknown)})"
            raise DataError(
                f"The label file, with the ids {_listed(options.labels.ids)}, lacks {missing}. Add what is missing, or "
                "give the label file that belongs to these annotations."
            )
        return options.labels
    return make_labels({class_id: names.get(class_id, f"class {class_id}") for class_id in ids}, options.groups)


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:_SHOWN_IDS])) + (", ..." if len(ids) > _SHOWN_IDS else "")


def make_labels(names: dict[int, str], groups: str | None) -> LabelMap:
    """Returns classes of one loss group, multi-label unless said otherwise."""
    ids = tuple(sorted(names))
    columns = tuple(range(len(ids)))
    one_group = ClassGroups(pose=columns) if groups == "exclusive" else ClassGroups(object=columns)
    return LabelMap(ids, tuple(names[class_id] for class_id in ids), one_group)
