"""A model seen as the parts that fine-tuning freezes and releases."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from alphaction.structures.unit import Unit
from alphaction.utils.errors import ConfigError
from alphaction.utils.registry import nearest

BACKBONE, HEAD, ALL = "backbone", "head", "all"


@dataclass(frozen=True)
class ModelLayout:
    """The units of a model from input to head, and the groups that strategies speak of.

    A **layer** is what the names in front of the last point share where the backbone says so (``layer4`` for
    ``layer4.0`` and ``layer4.1``), else one unit.

    Args:
        units: as the model publishes them; they cover every parameter once.
    """

    units: tuple[Unit, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(unit.name for unit in self.units)

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(unit.name for unit in self.units if unit.kind == "head")

    @property
    def backbone(self) -> tuple[str, ...]:
        """All units in front of the heads."""
        return tuple(unit.name for unit in self.units if unit.kind != "head")

    @property
    def norms(self) -> tuple[str, ...]:
        """Normalisations behind the last block."""
        return tuple(unit.name for unit in self.units if unit.kind == "norm")

    def layer_of(self, name: str) -> str:
        """Returns the layer that a unit belongs to: its own name where it is a layer itself."""
        return self._unit(name).layer or name

    def releasable(self, *, by_block: bool, with_stem: bool = False) -> list[tuple[str, ...]]:
        """Returns what is released one after the other, the last block or layer first.

        Args:
            by_block: one block at a time, in place of a whole layer.
            with_stem: the stem too, as the last.
        """
        groups: dict[str, list[str]] = {}
        for unit in self.units:
            if unit.kind == "block" or (with_stem and unit.kind == "stem"):
                groups.setdefault(unit.name if by_block else self.layer_of(unit.name), []).append(unit.name)
        return [tuple(names) for names in reversed(groups.values())]

    def resolve(self, names: Iterable[str], key: str) -> tuple[str, ...]:
        """Returns the units that names of units, layers, "backbone", "head" and "all" stand for, in the model's order.

        Args:
            names: what the user wrote.
            key: where, for the message.

        Raises:
            ConfigError: a name stands for nothing.
        """
        chosen = {unit for name in names for unit in self._meant(name, key)}
        return tuple(name for name in self.names if name in chosen)

    def shortest(self, names: Collection[str]) -> tuple[str, ...]:
        """Returns names that stand for the same units, in the model's order: "backbone" and whole layers where it has
        all of their units."""
        if len(self.backbone) > 1 and set(self.backbone) <= set(names):
            return (BACKBONE, *(name for name in self.heads if name in names))
        whole = {layer for layer in self._layers() if set(self.resolve([layer], "")) <= set(names)}
        shown = (self.layer_of(name) if self.layer_of(name) in whole else name for name in self.names if name in names)
        return tuple(dict.fromkeys(shown))

    def num_parameters(self, names: Collection[str]) -> int:
        return sum(unit.num_parameters() for unit in self.units if unit.name in names)

    def _meant(self, name: str, key: str) -> Sequence[str]:
        groups = {ALL: self.names, BACKBONE: self.backbone, HEAD: self.heads}
        groups |= {layer: tuple(n for n in self.names if self.layer_of(n) == layer) for layer in self._layers()}
        groups |= {unit: (unit,) for unit in self.names if unit not in groups}
        if name in groups:
            return groups[name]
        raise ConfigError(
            f'{key} names "{name}", which this model does not have; {nearest(str(name), groups)} '
            f"It has: {', '.join(groups)}."
        )

    def _layers(self) -> list[str]:
        return list(dict.fromkeys(self.layer_of(name) for name in self.names))

    def _unit(self, name: str) -> Unit:
        return next(unit for unit in self.units if unit.name == name)
