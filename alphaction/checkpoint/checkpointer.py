"""Whole runs into a folder and out of it."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from alphaction.checkpoint.atomic import remove_partial_files, write_atomically
from alphaction.checkpoint.reading import read_file
from alphaction.utils.comm import is_main_process
from alphaction.utils.errors import CheckpointError

logger = logging.getLogger(__name__)

# What every file has that is written here, and what a run cannot go on without; others may stand beside them.
WEIGHT_PARTS = ("model", "iteration", "task", "config")
PARTS = (*WEIGHT_PARTS, "optimizer", "scheduler")

_LAST = "last_checkpoint"
_FINAL = "model_final.pth"
_BEST = "model_best.pth"
_NUMBERED = re.compile(r"model_(\d{7,})\.pth")
_MEMORY = re.compile(r"memory_(\d{7,})\.safetensors")
# What ``torch.load(weights_only=True)`` gives back as it was.
_PLAIN = (Tensor, nn.Parameter, torch.Size, str, bytes, int, float, bool, type(None))


class Checkpointer:
    """Saves a run as ``model_<iteration>.pth`` files and finds the last whole one again.

    ``last_checkpoint`` names the file a resumed run starts from; it is written once that file is complete. Only the
    main process writes; in the others :meth:`save` does nothing.

    Args:
        output_dir: the run's folder; created at the first save.
        kept: numbered checkpoints to keep, newest first; 0 keeps all. ``model_final.pth``, ``model_best.pth`` and the
            file ``last_checkpoint`` names are never removed. A checkpoint's ``memory_<iteration>.safetensors`` goes
            with it.
    """

    def __init__(self, output_dir: str | Path, *, kept: int = 0) -> None:
        self.output_dir = Path(output_dir)
        self.kept = kept

    def remove_leftovers(self) -> None:
        """Removes half-written files of killed runs; for the run that is going to write here, and no other."""
        if is_main_process() and (removed := remove_partial_files(self.output_dir)):
            logger.warning("Removed half-written files of a killed run: %s", ", ".join(removed))

    def save(self, iteration: int, parts: Mapping[str, Any], *, is_final: bool = False) -> Path:
        """Writes ``parts`` and returns the file's path; the checkpoint before stays valid whatever happens.

        Args:
            iteration: steps finished; added to the parts.
            parts: ``model``, ``optimizer``, ``scheduler``, ``task`` as state dicts and ``config`` as text; others,
                such as ``rng``, may be added.
            is_final: write ``model_final.pth`` in place of the numbered file.

        Raises:
            CheckpointError: the folder cannot be written, or the disk is full.
            TypeError: a part is not given, or holds something that could not be read back safely.
        """
        path = self.output_dir / (_FINAL if is_final else f"model_{iteration:07d}.pth")
        if not is_main_process():
            return path
        content = _complete(parts, iteration, PARTS)
        write_atomically(path, lambda temporary: _save(content, temporary))
        write_atomically(self.output_dir / _LAST, lambda temporary: _write_text(temporary, path.name))
        logger.info("Saved %s after %d iterations.", path, iteration)
        self._remove_old()
        if is_final:
            self._remove_memories_but(iteration)
        return path

    def save_best(self, iteration: int, parts: Mapping[str, Any]) -> Path:
        """Writes ``model_best.pth`` in place of an earlier one and returns its path; no run is resumed from it.

        Args:
            iteration: steps finished; added to the parts.
            parts: ``model`` and ``task`` as state dicts and ``config`` as text; others may be added.

        Raises:
            CheckpointError: the folder cannot be written, or the disk is full.
            TypeError: a part is not given, or holds something that could not be read back safely.
        """
        path = self.output_dir / _BEST
        if is_main_process():
            content = _complete(parts, iteration, WEIGHT_PARTS)
            write_atomically(path, lambda temporary: _save(content, temporary))
        return path

    def has_best(self) -> bool:
        """Returns whether the folder holds the weights of a best evaluation."""
        return (self.output_dir / _BEST).is_file()

    def has_checkpoint(self) -> bool:
        """Returns whether the folder says what to resume from."""
        return (self.output_dir / _LAST).is_file()

    def load_last(self) -> dict[str, Any] | None:
        """Returns the parts of the checkpoint ``last_checkpoint`` names, on the CPU; None in a folder without one.

        When that file is missing or damaged, the newest whole one is taken, with a warning.

        Raises:
            CheckpointError: no checkpoint of the folder can be read, or it was not written by this program.
        """
        if not self.has_checkpoint():
            if numbered := self._numbered():
                logger.warning("%s holds %s but no %s file: starting anew.", self.output_dir, numbered[0].name, _LAST)
            return None
        named = self.output_dir / self._last_name()
        try:
            return _read_run(named)
        except CheckpointError as error:
            return self._load_newest_but(named, error)

    def _load_newest_but(self, broken: Path, reason: CheckpointError) -> dict[str, Any]:
        for path in [*self._numbered(), self.output_dir / _FINAL]:
            if path == broken or not path.is_file():
                continue
            try:
                parts = _read_run(path)
            except CheckpointError as error:
                logger.warning("Passed over a checkpoint: %s", error)
                continue
            logger.warning("%s Going on from %s, the newest whole checkpoint.", reason, path)
            return parts
        raise CheckpointError(
            f"The run in {self.output_dir} cannot go on: {reason} No other checkpoint there can be read. "
            f"Put the file back, or remove {self.output_dir / _LAST} to start anew."
        )

    def _last_name(self) -> str:
        path = self.output_dir / _LAST
        # Some programs of the family write a path here; the file lies in this folder all the same.
        name = re.split(r"[/\\]", path.read_text(encoding="utf-8", errors="replace").strip())[-1]
        return name or "(no name)"

    def _numbered(self) -> list[Path]:
        """Returns the numbered checkpoints, newest first."""
        found = self.output_dir.glob("model_*.pth")
        numbered = {path: match for path in found if (match := _NUMBERED.fullmatch(path.name))}
        return sorted(numbered, key=lambda path: int(numbered[path][1]), reverse=True)

    def _remove_old(self) -> None:
        last = self._last_name()
        old = self._numbered()[self.kept :] if self.kept else []
        for path in old:
            if path.name != last:
                _unlink(path)
                _unlink(self.output_dir / path.name.replace("model_", "memory_").replace(".pth", ".safetensors"))

    def _remove_memories_but(self, iteration: int) -> None:
        """Removes the memory of an earlier final checkpoint, which the one of this iteration has replaced."""
        kept = {iteration, *(int(match[1]) for path in self._numbered() if (match := _NUMBERED.fullmatch(path.name)))}
        for path in self.output_dir.glob("memory_*.safetensors"):
            if (match := _MEMORY.fullmatch(path.name)) and int(match[1]) not in kept:
                _unlink(path)


def _read_run(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"The checkpoint {path} is missing.")
    parts = read_file(path)
    absent = [name for name in PARTS if name not in parts]
    if absent:
        raise CheckpointError(
            f"{path} is no checkpoint of a run of this program: it has no {', '.join(absent)}. To start from its "
            "weights, set MODEL.WEIGHT to it and choose another OUTPUT_DIR."
        )
    return parts


def _complete(parts: Mapping[str, Any], iteration: int, needed: Sequence[str]) -> dict[str, Any]:
    """Returns what goes into a file, after checking that it is all there and can be read back."""
    content = {**parts, "iteration": iteration}
    if absent := [name for name in needed if name not in content]:
        raise TypeError(f"A checkpoint needs {', '.join(absent)}.")
    _require_plain(content, "checkpoint")
    return content


def _require_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, entry in value.items():
            _require_plain(key, f"a key of {where}")
            _require_plain(entry, f"{where}[{key!r}]")
    elif type(value) in (list, tuple, set):
        for position, entry in enumerate(value):
            _require_plain(entry, f"{where}[{position}]")
    elif type(value) not in _PLAIN:
        raise TypeError(f"{where} is a {type(value).__name__}, which a checkpoint cannot hold; convert it first.")


def _save(content: dict[str, Any], path: Path) -> None:
    with path.open("wb") as file:  # given a file and not a name, torch keeps the system's reason for a failure
        torch.save(content, file)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("Cannot remove the old file %s: %s", path, error)
