"""One tree of loggers below ``alphaction``; rank 0 speaks on the console and writes ``log.txt``."""

import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from alphaction.utils.errors import UserError

# A number as tables have it; columns of numbers may have cells that are empty or a dash.
_NUMBER = re.compile(r"[-+]?\d[\d,.]*(e[-+]?\d+)?%?|-?")

_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


class _Backlog(logging.Handler):
    """Keeps what is said before the log file can be opened."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def setup_logger(output_dir: str | Path | None, rank: int = 0) -> logging.Logger:
    """Returns the root of our loggers, writing to the console and to ``output_dir/log.txt`` on rank 0.

    Errors go to the error stream of the console, everything else to its output stream. Without a folder, records are
    kept; the call that brings the folder writes them to the file first. Calling it again replaces the handlers, so that
    a second run in one process writes to its own folder. Other ranks report warnings and errors only, on the console,
    with their rank.

    Raises:
        UserError: the folder cannot be written.
    """
    logger = logging.getLogger("alphaction")
    logger.propagate = False
    earlier = [record for handler in logger.handlers if isinstance(handler, _Backlog) for record in handler.records]
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    formatter = logging.Formatter(("" if rank == 0 else f"[rank {rank}] ") + _FORMAT, datefmt="%H:%M:%S")
    for handler in [*_console_handlers(), *_record_handlers(output_dir, rank)]:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        if isinstance(handler, logging.FileHandler):
            for record in earlier:
                handler.emit(record)
    return logger


def _console_handlers() -> list[logging.Handler]:
    console, errors = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    console.addFilter(lambda record: record.levelno < logging.ERROR)
    errors.setLevel(logging.ERROR)
    return [console, errors]


def _record_handlers(output_dir: str | Path | None, rank: int) -> list[logging.Handler]:
    if rank != 0:
        return []
    if output_dir is None:
        return [_Backlog()]
    try:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        return [logging.FileHandler(Path(output_dir) / "log.txt", encoding="utf-8")]
    except OSError as error:
        raise UserError(f"Cannot write to OUTPUT_DIR {output_dir}: {error.strerror}. Choose another folder.") from error


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns the rows as aligned columns below their header; numbers are set to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(header)]
    numeric = [bool(rows) and all(_NUMBER.fullmatch(row[i]) for row in cells) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        aligned = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, cells)])
