"""Twenty steps on generated data: a refactor may not move these losses."""

import pytest
import torch

from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_train_flags
from alphaction.engine.hooks import LogMetrics
from alphaction.engine.run import train

# Seed 0, twenty iterations of two clips, one thread; the mean of each five.
EXPECTED = [1.336789, 0.898491, 0.795698, 0.822711]


def test_twenty_iterations_have_the_reference_losses(
    tiny_words: list[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    after_step = LogMetrics.after_step

    def remember(self, trainer) -> None:
        losses.append(float(trainer.record.total_loss))
        after_step(self, trainer)

    monkeypatch.setattr(LogMetrics, "after_step", remember)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    words = [*("--seed", "0", "--skip-val-in-train", "--skip-final-test"), *tiny_words]
    words += ["SOLVER.MAX_ITER", "20", "OUTPUT_DIR", str(tmp_path)]
    try:
        assert run_tool(lambda: train(parse_train_flags(words))) == 0
    finally:
        torch.set_num_threads(threads)
    means = [sum(losses[start : start + 5]) / 5 for start in range(0, 20, 5)]

    assert means == pytest.approx(EXPECTED, rel=2e-3)
