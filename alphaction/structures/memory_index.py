"""Which slot of the memory a second of a movie has."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

# A code is a movie's number above these bits, and the second below. Seconds before 0, or far after the end of a movie,
# then make codes that no key frame has.
_SECOND_BITS = 40
_NO_OFFSET = np.zeros(1, np.int64)


class SecondIndex:
    """The key frames of a data set, each once, numbered by movie name and then by time.

    Attributes:
        movies: the names of the movies, sorted.

    Raises:
        DataError: a key frame is not at a whole second.
    """

    def __init__(self, keys: Sequence[ClipKey]) -> None:
        self.movies = tuple(sorted({key.video for key in keys}))
        self._number = {name: number for number, name in enumerate(self.movies)}
        codes = np.unique(self._codes_of(keys))
        self._codes = np.append(codes, np.iinfo(np.int64).max)  # a search beyond the last finds this

    def __len__(self) -> int:
        return len(self._codes) - 1

    @property
    def movie(self) -> NDArray[np.int64]:
        """[slots] position in ``movies``."""
        return self._codes[:-1] >> _SECOND_BITS

    @property
    def second(self) -> NDArray[np.int64]:
        """[slots] time of the key frame in seconds."""
        return self._codes[:-1] & ((1 << _SECOND_BITS) - 1)

    def locate(self, keys: Sequence[ClipKey], offsets: NDArray[np.int64] = _NO_OFFSET) -> NDArray[np.int64]:
        """Returns [N, S] slots of the seconds ``offsets`` [S] away from N key frames, -1 where there is none.

        Raises:
            ValueError: a movie is not in the memory.
            DataError: a key frame is not at a whole second.
        """
        return self._find(self._codes_of(keys)[:, None] + offsets)

    def find(self, movies: Sequence[str], movie: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns [n] slots of the given seconds, -1 where there is none; ``movie`` [n] are positions in ``movies``."""
        number = np.array([self._number.get(name, len(self.movies)) for name in movies], np.int64)
        return self._find((number[movie] << _SECOND_BITS) + second)

    def digest(self) -> str:
        """Returns a text that is the same for the same key frames."""
        return hashlib.sha256("\n".join(self.movies).encode() + self._codes.tobytes()).hexdigest()

    def _find(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        slots = np.searchsorted(self._codes[:-1], codes)
        return np.where(self._codes[slots] == codes, slots, -1)

    def _codes_of(self, keys: Sequence[ClipKey]) -> NDArray[np.int64]:
        milliseconds = np.array([key.timestamp_ms for key in keys], np.int64)
        second, rest = np.divmod(milliseconds, 1000)
        if rest.any():
            raise DataError(
                f"The key frame {keys[int(rest.argmax())]} is not at a whole second. The memory of a model with memory "
                'blocks ("M" in I_BLOCK_LIST) counts whole seconds: round the times of annotations and boxes, or leave '
                "the memory blocks out."
            )
        try:
            movie = np.array([self._number[key.video] for key in keys], np.int64)
        except KeyError as error:
            raise ValueError(
                f"The movie {error} is not in the memory, which holds {len(self.movies)} movies."
            ) from None
        return (movie << _SECOND_BITS) + second
