"""Checkpoint files that are either whole or not there, with an error that says what is safe."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from alphaction.utils.errors import CheckpointError
from alphaction.utils.files import PARTIAL_SUFFIX, replaced_when_complete

_PARTIAL = re.compile(rf"\.(model_\w+\.pth|memory_\w+\.safetensors|last_checkpoint){re.escape(PARTIAL_SUFFIX)}")


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls ``write`` with a temporary name beside ``path``, then renames.

    Raises:
        CheckpointError: the folder cannot be written, or the disk is full.
    """
    try:
        with replaced_when_complete(path) as partial:
            write(partial)
    except (OSError, RuntimeError) as error:  # torch's writer wraps an OSError in a RuntimeError
        raise CheckpointError(
            f"Cannot write {path}: {_reason(error)}. What was saved there before is unchanged. Free some space or make "
            "the folder writable, then start the same command again."
        ) from error


def remove_partial_files(folder: Path) -> list[str]:
    """Removes what killed runs left half written in ``folder``; returns the names."""
    if not folder.is_dir():
        return []
    leftovers = [path for path in sorted(folder.iterdir()) if _PARTIAL.fullmatch(path.name)]
    for path in leftovers:
        with contextlib.suppress(OSError):
            path.unlink()
    return [path.name for path in leftovers]


def _reason(error: BaseException) -> str:
    """Returns what the system said, where that is behind the error."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return (cause.strerror if cause is not None else None) or str(error)
