import argparse
from pathlib import Path

import pytest
import torch

from alphaction.benchmark.memory import add_arguments, plain_memory, plain_window, run
from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool

SMALL = ["--movies", "3", "--seconds", "20", "--dim", "16", "--clips", "4", "--around", "5", "--repeats", "2"]


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_small_run_reports_every_step_and_the_space_of_each_process(processes, tmp_path):
    report = run(parsed(*SMALL, "--processes", str(processes), "--folder", str(tmp_path)))
    steps, space = (table.splitlines() for table in report.split("\n\n")[1:])
    assert report.startswith("3 movies of 20 s, up to 5 persons of 16 channels: 0.00 GB in half precision")
    assert f"{processes} process(es)" in report
    assert [line[:12].strip() for line in steps[2:]] == [
        "fetch",
        "fetch, padde",
        "plain look-u",
        "write a batc",
        "padded / pla",
    ]
    assert [line.split()[0] for line in space[-3:]] == ["file,", "saving,", "loading,"]
    if Path("/proc/self/smaps_rollup").exists():
        assert sum(line.startswith("share of process") for line in space) == processes
    assert list(tmp_path.iterdir()) == []


def test_the_file_can_be_skipped():
    assert "saving" not in run(parsed(*SMALL, "--skip-file"))


def test_the_default_is_the_size_of_the_training_set():
    args = parsed()
    assert (args.movies, args.seconds, args.per_second, args.dim) == (235, 897, 5, 2304)


def test_the_plain_way_finds_what_the_memory_finds():
    keys = [ClipKey("a", second * 1000) for second in range(20)]
    pool = MemoryPool.create(keys, max_per_second=2, dim=4)
    generator = torch.Generator().manual_seed(0)
    pool.write(keys[3:], torch.randn(17, 2, 4, generator=generator), [second % 3 for second in range(17)])
    batch = [keys[1], keys[10], keys[19]]
    looked_up = plain_window(plain_memory(pool, [batch], 3), batch, 3, 2)
    assert torch.equal(looked_up, pool.fetch(batch, before=3, after=3, rate=1).padded("cpu"))
    assert looked_up.count_nonzero() == (1 + 7 + 4) * 4
