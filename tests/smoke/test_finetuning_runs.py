"""Fine-tuning through the tools: killed runs, several processes, another strategy, the dry run."""

import json
import signal
from pathlib import Path

import pytest
from runs import assert_same_weights, run_distributed, run_tool, start_tool, torchrun, weights_of

pytestmark = pytest.mark.smoke
HERE = Path(__file__).parent
ADAPTIVE = [
    *("FINETUNE.STRATEGY", "adaptive", "FINETUNE.EPOCH_ITERS", "3", "FINETUNE.ADAPTIVE.PATIENCE", "1"),
    *("FINETUNE.ADAPTIVE.FIRST_EPOCH", "0", "FINETUNE.ADAPTIVE.MIN_IMPROVEMENT", "1.0"),
    *("SOLVER.OPTIMIZER", "adamw", "SOLVER.BASE_LR", "1e-3", "SOLVER.SAVE_BEST", "True", "SOLVER.EMA_DECAY", "0.9"),
    *("SOLVER.MAX_ITER", "12", "SOLVER.CHECKPOINT_PERIOD", "2", "DATALOADER.NUM_WORKERS", "1"),
]
PROGRESSIVE = ["FINETUNE.STRATEGY", "progressive", "FINETUNE.EPOCH_ITERS", "1"]
LATER = ["FINETUNE.STRATEGY", "backbone_at_epoch", *PROGRESSIVE[2:], "FINETUNE.BACKBONE_AT_EPOCH.EPOCH", "1"]


@pytest.fixture(scope="module")
def words(tiny_words: list[str]) -> list[str]:
    return [*tiny_words, *ADAPTIVE]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("whole")
    run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    return output


def test_a_run_killed_around_its_events_ends_the_same(words: list[str], uninterrupted: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    for sign in ("mAP@0.5 = ", "Epoch 1: Unfroze", "iter 8/"):
        process = start_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
        assert process.stdout is not None
        assert any(sign in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert "Continuing" in run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    for name in ("model_final.pth", "model_best.pth"):
        assert_same_weights(uninterrupted / name, output / name)
    events = [_lines(folder / "metrics.jsonl", "finetune") for folder in (uninterrupted, output)]
    assert events[0] == events[1] and [event["released"] for event in events[0]] == ["", "res5", "res4", "res3"]


def test_processes_are_equal_after_parts_were_released(tiny_words: list[str], tmp_path: Path) -> None:
    words = ("--skip-val-in-train", "--skip-final-test", *tiny_words, *PROGRESSIVE, "OUTPUT_DIR", str(tmp_path / "run"))
    said = run_distributed(torchrun(), HERE / "save_each_rank.py", str(tmp_path), *words)
    assert said.count("Unfroze res3") == 1  # in the last of four steps, by the main process
    assert_same_weights(tmp_path / "rank0.pth", tmp_path / "rank1.pth")
    assert_same_weights(tmp_path / "rank0.pth", tmp_path / "run/model_final.pth")


def test_a_head_only_run_goes_on_with_its_backbone(tiny_words: list[str], tmp_path: Path) -> None:
    words = ["--skip-val-in-train", "--skip-final-test", *tiny_words, "OUTPUT_DIR", str(tmp_path)]
    run_tool(
        "train_net.py",
        *words,
        *("FINETUNE.STRATEGY", "static", "SOLVER.MAX_ITER", "2", "SOLVER.CHECKPOINT_PERIOD", "1"),
    )
    first, before = (weights_of(tmp_path / name) for name in ("model_0000001.pth", "model_final.pth"))
    frozen = [key for key in before if key.startswith("backbone.")]
    assert any("running_var" in key for key in frozen) and all(bool((first[k] == before[k]).all()) for k in frozen)
    assert "--adjust-lr" in run_tool("train_net.py", *words, *LATER, expect=2)
    said = run_tool("train_net.py", "--adjust-lr", *words, *LATER)
    assert (
        "FINETUNE has changed from here on (strategy static, now backbone_at_epoch)" in said and "Unfroze stem" in said
    )
    after = weights_of(tmp_path / "model_final.pth")
    assert any(not (before[key] == after[key]).all() for key in before if key.startswith("backbone.slow.conv1"))


def test_the_dry_run_shows_every_epoch(tiny_words: list[str], tmp_path: Path) -> None:
    said = run_tool("train_net.py", "--dry-run", *tiny_words, *PROGRESSIVE, "OUTPUT_DIR", str(tmp_path / "dry"))
    assert "[PROGRESSIVE] Epochs of 1 iteration:" in said and said.count("+res") == 3
    assert not (tmp_path / "dry").exists()


def test_the_dry_run_finds_a_metric_that_no_evaluation_gives(tiny_words: list[str], tmp_path: Path) -> None:
    words = (*tiny_words, "SOLVER.SAVE_BEST", "True", "SOLVER.MONITOR", "mAp", "OUTPUT_DIR", str(tmp_path / "dry"))
    said = run_tool("train_net.py", "--dry-run", *words, expect=2)
    assert 'SOLVER.MONITOR: no evaluation gives "mAp"' in said and not (tmp_path / "dry").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("FINETUNE.STRATEGY", "early_graduel"), 'did you mean "early_gradual"'),
        (("FINETUNE.STRATEGY", "static", "FINETUNE.STATIC.TRAIN", "('res6',)"), 'did you mean "res'),
        (("FINETUNE.EARLY_GRADUAL.TARGET_RATIO", "50"), "must lie between 0 and 1"),
        (("FINETUNE.STRATEGY", "phases"), "FINETUNE.PHASES lists none"),
        (("--skip-val-in-train", "FINETUNE.STRATEGY", "adaptive"), "--skip-val-in-train"),
    ],
)
def test_a_mistake_is_one_message_before_any_work(
    given: tuple[str, ...], said: str, tiny_words: list[str], tmp_path: Path
) -> None:
    flags = [word for word in given if word.startswith("--")]
    keys = [word for word in given if not word.startswith("--")]
    found = run_tool("train_net.py", *flags, *tiny_words, *keys, "OUTPUT_DIR", str(tmp_path / "run"), expect=2)
    assert said in found and "Traceback" not in found and not (tmp_path / "run").exists()


def _lines(path: Path, kind: str) -> list[dict[str, object]]:
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return [entry for entry in entries if entry["kind"] == kind]
