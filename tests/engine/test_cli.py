import subprocess
import sys
from pathlib import Path

import pytest

from alphaction.engine.cli import run_tool

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from alphaction.engine.cli import run_tool
sys.exit(run_tool(lambda: print("line\\n" * {lines})))
"""


def test_another_broken_pipe_is_not_taken_for_a_reader_that_left() -> None:
    def work() -> None:
        raise BrokenPipeError("of a worker")

    with pytest.raises(BrokenPipeError, match="of a worker"):
        run_tool(work)


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    for lines in (3, 100_000):  # closed at the last flush, and while the tool prints
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(lines=lines)],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(timeout=60) == 141
        process.stderr.close()
