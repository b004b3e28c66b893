"""Starting the real tools as processes, and reading what they leave."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start_tool(name: str, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "tools" / name), *words]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run_tool(name: str, *words: str, expect: int = 0) -> str:
    """Returns what the tool printed, after checking its exit code."""
    process = start_tool(name, *words)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == expect, output
    return output


def run_distributed(launcher: list[str], script: Path, *words: str) -> str:
    """Runs a script in two processes and returns what they printed."""
    command = [sys.executable, "-m", *launcher, "--nproc_per_node=2", str(script), *words]
    done = subprocess.run(command, env=environment(), text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def torchrun() -> list[str]:
    return ["torch.distributed.run", "--standalone"]


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["model"]


def assert_same_weights(first: Path, second: Path) -> None:
    one, two = weights_of(first), weights_of(second)
    assert one.keys() == two.keys()
    assert [key for key in one if not torch.equal(one[key], two[key])] == []


def scores_of(path: Path) -> dict[tuple[str, ...], float]:
    """Returns the score of each (video, time, box, class) of a result file."""
    with path.open() as file:
        return {tuple(row[:7]): float(row[7]) for row in csv.reader(file)}
