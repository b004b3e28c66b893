"""Files that are either whole or not there."""

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from alphaction.utils.errors import CheckpointError

_PARTIAL = re.compile(r"\.(model_\w+\.pth|memory_\w+\.safetensors|last_checkpoint)\.partial")


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls ``write`` with a temporary name beside ``path``, then renames: a reader sees the old file or the new.

    The content is on the disk before the rename, so that this holds for a power cut too. Whatever interrupts the
    writing, an earlier file of that name stays and the temporary one is removed (after a kill: by the next run).

    Raises:
        CheckpointError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _flush(temporary)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch's writer wraps an OSError in a RuntimeError
        raise CheckpointError(
            f"Cannot write {path}: {_reason(error)}. What was saved there before is unchanged. Free some space or make "
            "the folder writable, then start the same command again."
        ) from error
    finally:
        _remove(temporary)


def remove_partial_files(folder: Path) -> list[str]:
    """Removes what killed runs left half written in ``folder``; returns the names."""
    if not folder.is_dir():
        return []
    leftovers = [path for path in sorted(folder.iterdir()) if _PARTIAL.fullmatch(path.name)]
    for path in leftovers:
        _remove(path)
    return [path.name for path in leftovers]


def _reason(error: BaseException) -> str:
    """Returns what the system said, where that is behind the error."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return (cause.strerror if cause is not None else None) or str(error)


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


def _remove(path: Path) -> None:
    # In a read-only folder the error on its way says so, and the next run tries again.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
