"""Tensors out of files, safely."""

import collections
import os
import pickle
import sys
import types

import numpy as np
import pytest
import safetensors.torch
import torch

from alphaction.checkpoint.reading import read_tensors
from alphaction.utils.errors import CheckpointError

WEIGHTS = {"a.w": torch.arange(6.0).reshape(2, 3), "a.b": torch.ones(2, dtype=torch.float16)}


def assert_weights(path):
    tensors, left_out = read_tensors(path)
    assert tensors.keys() == WEIGHTS.keys()
    assert all(torch.equal(tensors[key], WEIGHTS[key]) for key in WEIGHTS)
    return left_out


@pytest.mark.parametrize("container", [None, "model", "state_dict", "model_state"])
@pytest.mark.parametrize("is_zip", [True, False])
def test_weights_are_found_bare_or_in_a_container(tmp_path, container, is_zip):
    content = WEIGHTS if container is None else {"epoch": 3, container: WEIGHTS}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=is_zip)
    assert assert_weights(tmp_path / "w.pth") == ()


@pytest.mark.parametrize("name", ["w.pt", "w.pkl"])
def test_other_endings_of_torch_save_are_read(tmp_path, name):
    torch.save(WEIGHTS, tmp_path / name)
    assert_weights(tmp_path / name)


def test_safetensors_are_read(tmp_path):
    safetensors.torch.save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert_weights(tmp_path / "w.safetensors")


def test_entries_that_are_no_tensors_are_left_out_with_a_reason(tmp_path):
    torch.save({**WEIGHTS, "epoch": 7, "sparse": torch.eye(2).to_sparse()}, tmp_path / "w.pth")
    assert assert_weights(tmp_path / "w.pth") == (
        ("epoch", "no tensor but int"),
        ("sparse", "not a dense tensor with data"),
    )


def fake_alphaction_pool(monkeypatch):
    """Returns features of persons as the original pickled them, of classes with its names."""

    class BoxList:
        def __init__(self):
            self.bbox = torch.zeros(1, 4)
            self.size = (10, 10)
            self.extra_fields = {"pooled_feature": torch.ones(1, 8), "loss_tag": np.float64(1.5)}

    class MemoryPool:
        def __init__(self):
            self.cache = collections.defaultdict(dict)
            self.cache["movie"][902] = BoxList()

    for cls, name in [(BoxList, "bounding_box"), (MemoryPool, "memory_pool")]:
        module = types.ModuleType(f"alphaction.structures.{name}")
        cls.__module__, cls.__qualname__ = module.__name__, cls.__name__
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return MemoryPool()


@pytest.mark.parametrize("is_zip", [True, False])
def test_alphaction_checkpoints_with_a_pickled_pool_are_read_without_their_classes(tmp_path, monkeypatch, is_zip):
    with monkeypatch.context() as only_while_saving:
        content = {"model": WEIGHTS, "iteration": 90000, "person_pool": fake_alphaction_pool(only_while_saving)}
        torch.save(content, tmp_path / "model_final.pth", _use_new_zipfile_serialization=is_zip)
    assert "alphaction.structures.bounding_box" not in sys.modules
    assert assert_weights(tmp_path / "model_final.pth") == ()
    assert "alphaction.structures.bounding_box" not in sys.modules


def test_the_list_of_shells_does_not_outlive_the_reading(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    torch.save(WEIGHTS, tmp_path / "w.pth")
    read_tensors(tmp_path / "w.pth")
    assert set(torch.serialization.get_safe_globals()) == before


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_file_is_named_and_never_run(tmp_path, is_zip):
    torch.save(
        {"model": WEIGHTS, "x": Bomb(tmp_path / "hit")}, tmp_path / "w.pth", _use_new_zipfile_serialization=is_zip
    )
    with pytest.raises(CheckpointError, match=r"class or function \w+\.mkdir\. Only tensors and plain values"):
        read_tensors(tmp_path / "w.pth")
    assert not (tmp_path / "hit").exists()


def test_a_whole_pickled_model_is_refused_with_the_way_out(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear.*model\.state_dict\(\)"):
        read_tensors(tmp_path / "w.pth")


def test_a_plain_pickle_is_refused_and_not_run(tmp_path):
    for protocol in (2, 4):
        path = tmp_path / f"w{protocol}.pkl"
        path.write_bytes(pickle.dumps({"blobs": {"w": np.ones(3)}, "x": Bomb(tmp_path / "hit")}, protocol=protocol))
        with pytest.raises(CheckpointError, match=path.name):
            read_tensors(path)
    assert not (tmp_path / "hit").exists()


def test_a_missing_file_is_named():
    with pytest.raises(CheckpointError, match=r"The weight file nowhere/w\.pth does not exist; check MODEL\.WEIGHT"):
        read_tensors("nowhere/w.pth")


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_called_damaged(tmp_path, ending, share):
    path = tmp_path / f"w{ending}"
    if ending == ".pth":
        torch.save(WEIGHTS, path)
    else:
        safetensors.torch.save_file(WEIGHTS, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="damaged, cut short or of another kind"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\n<!DOCTYPE html><html>", "web page"), (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull")],
)
def test_a_failed_download_is_recognised(tmp_path, content, reason):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        read_tensors(tmp_path / "w.pth")


def test_a_file_without_tensors_names_what_it_has(tmp_path):
    torch.save({"blobs": {"conv1_w": 1}, "lr": 0.1}, tmp_path / "w.pkl")
    with pytest.raises(CheckpointError, match=r"holds no weights: found blobs, lr\..*Caffe2"):
        read_tensors(tmp_path / "w.pkl")


def test_a_file_of_a_lone_tensor_is_refused(tmp_path):
    torch.save(torch.ones(2), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="holds a Tensor, expected a dictionary"):
        read_tensors(tmp_path / "w.pth")
