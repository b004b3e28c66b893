"""Keys of a weight file under other names: pure functions on names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from alphaction.config.renames import rename_problems
from alphaction.utils.errors import CheckpointError, ConfigError

# Pairs of a regular expression and what takes the place of each match.
RenameRules: TypeAlias = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class RenamedKeys:
    """What rules made of the keys of a file.

    Attributes:
        names: file key -> name, of every key in the file's order.
        idle: expressions that matched no key.
    """

    names: dict[str, str]
    idle: tuple[str, ...]

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """(file key, name) of the keys that have another name now."""
        return tuple((key, name) for key, name in self.names.items() if name != key)


def rename_keys(keys: Iterable[str], rules: RenameRules) -> RenamedKeys:
    """Returns the names of the keys after every rule, in order, has replaced its matches in what the last one left.

    Raises:
        ConfigError: a rule is no pair of texts, or its expression or replacement is wrong.
        CheckpointError: two keys have the same name afterwards.
    """
    if problems := rename_problems(rules):
        raise ConfigError("\n".join(problems))
    names = {key: key for key in keys}
    idle = []
    for pattern, replacement in rules:
        found = re.compile(pattern)
        if not any(found.search(name) for name in names.values()):
            idle.append(pattern)
        names = {key: found.sub(replacement, name) for key, name in names.items()}
    _refuse_equal_names(names)
    return RenamedKeys(names, tuple(idle))


def _refuse_equal_names(names: dict[str, str]) -> None:
    owners: dict[str, str] = {}
    for key, name in names.items():
        if (other := owners.setdefault(name, key)) != key:
            raise CheckpointError(
                f'MODEL.WEIGHT_RENAME gives the name "{name}" to two keys of the file, "{other}" and "{key}"; narrow '
                "the expression that meets both, with ^ for the beginning of a key, say."
            )
