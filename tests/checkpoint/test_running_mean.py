"""The running mean of the weights beside the weights of a checkpoint."""

import logging
from pathlib import Path

import pytest
import torch

from alphaction.checkpoint.reading import has_mean, read_tensors

WEIGHTS = {"a.weight": torch.zeros(2), "a.count": torch.tensor(3)}
MEAN = {"a.weight": torch.ones(2), "a.count": torch.tensor(3)}


def test_the_mean_goes_before_the_weights_and_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="alphaction")
    torch.save({"model": WEIGHTS, "ema": MEAN}, tmp_path / "w.pth")
    tensors, left_out = read_tensors(tmp_path / "w.pth")
    assert torch.equal(tensors["a.weight"], torch.ones(2)) and left_out == ()
    assert "taking the running mean of the weights" in caplog.text


@pytest.mark.parametrize(
    "other", [{}, {"decay": 0.9, "shadow": MEAN}, {"a.weight": torch.ones(2)}, "none", torch.ones(2)]
)
def test_another_programs_part_of_that_name_is_no_mean(tmp_path: Path, other: object) -> None:
    content = {"model": WEIGHTS, "ema": other}
    torch.save(content, tmp_path / "w.pth")
    assert not has_mean(content)
    assert torch.equal(read_tensors(tmp_path / "w.pth")[0]["a.weight"], torch.zeros(2))
