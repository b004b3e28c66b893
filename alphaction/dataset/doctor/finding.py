"""What a check has to say: one sentence with its place, and what to do about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")
# So many places of one kind of finding are listed, the others are counted.
_SHOWN_PLACES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, at one place or at many.

    Attributes:
        level: ``error`` (cannot be used, or gives wrong results), ``warning`` (works, but is hardly meant), ``info``.
        code: short name of the kind, for programs.
        file: where it is.
        problem: what it is, at the first of the places; a sentence without its end.
        remedy: what to do, a sentence.
        places: the first places in the file, such as ``row 3``; empty when it is about the file as a whole.
        count: number of all places.
    """

    level: Level
    code: str
    file: str
    problem: str
    remedy: str
    places: tuple[str, ...] = ()
    count: int = 1

    @property
    def text(self) -> str:
        """File, place and problem as one sentence."""
        where = f"{self.file}, {self.places[0]}" if self.places else self.file
        if self.count == 1:
            return f"{where}: {self.problem}."
        others = ", ".join(self.places[1:])
        dots = ", ..." if self.count > len(self.places) else ""
        return f"{where}: {self.problem} ({self.count} such{'; also ' if others else ''}{others}{dots})."


class Findings:
    """Collects findings; nothing ends the check."""

    def __init__(self) -> None:
        self._entries: list[Finding] = []

    def add(
        self,
        level: Level,
        code: str,
        file: str,
        problem: str,
        remedy: str,
        *,
        places: Sequence[str] = (),
        count: int | None = None,
    ) -> None:
        """Notes a finding; ``count`` is the number of places unless more were found than are given.

        What two halves of a data set share, such as their label file, is told once.
        """
        total = max(1, len(places)) if count is None else count
        finding = Finding(level, code, file, problem, remedy, tuple(places[:_SHOWN_PLACES]), total)
        if finding not in self._entries:
            self._entries.append(finding)

    def add_rows(
        self,
        level: Level,
        code: str,
        file: str,
        rows: NDArray[np.integer],
        place: Callable[[int], str],
        describe: Callable[[int], str] | str,
        remedy: str,
    ) -> None:
        """Notes one finding for all of these rows; nothing when there is no row.

        ``describe`` is the problem of the first row, or gives it; ``place`` gives the place of a row in words.
        """
        if len(rows):
            places = [place(int(row)) for row in rows[:_SHOWN_PLACES]]
            problem = describe if isinstance(describe, str) else describe(int(rows[0]))
            self.add(level, code, file, problem, remedy, places=places, count=len(rows))

    def sorted(self) -> list[Finding]:
        """Returns all findings, errors first, each level in the order it was found."""
        return sorted(self._entries, key=lambda finding: LEVELS.index(finding.level))
