"""The videos of a folder, and what else lies in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alphaction.dataset.sources import VIDEO_SUFFIXES
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds.

    Attributes:
        videos: files that are videos by their endings, sorted.
        others: names of other files.
        subfolders: names of folders; what lies in them is not looked at.
        broken_links: names of links to files that are gone.
    """

    videos: tuple[Path, ...]
    others: tuple[str, ...] = ()
    subfolders: tuple[str, ...] = ()
    broken_links: tuple[str, ...] = ()

    def describe_rest(self) -> list[str]:
        """Returns a sentence for each kind of thing that is no video."""
        lines = []
        if self.others:
            lines.append(f"Not a video by its name: {_counted_names(self.others, 'file')}.")
        if self.subfolders:
            lines.append(f"Not looked into: {_counted_names(self.subfolders, 'subfolder')}.")
        if self.broken_links:
            lines.append(f"Skipped, the file they point to is gone: {_counted_names(self.broken_links, 'link')}.")
        return lines


def find_videos(folder: Path, outputs: Sequence[Path] = ()) -> Folder:
    """Returns what a folder holds; hidden entries and the folders of ``outputs`` are not mentioned.

    Raises:
        DataError: it is no folder, holds no video, or two videos whose names differ in the ending alone.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the one that holds the videos.")
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in entries if path.is_file()]
    videos = tuple(path for path in files if _is_video_name(path))
    ours = [output.resolve() for output in outputs]
    held = Folder(
        videos,
        tuple(path.name for path in files if path not in videos),
        tuple(path.name for path in entries if path.is_dir() and not _holds_one_of(path, ours)),
        tuple(path.name for path in entries if path.is_symlink() and not path.exists() and _is_video_name(path)),
    )
    if not videos:
        rest = "".join(f" {line}" for line in held.describe_rest())
        raise DataError(f"{folder} holds no video; known endings: {', '.join(VIDEO_SUFFIXES)}.{rest}")
    names = [path.stem for path in videos]
    twice = sorted({path.name for path in videos if names.count(path.stem) > 1})
    if twice:
        raise DataError(f"Videos of one name would be written to one place: {', '.join(twice)}. Rename or remove some.")
    return held


def _is_video_name(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _holds_one_of(folder: Path, paths: Sequence[Path]) -> bool:
    resolved = folder.resolve()
    return any(resolved == path or resolved in path.parents for path in paths)


def _counted_names(names: Sequence[str], noun: str) -> str:
    """Returns the number and the first names: "2 files (a.txt, b.txt)"."""
    more = ", ..." if len(names) > _LISTED else ""
    return f"{counted(len(names), noun)} ({', '.join(names[:_LISTED])}{more})"
