"""The constants of a frozen TensorFlow graph, read from its protobuf bytes without TensorFlow.

The wire format is described at https://protobuf.dev/programming-guides/encoding; the field numbers are those of
TensorFlow's graph.proto, node_def.proto, attr_value.proto, tensor.proto and tensor_shape.proto.
"""

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from alphaction.utils.errors import DataError

_Value: TypeAlias = int | memoryview
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# TensorProto.dtype -> (element type, field of its unpacked values)
_FLOAT, _INT32 = 1, 3
_DTYPES: dict[int, DTypeLike] = {_FLOAT: "<f4", _INT32: "<i4"}


def read_constants(graph: bytes) -> dict[str, NDArray]:
    """Returns the float32 and int32 constants of a GraphDef by the names of their nodes; other types are left out.

    Raises:
        DataError: the bytes are no GraphDef.
    """
    try:
        nodes = [dict(_read_node(value)) for field, value in _fields(memoryview(graph)) if field == 1]
    except (IndexError, TypeError, ValueError, KeyError) as error:
        raise DataError(f"These {len(graph)} bytes are not a frozen TensorFlow graph: {error}.") from error
    return {name: tensor for node in nodes for name, tensor in node.items()}


def _read_node(message: _Value) -> Iterator[tuple[str, NDArray]]:
    """Yields the name and value of a NodeDef, if it is a constant."""
    fields = list(_fields(message))
    if [_text(value) for field, value in fields if field == 2] != ["Const"]:
        return
    name = next(_text(value) for field, value in fields if field == 1)
    for entry in (dict(_fields(value)) for field, value in fields if field == 5):
        if _text(entry[1]) == "value":
            tensor = _read_tensor(dict(_fields(entry[2]))[8])
            if tensor is not None:
                yield name, tensor


def _read_tensor(message: _Value) -> NDArray | None:
    """Returns the array of a TensorProto, None if its type is not one we need."""
    kind, content = 0, memoryview(b"")
    shape: tuple[int, ...] = ()
    listed: list[_Value] = []
    for field, value in _fields(message):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field == 2:
            shape = tuple(_dimension(dim) for number, dim in _fields(value) if number == 2)
        elif field == 4 and isinstance(value, memoryview):
            content = value
        elif field in (5, 7):  # float_val, int_val: fewer values than elements mean that the last one repeats
            listed.append(value)
    if kind not in _DTYPES:
        return None
    values = np.frombuffer(content, _DTYPES[kind]) if len(content) else _listed_values(listed, kind)
    count = math.prod(shape)
    if len(values) < count and len(values):
        values = np.concatenate([values, np.repeat(values[-1:], count - len(values))])
    return values.reshape(shape).copy()


def _listed_values(listed: list[_Value], kind: int) -> NDArray:
    if kind == _FLOAT:  # packed, or one 4-byte value a field
        return np.frombuffer(b"".join(bytes(value) for value in listed if isinstance(value, memoryview)), "<f4")
    numbers: list[int] = []
    for value in listed:
        numbers += [value] if isinstance(value, int) else _varints(value)
    return np.array(numbers, np.uint64).astype(np.int64).astype(np.int32)


def _dimension(message: _Value) -> int:
    return next((value for field, value in _fields(message) if field == 1 and isinstance(value, int)), 0)


def _text(value: _Value) -> str:
    if isinstance(value, int):
        raise ValueError("a number stands where a name belongs")
    return bytes(value).decode()


def _fields(message: _Value) -> Iterator[tuple[int, _Value]]:
    """Yields (field number, value) of a message; lengths-delimited and fixed values are bytes, the others numbers."""
    if isinstance(message, int):
        raise ValueError("a number stands where a message belongs")
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(message, place)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {place}")
        if place + length > len(message):
            raise ValueError(f"the bytes end within a field of {length} bytes at byte {place}")
        yield number, message[place : place + length]
        place += length


def _varints(message: memoryview) -> list[int]:
    numbers, place = [], 0
    while place < len(message):
        number, place = _varint(message, place)
        numbers.append(number)
    return numbers


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Returns the number that begins at ``place``, seven bits a byte, lowest first, and the place behind it."""
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
