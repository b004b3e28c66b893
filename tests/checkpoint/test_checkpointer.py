"""Runs into a folder and out of it, whatever happens between."""

import logging
import os
import resource

import pytest
import torch

from alphaction.checkpoint import Checkpointer
from alphaction.utils.errors import CheckpointError


def make_parts(value=0.0, **changed):
    parts = {
        "model": {"w": torch.full((4,), value)},
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(4)}}, "param_groups": [{"lr": 0.1, "names": ["w"]}]},
        "scheduler": {"iteration": 5},
        "task": {},
        "rng": {"seed": 3, "torch": torch.get_rng_state()},
        "config": "MODEL: {}\n",
    }
    return {**parts, **changed}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_comes_back_with_its_iteration(tmp_path):
    Checkpointer(tmp_path / "run").save(5, make_parts(2.0))
    found = Checkpointer(tmp_path / "run").load_last()
    assert found["iteration"] == 5
    assert torch.equal(found["model"]["w"], torch.full((4,), 2.0))
    assert found["optimizer"]["param_groups"] == [{"lr": 0.1, "names": ["w"]}]
    assert found["config"] == "MODEL: {}\n"
    assert names(tmp_path / "run") == ["last_checkpoint", "model_0000005.pth"]


def test_files_are_readable_by_the_strict_reader(tmp_path):
    path = Checkpointer(tmp_path).save(5, make_parts())
    assert torch.load(path, weights_only=True).keys() == {*make_parts(), "iteration"}


def test_last_checkpoint_holds_a_basename(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    checkpointer.save(7, make_parts(), is_final=True)
    assert (tmp_path / "last_checkpoint").read_text() == "model_final.pth\n"
    assert checkpointer.load_last()["iteration"] == 7


def test_a_folder_without_a_checkpoint_gives_none(tmp_path):
    assert Checkpointer(tmp_path).load_last() is None
    assert Checkpointer(tmp_path / "not there").load_last() is None


def test_checkpoints_without_a_pointer_are_not_taken_but_named(tmp_path, caplog):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    (tmp_path / "last_checkpoint").unlink()
    assert checkpointer.load_last() is None
    assert "model_0000005.pth but no last_checkpoint" in caplog.text


def break_missing(path):
    path.unlink()


def break_truncated(path):
    path.write_bytes(path.read_bytes()[:-200])


def break_empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [break_missing, break_truncated, break_empty])
def test_a_damaged_last_file_gives_way_to_the_newest_whole_one(tmp_path, caplog, damage):
    checkpointer = Checkpointer(tmp_path)
    for iteration in (5, 10, 15):
        checkpointer.save(iteration, make_parts())
    damage(tmp_path / "model_0000015.pth")
    assert checkpointer.load_last()["iteration"] == 10
    assert "model_0000015.pth" in caplog.text
    assert "Going on from" in caplog.text


def test_a_damaged_fallback_is_passed_over_too(tmp_path, caplog):
    checkpointer = Checkpointer(tmp_path)
    for iteration in (5, 10, 15):
        checkpointer.save(iteration, make_parts())
    break_missing(tmp_path / "model_0000015.pth")
    break_truncated(tmp_path / "model_0000010.pth")
    assert checkpointer.load_last()["iteration"] == 5


def test_a_folder_with_nothing_readable_is_an_error_that_says_what_to_do(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    break_truncated(tmp_path / "model_0000005.pth")
    with pytest.raises(CheckpointError, match=r"cannot go on: Cannot read .*model_0000005.pth.*to start anew"):
        checkpointer.load_last()


def test_an_empty_pointer_falls_back(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    (tmp_path / "last_checkpoint").write_text("")
    assert checkpointer.load_last()["iteration"] == 5


def test_a_pointer_with_a_path_is_read_by_its_file_name(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    checkpointer.save(10, make_parts())
    (tmp_path / "last_checkpoint").write_text("/elsewhere/run/model_0000005.pth")
    assert checkpointer.load_last()["iteration"] == 5


def test_a_checkpoint_of_another_program_is_refused_with_what_to_do(tmp_path):
    torch.save({"model": {}, "optimizer": {}, "scheduler": {}, "iteration": 5}, tmp_path / "model_0000005.pth")
    (tmp_path / "last_checkpoint").write_text("model_0000005.pth")
    with pytest.raises(CheckpointError, match=r"has no task, config.*MODEL.WEIGHT"):
        Checkpointer(tmp_path).load_last()


def write_half_and(error):
    def save(content, file):
        file.write(b"half of it")
        raise error

    return save


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("enforce fail")])
def test_a_failing_write_leaves_the_checkpoint_before_valid(tmp_path, monkeypatch, error):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    before = names(tmp_path)
    monkeypatch.setattr(torch, "save", write_half_and(error))
    with pytest.raises(CheckpointError, match=f"Cannot write .*model_0000010.pth: {error.args[-1]}"):
        checkpointer.save(10, make_parts())
    assert names(tmp_path) == before
    assert checkpointer.load_last()["iteration"] == 5


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    before = names(tmp_path)
    monkeypatch.setattr(torch, "save", write_half_and(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        checkpointer.save(10, make_parts())
    assert names(tmp_path) == before


def test_a_kill_between_file_and_pointer_resumes_from_the_pointer(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    replaced = []

    def die_at_the_second(source, target):
        replaced.append(target)
        if len(replaced) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    rename = os.replace
    monkeypatch.setattr(os, "replace", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        checkpointer.save(10, make_parts())
    assert (tmp_path / "model_0000010.pth").exists()
    assert Checkpointer(tmp_path).load_last()["iteration"] == 5


def test_a_save_over_an_older_file_of_that_name_keeps_the_old_one_until_the_new_is_whole(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts(1.0))
    with monkeypatch.context() as failing:
        failing.setattr(torch, "save", write_half_and(OSError(28, "No space left on device")))
        with pytest.raises(CheckpointError):
            checkpointer.save(5, make_parts(2.0))
    assert checkpointer.load_last()["model"]["w"][0] == 1.0
    checkpointer.save(5, make_parts(2.0))
    assert checkpointer.load_last()["model"]["w"][0] == 2.0


def test_a_real_limit_of_the_system_is_reported_in_its_words(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(5, make_parts())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(CheckpointError, match="File too large"):
            checkpointer.save(10, make_parts(model={"w": torch.zeros(1_000_000)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpointer.load_last()["iteration"] == 5


def test_an_output_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(CheckpointError, match=r"Cannot write .*run/model_0000005.pth"):
        Checkpointer(tmp_path / "run").save(5, make_parts())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CheckpointError, match="Permission denied"):
        Checkpointer(tmp_path).save(5, make_parts())


def test_half_written_files_of_a_killed_run_are_removed_and_others_stay(tmp_path, caplog):
    theirs = ["notes.partial", ".model.partial", "model_0000005.pth", ".model_x.pth.swp", "a.tmp"]
    ours = [".model_0000010.pth.partial", ".last_checkpoint.partial", ".memory_0000010.safetensors.partial"]
    for name in theirs + ours:
        (tmp_path / name).write_text("x")
    checkpointer = Checkpointer(tmp_path)
    assert len(names(tmp_path)) == len(theirs + ours)  # a test on the folder of a live run removes nothing
    checkpointer.remove_leftovers()
    assert names(tmp_path) == sorted(theirs)
    assert ".model_0000010.pth.partial" in caplog.text


def test_the_newest_files_are_kept_and_the_final_one_always(tmp_path):
    checkpointer = Checkpointer(tmp_path, kept=2)
    checkpointer.save(1, make_parts(), is_final=True)
    for iteration in (5, 10, 15, 20):
        checkpointer.save(iteration, make_parts())
    assert names(tmp_path) == ["last_checkpoint", "model_0000015.pth", "model_0000020.pth", "model_final.pth"]


def test_zero_keeps_all(tmp_path):
    checkpointer = Checkpointer(tmp_path, kept=0)
    for iteration in range(1, 6):
        checkpointer.save(iteration, make_parts())
    assert len(names(tmp_path)) == 6


def test_the_file_the_pointer_names_is_kept_even_among_newer_ones_of_an_earlier_run(tmp_path):
    Checkpointer(tmp_path).save(100, make_parts())
    checkpointer = Checkpointer(tmp_path, kept=1)
    checkpointer.save(5, make_parts())
    assert "model_0000005.pth" in names(tmp_path)
    assert checkpointer.load_last()["iteration"] == 5


def test_a_memory_file_goes_with_its_checkpoint(tmp_path):
    checkpointer = Checkpointer(tmp_path, kept=1)
    for iteration in (5, 10):
        (tmp_path / f"memory_{iteration:07d}.safetensors").write_bytes(b"x")
        checkpointer.save(iteration, make_parts())
    assert names(tmp_path) == ["last_checkpoint", "memory_0000010.safetensors", "model_0000010.pth"]


def test_the_next_file_sorts_by_number_beyond_seven_digits(tmp_path):
    checkpointer = Checkpointer(tmp_path, kept=1)
    checkpointer.save(9_999_999, make_parts())
    checkpointer.save(10_000_000, make_parts())
    assert names(tmp_path) == ["last_checkpoint", "model_10000000.pth"]


def test_only_the_main_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("alphaction.checkpoint.checkpointer.is_main_process", lambda: False)
    (tmp_path / ".last_checkpoint.partial").write_text("of the main process")
    Checkpointer(tmp_path).save(5, make_parts())
    assert names(tmp_path) == [".last_checkpoint.partial"]


@pytest.mark.parametrize("value", [object(), {"x": [logging.INFO, {1.5: lambda: 0}]}, (1, range(3))])
def test_a_part_that_could_not_be_read_back_is_refused_at_once(tmp_path, value):
    with pytest.raises(TypeError, match=r"checkpoint\['task'\].*which a checkpoint cannot hold"):
        Checkpointer(tmp_path).save(5, make_parts(task=value))
    assert names(tmp_path) == []


def test_a_checkpoint_without_a_part_is_refused_at_once(tmp_path):
    with pytest.raises(TypeError, match="A checkpoint needs task, optimizer"):
        Checkpointer(tmp_path).save(5, {"model": {}, "scheduler": {}, "config": ""})


def test_the_memory_of_a_final_checkpoint_stays_until_the_next_one_is_whole(tmp_path, monkeypatch):
    """A run that is continued and fails between its two files still has the ones of its first end."""
    checkpointer = Checkpointer(tmp_path)
    (tmp_path / "memory_0000008.safetensors").write_bytes(b"first end")
    checkpointer.save(8, make_parts(), is_final=True)
    (tmp_path / "memory_0000016.safetensors").write_bytes(b"second end")
    with monkeypatch.context() as full, pytest.raises(CheckpointError, match="No space left"):
        full.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        checkpointer.save(16, make_parts(), is_final=True)
    assert "memory_0000008.safetensors" in names(tmp_path)
    checkpointer.save(16, make_parts(), is_final=True)
    assert names(tmp_path) == ["last_checkpoint", "memory_0000016.safetensors", "model_final.pth"]


def test_a_final_checkpoint_leaves_the_memories_of_numbered_ones(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    for iteration in (4, 8):
        (tmp_path / f"memory_{iteration:07d}.safetensors").write_bytes(b"x")
    checkpointer.save(4, make_parts())
    checkpointer.save(8, make_parts(), is_final=True)
    assert {"memory_0000004.safetensors", "memory_0000008.safetensors"} <= set(names(tmp_path))


def test_the_best_weights_stand_beside_the_checkpoints_and_stay(tmp_path):
    checkpointer = Checkpointer(tmp_path, kept=1)
    best = {name: make_parts(0.5)[name] for name in ("model", "task", "config")}
    assert not checkpointer.has_best()
    checkpointer.save_best(10, {**best, "metric": {"name": "mAP", "value": 0.3}})
    assert checkpointer.has_best() and not checkpointer.has_checkpoint()
    for iteration in (10, 20, 30):
        checkpointer.save(iteration, make_parts(1.0))
    checkpointer.save(40, make_parts(1.0), is_final=True)
    assert names(tmp_path) == ["last_checkpoint", "model_0000030.pth", "model_best.pth", "model_final.pth"]
    content = torch.load(tmp_path / "model_best.pth", weights_only=True)
    assert content["iteration"] == 10 and content["metric"]["value"] == 0.3 and content["model"]["w"][0] == 0.5


def test_the_best_weights_before_stay_until_the_new_ones_are_whole(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save_best(10, make_parts(1.0))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", write_half_and(OSError(28, "No space left on device")))
        with pytest.raises(CheckpointError, match="No space left on device"):
            checkpointer.save_best(20, make_parts(2.0))
    assert names(tmp_path) == ["model_best.pth"]
    assert torch.load(tmp_path / "model_best.pth", weights_only=True)["iteration"] == 10


def test_a_half_written_best_file_of_a_killed_run_is_removed(tmp_path):
    (tmp_path / ".model_best.pth.partial").write_bytes(b"half")
    Checkpointer(tmp_path).remove_leftovers()
    assert names(tmp_path) == []


def test_best_weights_that_do_not_say_what_they_are_are_refused(tmp_path):
    with pytest.raises(TypeError, match="needs task, config"):
        Checkpointer(tmp_path).save_best(10, {"model": {}})
