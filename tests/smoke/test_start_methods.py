"""Workers started in every way train the same model."""

import json
from pathlib import Path

import pytest
from runs import run_tool

pytestmark = pytest.mark.smoke


def test_spawned_workers_train_what_forked_ones_train(tiny_words: list[str], tmp_path: Path) -> None:
    losses = []
    for method in ("fork", "spawn"):
        workers = ("DATALOADER.NUM_WORKERS", "1", "DATALOADER.START_METHOD", method, "DATALOADER.TIMEOUT", "120")
        run_tool("train_net.py", *tiny_words, *workers, "OUTPUT_DIR", str(tmp_path / method))
        lines = [json.loads(line) for line in (tmp_path / method / "metrics.jsonl").read_text().splitlines()]
        losses.append([line["total_loss"] for line in lines if line["kind"] == "train"])
    assert losses[0] == losses[1] and len(losses[0]) == 4
