"""The memory as a .safetensors file.

The library's own writer wants every tensor whole in memory, which would be a second copy of what the pool holds. The
format is small: the length of a JSON header (8 bytes, little-endian), the header, the tensors one after the other. So
it is written here, in pieces. Tensors, for F filled slots in the order of movie and time, with M persons in all:

    second [F] int64, movie [F] int32 (position in the metadata's list), loss [F] float32, features [M, C] float16,
    count [F] uint8
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from alphaction.structures.memory_index import SecondIndex
from alphaction.structures.memory_store import MemoryStore
from alphaction.utils.errors import CheckpointError
from alphaction.utils.files import replaced_when_complete

_SLOTS_AT_ONCE = 1024
_REMEDY = (
    "Put the file that belongs to the checkpoint back; or start a new run from its weights, with MODEL.WEIGHT, "
    "--transfer and another OUTPUT_DIR."
)


def write_memory(path: Path, index: SecondIndex, store: MemoryStore) -> dict[str, Any]:
    """Writes the filled slots; returns the file's name, size and SHA-256. It takes 25 MB beyond the store.

    Raises:
        CheckpointError: the folder cannot be written, or the disk is full.
    """
    checksum, size = hashlib.sha256(), 0
    try:
        with replaced_when_complete(path) as partial, partial.open("wb") as file:
            for piece in _pieces(index, store):
                checksum.update(piece)
                size += file.write(piece)
    except OSError as error:
        raise CheckpointError(
            f"Cannot write {path}: {error.strerror or error}. What was saved there before is unchanged. Free some "
            "space or make the folder writable, then start the same command again."
        ) from error
    return {"file": path.name, "bytes": size, "sha256": checksum.hexdigest()}


def read_memory(path: Path, record: Mapping[str, Any], index: SecondIndex, store: MemoryStore) -> int:
    """Fills the store, which is empty, from a file; returns how many of its key frames the index has not.

    Raises:
        CheckpointError: the file is missing, is not the one of the record, or does not fit the store.
    """
    try:
        _require_same_file(path, record)
        with safe_open(path, "numpy") as file:
            return _fill(file, path, index, store)
    except CheckpointError:
        raise
    except (OSError, SafetensorError, LookupError, ValueError) as error:
        raise CheckpointError(f"Cannot read the memory file {path}: {error}. {_REMEDY}") from error


def _pieces(index: SecondIndex, store: MemoryStore) -> Iterator[bytes | memoryview]:
    filled = store.filled()
    movies, movie = np.unique(index.movie[filled], return_inverse=True)
    metadata = {
        "max_per_second": str(store.per_slot),
        "movies": json.dumps([index.movies[number] for number in movies.tolist()]),
    }
    count = store.count[filled]
    yield _header(metadata, len(filled), (int(count.sum(dtype=np.int64)), store.dim))
    yield index.second[filled].tobytes()
    yield movie.astype(np.int32).tobytes()
    yield store.loss[filled].tobytes()
    for start in range(0, len(filled), _SLOTS_AT_ONCE):
        rows = store.rows_of(filled[start : start + _SLOTS_AT_ONCE])
        yield store.rows[rows].numpy().reshape(-1).data
    yield count.tobytes()


def _header(metadata: dict[str, str], num_filled: int, features: tuple[int, int]) -> bytes:
    tensors = (
        ("second", "I64", 8, (num_filled,)),
        ("movie", "I32", 4, (num_filled,)),
        ("loss", "F32", 4, (num_filled,)),
        ("features", "F16", 2, features),
        ("count", "U8", 1, (num_filled,)),
    )
    entries: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, dtype, item_size, shape in tensors:
        start, end = end, end + item_size * int(np.prod(shape))
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": (start, end)}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _require_same_file(path: Path, record: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise CheckpointError(f"The memory file {path} of the checkpoint is missing. {_REMEDY}")
    size = path.stat().st_size
    if size != record.get("bytes"):
        raise CheckpointError(
            f"The memory file {path} has {size} bytes, but the checkpoint was saved with one of {record.get('bytes')}. "
            f"{_REMEDY}"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != record.get("sha256"):
        raise CheckpointError(
            f"The memory file {path} has the checksum {found[:12]}.., but the checkpoint was saved with "
            f"{str(record.get('sha256'))[:12]}..: it is damaged, or of another checkpoint. {_REMEDY}"
        )


def _fill(file: Any, path: Path, index: SecondIndex, store: MemoryStore) -> int:
    metadata = file.metadata() or {}
    features = file.get_slice("features")
    shape = (int(metadata["max_per_second"]), features.get_shape()[1])
    if shape != (store.per_slot, store.dim):
        raise CheckpointError(
            f"The memory file {path} has up to {shape[0]} persons per second of {shape[1]} channels, but the model has "
            f"{store.per_slot} of {store.dim}. Set MODEL.IA_STRUCTURE.MAX_PER_SEC and the backbone as they "
            "were."
        )
    count, loss = file.get_tensor("count"), file.get_tensor("loss")
    movie = file.get_tensor("movie").astype(np.int64)
    slots = index.find(json.loads(metadata["movies"]), movie, file.get_tensor("second"))
    ends = np.append(0, np.cumsum(count, dtype=np.int64))
    for start in range(0, len(slots), _SLOTS_AT_ONCE):
        part = slice(start, min(start + _SLOTS_AT_ONCE, len(slots)))
        known = slots[part] >= 0
        persons = features[int(ends[part.start]) : int(ends[part.stop])][np.repeat(known, count[part])]
        store.put(slots[part][known], count[part][known], torch.from_numpy(persons), loss[part][known])
    return int((slots < 0).sum())
