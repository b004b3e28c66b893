"""The memory into a file and out of it."""

import hashlib
import os
import signal

import pytest
import safetensors.torch
import torch
from memories import DIM, keys_of, persons, random_memory, small_pool, values_at

from alphaction.structures import memory_file
from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool
from alphaction.utils.errors import CheckpointError

A905, B905 = ClipKey("a", 905_000), ClipKey("b", 905_000)


@pytest.fixture
def written():
    pool = small_pool()
    pool.write([B905, A905], persons(1, 2), [1, 2], loss=0.25)
    return pool


def test_what_was_saved_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_file, "_SLOTS_AT_ONCE", 7)
    pool, keys, _ = random_memory(seed=1)
    record = pool.save(tmp_path / "memory_0000001.safetensors")
    again = MemoryPool.create(keys, max_per_second=3, dim=DIM)
    again.write(keys[:50], torch.ones(50, 3, DIM), [3] * 50)
    again.load(tmp_path / "memory_0000001.safetensors", record)
    window, expected = (each.fetch(keys, before=0, after=0, rate=1) for each in (again, pool))
    assert again.num_filled == pool.num_filled > 60
    for name in ("features", "position", "loss"):
        assert torch.equal(getattr(window, name), getattr(expected, name))


def test_the_file_is_what_the_library_reads(tmp_path, written):
    path = tmp_path / "memory.safetensors"
    written.save(path)
    content = safetensors.torch.load_file(path)
    assert content["features"].dtype == torch.float16
    assert content["features"][:, 0].tolist() == [2, 2, 1]
    assert {name: content[name].tolist() for name in ("movie", "second", "count", "loss")} == {
        "movie": [0, 1],
        "second": [905, 905],
        "count": [2, 1],
        "loss": [0.25, 0.25],
    }
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"max_per_second": "2", "movies": '["a", "b"]'}


def test_the_record_names_the_file_its_size_and_its_checksum(tmp_path, written):
    path = tmp_path / "memory.safetensors"
    content = (record := written.save(path)) and path.read_bytes()
    assert record == {
        "file": "memory.safetensors",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert {type(value) for value in record.values()} == {str, int}


def test_equal_memories_give_equal_bytes(tmp_path, written):
    other = small_pool()
    other.write([A905], persons(9), [2], loss=3.0)
    other.write([ClipKey("b", 900_000)], persons(9), [2])
    other.write([A905], persons(2), [2], loss=0.25)
    other.write([ClipKey("b", 900_000)], persons(9), [0])
    other.write([B905], persons(1), [1], loss=0.25)
    assert other.save(tmp_path / "one.safetensors")["sha256"] == written.save(tmp_path / "two.safetensors")["sha256"]


def test_an_empty_memory_can_be_saved(tmp_path, written):
    path = tmp_path / "memory.safetensors"
    record = small_pool().save(path)
    assert len(safetensors.torch.load_file(path)["features"]) == 0
    written.load(path, record)
    assert written.num_filled == 0


def test_key_frames_of_another_data_set_are_counted_and_left_out(tmp_path, written, caplog):
    path = tmp_path / "memory.safetensors"
    record = written.save(path)
    pool = MemoryPool.create(keys_of("b", [905]) + keys_of("c", [1]), max_per_second=2, dim=DIM)
    pool.load(path, record)
    assert values_at(pool, B905) == [1] and pool.num_filled == 1
    assert f"1 key frames of {path} are not in this data set" in caplog.text


@pytest.mark.parametrize("words, found", [({"max_per_second": 3}, "2 persons"), ({"dim": 8}, "of 6 channels")])
def test_a_memory_of_another_shape_is_refused(tmp_path, written, words, found):
    path = tmp_path / "memory.safetensors"
    record = written.save(path)
    with pytest.raises(CheckpointError, match=f"{found}.*MAX_PER_SEC and the backbone as they were"):
        small_pool(**words).load(path, record)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage, found",
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, but the checkpoint"),
        (flip_a_bit, "has the checksum .* damaged"),
    ],
)
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path, written, damage, found):
    path = tmp_path / "memory.safetensors"
    record = written.save(path)
    damage(path)
    with pytest.raises(CheckpointError, match=f"{found}.*Put the file .* back; or start a new run .*--transfer"):
        written.load(path, record)
    assert written.num_filled == 0


def test_another_kind_of_file_is_refused(tmp_path, written):
    path = tmp_path / "memory.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    content = path.read_bytes()
    record = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    with pytest.raises(CheckpointError, match="Cannot read the memory file"):
        written.load(path, record)


def test_a_record_of_another_program_is_refused(tmp_path, written):
    written.save(tmp_path / "memory.safetensors")
    with pytest.raises(CheckpointError, match="saved with one of None"):
        written.load(tmp_path / "memory.safetensors", {})


def test_a_folder_that_cannot_be_written_is_explained(tmp_path, written):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"Cannot write .*Free some space"):
        written.save(tmp_path / "file" / "memory.safetensors")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_kill_while_saving_leaves_the_earlier_file(tmp_path, written, monkeypatch):
    path = tmp_path / "memory.safetensors"
    record = written.save(path)
    written.write([A905], persons(7), [2])
    monkeypatch.setattr(os, "fsync", die)
    if (child := os.fork()) == 0:
        written.save(path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert sorted(each.name for each in tmp_path.iterdir()) == [".memory.safetensors.partial", path.name]
    written.load(path, record)
    assert values_at(written, A905) == [2, 2]


def die(*words):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_full_disk_while_saving_leaves_the_earlier_file(tmp_path, written, monkeypatch):
    path = tmp_path / "memory.safetensors"
    record = written.save(path)

    def is_full(*words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", is_full)
    written.write([A905], persons(7), [2])
    with pytest.raises(CheckpointError, match=r"No space left on device. What was saved there before is unchanged"):
        written.save(path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    written.load(path, record)
    assert values_at(written, A905) == [2, 2]
