"""Rows of a head by the names of their classes: pure functions on names and shapes."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from alphaction.checkpoint.conversion import Conversion
from alphaction.checkpoint.report import ClassReport, Shape, listed
from alphaction.utils.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class ClassRows:
    """Which row of a model's class tensors comes from which row of a file's.

    Attributes:
        keys: the model's tensors with one row a class.
        names: the model's classes, in the order of the rows.
        file_names: the file's.
        sources: for each of the model's rows the row in the file, None where the file has no such class.
    """

    keys: frozenset[str]
    names: tuple[str, ...]
    file_names: tuple[str, ...]
    sources: tuple[int | None, ...]

    def conversion(self, key: str, file_shape: Shape, model_shape: Shape) -> Conversion | None:
        """Returns how the rows are put together; None if a row of the file does not fit one of the model.

        Raises:
            CheckpointError: the file has another number of rows than of classes.
        """
        if file_shape[:1] != (len(self.file_names),):
            raise CheckpointError(
                f"Its classes are {len(self.file_names)}, but {key} has the shape {file_shape} there, with one row a "
                "class. MODEL.WEIGHT_LABELS must list every class that the weights were trained on, whether it is "
                "evaluated or not; --no-head leaves the head out."
            )
        if model_shape[:1] != (len(self.names),):
            raise CheckpointError(
                f"{key} has the shape {model_shape}, not one row for each of {len(self.names)} classes."
            )
        if file_shape[1:] != model_shape[1:]:
            return None
        return Conversion("rows by class name", self._rows)

    def report(self) -> ClassReport:
        """Returns which classes have rows of the file."""
        found = {name for name, source in zip(self.names, self.sources, strict=True) if source is not None}
        return ClassReport(
            reused=tuple(name for name in self.names if name in found),
            new=tuple(name for name in self.names if name not in found),
            left_over=tuple(name for row, name in enumerate(self.file_names) if row not in self.sources),
        )

    def _rows(self, weight: Tensor, initial: Tensor) -> Tensor:
        rows = initial.clone()
        for row, source in enumerate(self.sources):
            if source is not None:
                rows[row] = weight[source].to(rows)
        return rows


def pair_class_rows(keys: Collection[str], names: Sequence[str], file_names: Sequence[str]) -> ClassRows:
    """Returns the rows of classes of the same name; capitals, and spaces or underscores, make no difference.

    Args:
        keys: the model's tensors with one row a class.
        names: the model's classes, in the order of the rows.
        file_names: the file's, likewise.

    Raises:
        CheckpointError: the model does not say which tensors these are, two classes of one side have the same name,
            or no class is in both.
    """
    if not keys:
        raise CheckpointError(
            "It was trained on other classes, and this model does not say which tensors have one row a class; add "
            "--no-head to train a new head."
        )
    row_of = {normalised(name): row for row, name in enumerate(file_names)}
    for side, given in (("file", file_names), ("run", names)):
        _refuse_doubles(side, given)
    sources = tuple(row_of.get(normalised(name)) for name in names)
    if all(source is None for source in sources):
        raise CheckpointError(
            f"No class of this run is one of its classes, so that no row of the head can be taken over. "
            f"This run: {listed(names)}; the file: {listed(file_names)}. Add --no-head to leave the file's head out "
            "and train a new one, or give classes that mean the same the same name in the label file."
        )
    return ClassRows(frozenset(keys), tuple(names), tuple(file_names), sources)


def normalised(name: str) -> str:
    """Returns what two spellings of a class name have in common."""
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def _refuse_doubles(side: str, names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(normalised(name), name)) is not name:
            raise CheckpointError(
                f'Rows of the head go by class name, and two classes of the {side} have the same: "{other}" and '
                f'"{name}". Give them different names in the label file, or add --no-head.'
            )
