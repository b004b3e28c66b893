import struct

import numpy as np
import pytest
from wire import constant, field, graph, shape, tensor, varint

from alphaction.detection.frozen_graph import read_constants
from alphaction.utils.errors import DataError


def test_a_message_written_byte_by_byte_gives_its_name_and_numbers() -> None:
    # NodeDef: name "w", op "Const", attr value { tensor { dtype float, shape [2], float_val 1.5, -2 } }
    content = bytes.fromhex("0801 1204 1202 0802 2a08 0000c03f 000000c0".replace(" ", ""))
    attribute = bytes.fromhex("0a05") + b"value" + bytes([0x12, len(content) + 2, 0x42, len(content)]) + content
    node = b"\x0a\x01w\x12\x05Const" + bytes([0x2A, len(attribute)]) + attribute
    found = read_constants(bytes([0x0A, len(node)]) + node)
    assert list(found) == ["w"] and found["w"].tolist() == [1.5, -2.0]


def test_arrays_keep_their_shape_and_type() -> None:
    given = {"a/weights": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "b": np.array([-1, 300], np.int32)}
    found = read_constants(graph(given))
    assert all(np.array_equal(found[name], array) and found[name].dtype == array.dtype for name, array in given.items())


def test_a_single_listed_value_fills_the_shape() -> None:
    listed = field(1, 1) + shape(2, 2) + varint(5 << 3 | 5) + struct.pack("<f", 0.25)
    assert read_constants(constant("fill", listed))["fill"].tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_a_scalar_and_a_negative_whole_number_are_read() -> None:
    minus_one = field(1, 3) + field(7, varint((1 << 64) - 1))
    found = read_constants(constant("axis", minus_one))["axis"]
    assert found.shape == () and int(found) == -1


def test_other_nodes_and_other_types_are_left_out() -> None:
    text = constant("text", field(1, 7) + field(8, "words"))
    node = field(1, field(1, "add") + field(2, "Add") + field(3, "a"))
    assert list(read_constants(text + node + graph({"kept": np.zeros(1, np.float32)}))) == ["kept"]


@pytest.mark.parametrize("cut", [3, 20, 45])
def test_bytes_that_end_too_early_are_refused(cut: int) -> None:
    whole = constant("weights", tensor(np.ones(8, np.float32)))
    with pytest.raises(DataError, match="not a frozen TensorFlow graph"):
        read_constants(whole[:cut])


def test_text_is_refused() -> None:
    with pytest.raises(DataError, match="not a frozen TensorFlow graph"):
        read_constants(b"this is a note and no graph")
