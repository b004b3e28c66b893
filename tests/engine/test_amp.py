from pathlib import Path

import pytest

from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_train_flags
from alphaction.engine.run import train


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_half_precision_trains_and_resumes(amp: str, tiny_words: list[str], tmp_path: Path) -> None:
    words = ["--skip-val-in-train", "--skip-final-test", *tiny_words, "SOLVER.AMP", amp, "OUTPUT_DIR", str(tmp_path)]
    words += ["SOLVER.SCHEDULER", "warmup_multi_step", "SOLVER.STEPS", "()"]
    assert run_tool(lambda: train(parse_train_flags([*words, "SOLVER.MAX_ITER", "2"]))) == 0
    assert run_tool(lambda: train(parse_train_flags([*words, "SOLVER.MAX_ITER", "3"]))) == 0
    log = (tmp_path / "log.txt").read_text()
    assert "after 2 iterations" in log and "iter 3/3" in log
