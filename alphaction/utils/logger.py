"""One tree of loggers below ``alphaction``; rank 0 speaks on the console and writes ``log.txt``."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


def setup_logger(output_dir: str | Path | None, rank: int = 0) -> logging.Logger:
    """Returns the root of our loggers, writing to the console and to ``output_dir/log.txt`` on rank 0.

    Errors go to the error stream of the console, everything else to its output stream.

    Calling it again replaces the handlers, so that a second run in one process writes to its own folder.
    Other ranks report warnings and errors only, on the console, with their rank.
    """
    logger = logging.getLogger("alphaction")
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    prefix = "" if rank == 0 else f"[rank {rank}] "
    formatter = logging.Formatter(prefix + _FORMAT, datefmt="%H:%M:%S")
    console, errors = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    console.addFilter(lambda record: record.levelno < logging.ERROR)
    errors.setLevel(logging.ERROR)
    handlers: list[logging.Handler] = [console, errors]
    if output_dir is not None and rank == 0:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(Path(output_dir) / "log.txt", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    return logger


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns the rows as aligned columns below their header; numbers are set to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(header)]
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        aligned = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, cells)])
