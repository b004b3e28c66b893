"""The file of a run's numbers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from alphaction.utils.comm import is_main_process
from alphaction.utils.files import write_text


class MetricsFile:
    """``metrics.jsonl``: one JSON object a line, ``kind`` "train", "eval" or another, each with its ``iteration``.

    Args:
        path: the file; rank 0 alone reads and writes it.
        first_iteration: lines of later iterations are what an earlier, cut-off run of this folder wrote after
            its last checkpoint; they are removed.
        tensorboard_dir: folder for TensorBoard events, None for none.
    """

    def __init__(self, path: Path, first_iteration: int, tensorboard_dir: Path | None) -> None:
        self._path = path if is_main_process() else None
        self._board = None
        self._lines: dict[tuple[str, int], str] = {}
        if self._path is None:
            return
        if tensorboard_dir:
            self._board = SummaryWriter(str(tensorboard_dir), purge_step=first_iteration + 1)
        written = path.read_text().splitlines() if path.exists() else []
        keyed = ((_key_of(line), line) for line in written)
        self._lines = {key: line for key, line in keyed if key is not None and key[1] <= first_iteration}
        if list(self._lines.values()) != written:
            self._rewrite()

    def has(self, kind: str, iteration: int) -> bool:
        return (kind, iteration) in self._lines

    def get(self, kind: str, iteration: int) -> dict[str, Any] | None:
        """Returns the values of a line, without kind and iteration; None where there is none, as on all other ranks."""
        if not self.has(kind, iteration):
            return None
        values = json.loads(self._lines[kind, iteration])
        return {name: value for name, value in values.items() if name not in ("kind", "iteration")}

    def write(self, kind: str, iteration: int, values: Mapping[str, float | str | None]) -> None:
        """Adds a line, in place of one of the same kind and iteration."""
        if self._path is None:
            return
        is_new = not self.has(kind, iteration)
        self._lines[kind, iteration] = json.dumps({"kind": kind, "iteration": iteration, **values})
        if is_new:
            with self._path.open("a") as file:
                file.write(self._lines[kind, iteration] + "\n")
        else:
            self._rewrite()
        prefix = "" if kind in ("train", "eval") else f"{kind}/"
        self._show(iteration, {prefix + name: value for name, value in values.items() if value != ""})

    def close(self) -> None:
        if self._board:
            self._board.close()

    def _show(self, iteration: int, values: Mapping[str, float | str | None]) -> None:
        if not self._board:
            return
        for name, value in values.items():
            if isinstance(value, str):
                self._board.add_text(name, value, iteration)
            elif value is not None:
                self._board.add_scalar(name, value, iteration)
        self._board.flush()

    def _rewrite(self) -> None:
        assert self._path is not None
        write_text(self._path, "".join(line + "\n" for line in self._lines.values()))


def _key_of(line: str) -> tuple[str, int] | None:
    """Returns kind and iteration of a metrics line, None for a line cut off by a kill."""
    try:
        values = json.loads(line)
        return str(values["kind"]), int(values["iteration"])
    except (ValueError, KeyError, TypeError):
        return None
