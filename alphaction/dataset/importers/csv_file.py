"""CSV files row by row, with the numbers of their rows."""

import csv
from collections.abc import Iterator
from pathlib import Path

from alphaction.utils.errors import DataError


def read_csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the number (from 1) and the cells of each line that is not blank; cells have no space around them.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Cannot read the CSV file {path}: {error}") from error
