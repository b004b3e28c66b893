"""The rows of an annotation file that can be read, whatever its form."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alphaction.dataset.annotations import Images
from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey


@dataclass(frozen=True, slots=True, eq=False)
class FileRows:
    """The readable rows of a file.

    Attributes:
        path: the file.
        rows: the n rows; boxes as they are written, also outside the frame or upside down.
        line: [n] int64 rows of the file, or entries of a JSON file's list, from 1.
        ids: [n] annotation ids of JSON annotations, else None.
        bad_lines: rows or entries that cannot be read.
        images: the key frames of a JSON file.
        sizes: [n, 2] int64 (width, height) of each row's image in a JSON file, whose boxes are in pixels; else None.
        are_fractions: a JSON file's boxes look like fractions of their images and were read as such.
    """

    path: str
    rows: AvaRows
    line: NDArray[np.int64]
    ids: NDArray[np.object_] | None = None
    bad_lines: tuple[int, ...] = ()
    images: Images | None = None
    sizes: NDArray[np.int64] | None = None
    are_fractions: bool = False

    def place(self, row: int) -> str:
        """Returns where the n-th row (from 0) stands, in words of the file."""
        if self.ids is not None:
            return f"annotation id {self.ids[row]}"
        return f"{'row' if self.sizes is None else 'box'} {self.line[row]}"

    def key(self, row: int) -> ClipKey:
        """Returns the key frame of the n-th row (from 0)."""
        return ClipKey(self.rows.videos[self.rows.video[row]], int(self.rows.timestamp_ms[row]))

    def select(self, index: NDArray[np.bool_]) -> "FileRows":
        """Returns the rows of a mask."""
        ids = None if self.ids is None else self.ids[index]
        sizes = None if self.sizes is None else self.sizes[index]
        return replace(self, rows=self.rows.select(index), line=self.line[index], ids=ids, sizes=sizes)
