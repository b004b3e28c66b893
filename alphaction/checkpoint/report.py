"""What came of matching a weight file with a model, as data and as text."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from alphaction.utils.logger import format_table

Shape: TypeAlias = tuple[int, ...]

# Units from input to head: (name, prefixes of the state-dict keys that belong to it).
Units: TypeAlias = Sequence[tuple[str, Collection[str]]]

_LISTED_AT_MOST = 10
_NOT_IN_A_UNIT = "(other)"


@dataclass(frozen=True, slots=True)
class ClassReport:
    """What the classes of a file gave to the head.

    Attributes:
        reused: classes of the model whose rows the file had.
        new: classes of the model that it did not have.
        left_over: classes of the file that the model does not have.
    """

    reused: tuple[str, ...]
    new: tuple[str, ...]
    left_over: tuple[str, ...]

    def lines(self) -> list[str]:
        """Returns the report as text; new classes in full, since each may be a name that is only spelt otherwise."""
        total = len(self.reused) + len(self.new)
        new = f"; new: {', '.join(self.new)}" if self.new else ""
        lines = [f"head rows by class name: {len(self.reused)} of {total}: {listed(self.reused)}{new}"]
        return [*lines, *([f"  classes of the file only: {listed(self.left_over)}"] if self.left_over else [])]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Where every tensor of a model comes from, and what was not used of the file.

    File keys are as MODEL.WEIGHT_RENAME has left them.

    Attributes:
        loaded: (model key, file key), converted tensors included.
        skipped: (file key, why it was left out).
        kept: model keys that were left as they are on purpose (``--no-head``).
        missing: model keys the file has nothing for.
        unexpected: file keys the model has no place for.
        wrong_shape: (model key, shape in the file, shape in the model).
        converted: (model key, shape in the file, shape in the model, how) of what was not copied as it is.
        renamed: (key in the file, the name that was matched) of those that were given another one.
        idle_renames: expressions of MODEL.WEIGHT_RENAME that met no key.
        classes: what was taken over by class name; None where rows go by position.
        ignored: number of ``num_batches_tracked`` counters on one side only: frozen batch norms have none.
        units: the parts that :meth:`table` groups by; empty groups by the first two words of a key.
    """

    loaded: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    wrong_shape: tuple[tuple[str, Shape, Shape], ...] = ()
    converted: tuple[tuple[str, Shape, Shape, str], ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    idle_renames: tuple[str, ...] = ()
    classes: ClassReport | None = None
    ignored: int = 0
    units: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether every tensor of the model was loaded and nothing of the file was left over."""
        return not (self.missing or self.unexpected or self.wrong_shape or self.kept or self.skipped)

    def incomplete_units(self) -> list[str]:
        """Returns the units, in their order, of which a tensor is missing, has another shape or was kept."""
        absent = [*self.missing, *self.kept, *(key for key, _, _ in self.wrong_shape)]
        return [name for name, prefixes in self.units if any(has_prefix(key, prefixes) for key in absent)]

    def table(self) -> str:
        """Returns the report as text: tensors loaded of each unit, then every conversion, then the rest, cut short."""
        rows = [self._row(name, loaded, total) for name, (loaded, total) in self._counts().items()]
        lines = [format_table(["part", "loaded", "of", "note"], rows)] if rows else []
        lines += self.classes.lines() if self.classes else []
        conversions = [f"{key}: {_change(file, model)}, {how}" for key, file, model, how in self.converted]
        lines += _section("converted", conversions, most=len(conversions))
        lines += _section("wrong shape", [f"{key}: {_change(file, model)}" for key, file, model in self.wrong_shape])
        lines += _section("missing in the file", self.missing)
        lines += _section("in the file only", [self._with_origin(key) for key in self.unexpected])
        lines += _section("left out", [f"{self._with_origin(key)} ({reason})" for key, reason in self.skipped])
        lines += _section("renamed", [f"{key} -> {name}" for key, name in self.renamed])
        lines += _section("rename rules without a key", self.idle_renames)
        if self.kept:
            lines.append(f"kept as they are: {len(self.kept)} tensors of the model's head")
        if self.ignored:
            lines.append(f"ignored: {self.ignored} num_batches_tracked counters")
        return "\n".join(lines)

    def _with_origin(self, key: str) -> str:
        origin = next((old for old, name in self.renamed if name == key), "")
        return f"{key} (from {origin})" if origin else key

    def _row(self, name: str, loaded: int, total: int) -> tuple[str, int, int, str]:
        if loaded == total:
            return name, loaded, total, ""
        return name, loaded, total, "nothing loaded" if loaded == 0 else "incomplete"

    def _counts(self) -> dict[str, tuple[int, int]]:
        loaded_keys = [key for key, _ in self.loaded]
        other_keys = [*self.missing, *self.kept, *(key for key, _, _ in self.wrong_shape)]
        counts = {name: (0, 0) for name, _ in self.units}
        for key, is_loaded in [*((k, 1) for k in loaded_keys), *((k, 0) for k in other_keys)]:
            unit = self._unit_of(key)
            loaded, total = counts.get(unit, (0, 0))
            counts[unit] = (loaded + is_loaded, total + 1)
        return {name: count for name, count in counts.items() if count[1]}

    def _unit_of(self, key: str) -> str:
        if not self.units:
            return ".".join(key.split(".")[:2])
        owners = (name for name, prefixes in self.units if has_prefix(key, prefixes))
        return next(owners, _NOT_IN_A_UNIT)


def has_prefix(key: str, prefixes: Iterable[str]) -> bool:
    """Returns whether ``key`` is, or lies below, one of the module names; a final point makes no difference."""
    names = [prefix.rstrip(".") for prefix in prefixes]
    return any(not name or key == name or key.startswith(name + ".") for name in names)


def listed(names: Sequence[str]) -> str:
    """Returns the first names, and how many more there are."""
    more = len(names) - _LISTED_AT_MOST
    return ", ".join(names[:_LISTED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _change(file: Shape, model: Shape) -> str:
    return f"file {file}, model {model}"


def _section(title: str, entries: Sequence[str], most: int = _LISTED_AT_MOST) -> list[str]:
    if not entries:
        return []
    more = len(entries) - most
    shown = [f"  {entry}" for entry in entries[:most]]
    return [f"{title} ({len(entries)}):", *shown, *([f"  and {more} more"] if more > 0 else [])]
