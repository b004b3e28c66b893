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
class LoadReport:
    """Where every tensor of a model comes from, and what was not used of the file.

    Attributes:
        loaded: (model key, file key).
        skipped: (file key, why it was left out).
        kept: model keys that were left as they are on purpose (``--no-head``).
        missing: model keys the file has nothing for.
        unexpected: file keys the model has no place for.
        wrong_shape: (model key, shape in the file, shape in the model).
        ignored: number of ``num_batches_tracked`` counters on one side only: frozen batch norms have none.
        units: the parts that :meth:`table` groups by; empty groups by the first two words of a key.
    """

    loaded: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    wrong_shape: tuple[tuple[str, Shape, Shape], ...] = ()
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
        """Returns the report as text: tensors loaded of each unit, then what was not, each list cut short."""
        rows = [self._row(name, loaded, total) for name, (loaded, total) in self._counts().items()]
        lines = [format_table(["part", "loaded", "of", "note"], rows)] if rows else []
        lines += _section(
            "wrong shape", [f"{key}: file {file}, model {model}" for key, file, model in self.wrong_shape]
        )
        lines += _section("missing in the file", self.missing)
        lines += _section("in the file only", self.unexpected)
        lines += _section("left out", [f"{key} ({reason})" for key, reason in self.skipped])
        if self.kept:
            lines.append(f"kept as they are: {len(self.kept)} tensors of the model's head")
        if self.ignored:
            lines.append(f"ignored: {self.ignored} num_batches_tracked counters")
        return "\n".join(lines)

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


def _section(title: str, entries: Sequence[str]) -> list[str]:
    if not entries:
        return []
    more = len(entries) - _LISTED_AT_MOST
    shown = [f"  {entry}" for entry in entries[:_LISTED_AT_MOST]]
    return [f"{title} ({len(entries)}):", *shown, *([f"  and {more} more"] if more > 0 else [])]
