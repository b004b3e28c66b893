"""What a preparation has done, in numbers and in sentences."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alphaction.dataset.preparation.damage import Damage
from alphaction.dataset.preparation.folder import Folder
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted


@dataclass(slots=True)
class Preparation:
    """What a run has done.

    Attributes:
        unit: what is counted: "one-second clip" or "video".
        folder: what there was.
        num_written: units written by this run.
        num_there: units of earlier runs.
        anew: units of earlier runs that had to be made again, by reason.
        outdated: units of earlier runs that this run does not cover and would make differently, by reason.
        unread: why movies could not be read, or not to the end, by name.
        damaged: what movies have lost in the middle, by name; all else of them is written.
        sound_faults: what is wrong with the sound of videos whose picture is whole, by name.
    """

    unit: str
    folder: Folder
    num_written: int = 0
    num_there: int = 0
    anew: Counter[str] = field(default_factory=Counter)
    outdated: Counter[str] = field(default_factory=Counter)
    unread: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, Damage] = field(default_factory=dict)
    sound_faults: dict[str, str] = field(default_factory=dict)

    @property
    def num_movies(self) -> int:
        return len(self.folder.videos)

    @property
    def is_complete(self) -> bool:
        """Whether every video is there, and whole."""
        return not (self.unread or self.damaged or self.folder.broken_links)

    def add_damage(self, name: str, damage: Damage | None) -> None:
        """Notes what a part of a movie has lost."""
        if damage:
            self.damaged[name] = self.damaged.get(name, Damage()) | damage

    def refuse_nothing(self, folder: Path) -> None:
        """Raises a ``DataError`` if no movie could be used."""
        if len(self.unread) == self.num_movies:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in sorted(self.unread.items())[:10])
            none = "The only video" if self.num_movies == 1 else f"None of the {self.num_movies} videos"
            raise DataError(f"{none} of {folder} can{'not' if self.num_movies == 1 else ''} be used:\n{reasons}")

    def describe(self) -> str:
        """Returns the outcome in sentences."""
        written = f"{counted(self.num_written, self.unit)} written, {self.num_there} there before"
        lines = [f"{counted(self.num_movies, 'video')}: {written}."]
        lines += [f"To be made anew: {counted(n, self.unit)}, {reason}." for reason, n in sorted(self.anew.items())]
        left = "Outside of this run and left as they were"
        lines += [
            f"{left}: {counted(n, self.unit)}, {reason}; delete what shall not be used."
            for reason, n in sorted(self.outdated.items())
        ]
        lines += self.folder.describe_rest()
        faults = self.sound_faults
        lines += _listed(f"Faults in the sound of {counted(len(faults), 'video')}, the picture is whole:", faults)
        lines += _listed(
            f"Damaged: {counted(len(self.damaged), 'video')}; the rest is written and can be used, where pictures are "
            "lost the one before stays:",
            {name: damage.describe() for name, damage in self.damaged.items()},
        )
        return "\n".join(
            lines + _listed(f"Skipped, or left before its end: {counted(len(self.unread), 'video')}:", self.unread)
        )


def _listed(heading: str, reasons: Mapping[str, str]) -> list[str]:
    return [heading, *(f"  {name}: {reason}" for name, reason in sorted(reasons.items()))] if reasons else []
