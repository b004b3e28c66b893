"""Files that are either whole or not there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from alphaction.utils.errors import UserError

PARTIAL_SUFFIX = ".partial"


@contextlib.contextmanager
def replaced_when_complete(path: str | Path) -> Iterator[Path]:
    """Yields a hidden name beside ``path`` to write to, and renames it to ``path`` when the block ends well.

    A reader sees the old file or the new one. The content is on the disk before the rename, so that this holds for a
    power cut too. Whatever ends the block, an earlier file stays and the hidden one is removed; a kill leaves it.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}{PARTIAL_SUFFIX}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _flush(partial)
        os.replace(partial, target)
        _flush_folder(target.parent)
    finally:
        # In a read-only folder the error on its way says so.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes a whole text file, UTF-8.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with replaced_when_complete(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(path: Path) -> None:
    """Makes the rename itself outlive a power cut, on the file systems that can flush a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
