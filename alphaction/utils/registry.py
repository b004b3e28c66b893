"""Name-to-object tables, and the import of a room's siblings so that their registrations run."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Generic, TypeVar

from alphaction.utils.errors import UserError

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named builders or classes.

    Args:
        kind: what the table holds, in words an error message can use (``"backbone"``).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Returns a decorator that enters its object under ``name``.

        Raises:
            ValueError: the name is taken by another object.
        """

        def enter(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f'The {self.kind} name "{name}" is registered twice; choose another name.')
            self._entries[name] = entry
            return entry

        return enter

    def get(self, name: str) -> T:
        """Returns the object registered under ``name``.

        Raises:
            UserError: no such name; the message offers the nearest one.
        """
        if name not in self._entries:
            raise UserError(
                f'Unknown {self.kind} "{name}"; {nearest(name, self._entries)} '
                f"Known: {', '.join(sorted(self._entries)) or 'none'}."
            )
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def nearest(name: str, known: "Registry | dict | list[str] | set[str]") -> str:
    """Returns the end of an error message: ``did you mean "Slowfast-Resnet50"?``"""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f'did you mean "{by_lower[close[0]]}"?' if close else "nothing known is spelt like it."


def import_submodules(package: ModuleType) -> None:
    """Imports every module directly below ``package``, so that decorators in them register their objects."""
    for info in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{info.name}")
