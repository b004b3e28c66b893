"""JSON files whose entries are checked one by one."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from alphaction.utils.errors import DataError


def read_json_object(path: Path) -> dict[str, Any]:
    """Returns the object of a JSON file; a name that ends in ``.gz`` is decompressed.

    Raises:
        DataError: it cannot be read, is no JSON, or holds something else than an object.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            content = json.load(file)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise DataError(f"Cannot read the JSON file {path}: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def numbers_of(value: Any, count: int, what: str) -> list[float]:
    """Returns a list of ``count`` finite numbers; ``what`` says where it stands and what it is.

    Raises:
        DataError: it is something else.
    """
    is_list = isinstance(value, list) and len(value) == count
    if not is_list or not all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
        raise DataError(f"{what}: expected {count} number{'s' * (count != 1)}, found {value!r}.")
    if not np.isfinite(value).all():
        raise DataError(f"{what}: found {value!r}, which is not finite.")
    return [float(item) for item in value]
