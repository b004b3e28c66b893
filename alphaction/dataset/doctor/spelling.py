"""Names in rows that are surely meant for another: videos by case or ending, classes by name instead of id."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alphaction.dataset.doctor.csv_text import join_cells
from alphaction.dataset.sources import VIDEO_SUFFIXES
from alphaction.structures.labels import LabelMap

_ACTION = 6  # column of the action


def respell(videos: Iterable[str], video_root: str | Path) -> dict[str, str]:
    """Returns the right names of videos that are not in the folder but whose one namesake is.

    A namesake differs in case only, or lacks the file ending that rows do not have.
    """
    root = Path(video_root)
    there = {path.name if path.is_dir() else path.stem for path in root.iterdir()} if root.is_dir() else set()
    by_lower: dict[str, set[str]] = defaultdict(set)
    for name in there:
        by_lower[name.lower()].add(name)
    found = {}
    for video in videos:
        has_ending = Path(video).suffix.lower() in VIDEO_SUFFIXES
        near = by_lower[video.lower()] | (by_lower[Path(video).stem.lower()] if has_ending else set())
        if video not in there and len(near) == 1:
            found[video] = next(iter(near))
    return found


def ids_by_name(labels: LabelMap) -> dict[str, int]:
    """Returns the class id of each name in small letters that only one class has."""
    names = [_plain(name) for name in labels.names]
    count = Counter(names)
    return {name: class_id for name, class_id in zip(names, labels.ids, strict=True) if count[name] == 1}


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is corrected in rows: wrong names of videos, and names of classes in small letters in place of ids."""

    videos: Mapping[str, str] = field(default_factory=dict)
    class_ids: Mapping[str, int] = field(default_factory=dict)

    def correct(self, line: str) -> tuple[str, list[str]]:
        """Returns a line of a CSV file as it should be, and what was changed."""
        cells = next(csv.reader([line]), [])
        changes = []
        if cells and cells[0] in self.videos:
            changes.append(f'video "{cells[0]}" to "{self.videos[cells[0]]}"')
            cells[0] = self.videos[cells[0]]
        if len(cells) > _ACTION and not _is_id(cells[_ACTION]) and _plain(cells[_ACTION]) in self.class_ids:
            class_id = self.class_ids[_plain(cells[_ACTION])]
            changes.append(f'action "{cells[_ACTION]}" to {class_id}')
            cells[_ACTION] = str(class_id)
        return (join_cells(cells), changes) if changes else (line, [])


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _is_id(text: str) -> bool:
    return text.strip().isdecimal()
