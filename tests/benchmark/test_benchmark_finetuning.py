import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from alphaction.benchmark.finetuning import STRATEGIES, add_arguments, run
from alphaction.benchmark.finetuning_data import (
    NAMES,
    PRETRAINING_ACTIONS,
    Movies,
    class_ids,
    plan_splits,
    write_data,
)
from alphaction.benchmark.finetuning_table import Outcome, make_table, read_outcome, read_training
from alphaction.config import load_cfg
from alphaction.dataset.synthetic_motion import ACTIONS
from alphaction.utils.errors import UserError

ROOT = Path(__file__).parents[2]
OUTCOME = Outcome(
    strategy="all", seed=0, test=0.5, validation=0.4, cpu_seconds=10.0, trained=1200, releases=((1, "res5"),)
)
SMALL = (
    "--seeds 1 --movies 1 1 1 1 --seconds 8 --iterations 2 4 --epoch 1 --opts SOLVER.WARMUP_ITERS 1 "
    "SOLVER.VIDEOS_PER_BATCH 1 INPUT.MIN_SIZE_TRAIN 64 INPUT.MIN_SIZE_TEST 64"
)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def run_to_its_end(command: list[str]) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def seen_in_training(folder: Path) -> list[str]:
    datasets = load_cfg(folder / "config.yaml").DATASETS
    return [Path(entry).stem for entry in (*datasets.TRAIN, *datasets.TEST)]


@pytest.mark.parametrize("first", [PRETRAINING_ACTIONS, ("wave",)])
def test_the_actions_of_pretraining_and_of_fine_tuning_are_disjoint_and_are_all_actions(first: tuple[str, ...]) -> None:
    splits = {split.name: split.actions for split in plan_splits(Movies(1, 1, 1, 1), 1, first)}
    before, after = class_ids(splits["pretraining"]), class_ids(splits["test"])
    assert before == class_ids(first) and sorted(before + after) == list(range(1, len(ACTIONS) + 1))
    assert splits["pretraining_test"] == splits["pretraining"]
    assert splits["little_0"] == splits["validation"] == splits["test"]


def test_no_movie_of_the_test_is_trained_on_or_looked_at_and_every_training_set_has_its_own() -> None:
    splits = {split.name: split for split in plan_splits(Movies(pretraining=3, little=2, validation=1, test=2), 2)}
    assert set(splits) == {"pretraining", "validation", "little_0", "little_1", "pretraining_test", "test"}
    apart = [splits[name].movies for name in ("pretraining", "validation", "little_0", "little_1", "test")]
    assert [len(movies) for movies in apart] == [3, 1, 2, 2, 2]
    assert len(set().union(*apart)) == 10
    assert splits["pretraining_test"].movies == splits["test"].movies


def test_a_data_set_file_names_its_own_rows_and_classes(tmp_path: Path) -> None:
    movies = Movies(pretraining=1, little=1, validation=1, test=1)
    splits = plan_splits(movies, 1)
    write_data(tmp_path, movies, splits, seconds=4)
    by_name = {}
    for split in splits:
        rows = (tmp_path / f"{split.name}.csv").read_text().splitlines()
        by_name[split.name] = {row.split(",")[0] for row in rows}
        assert f"keep_classes: {class_ids(split.actions)}" in (tmp_path / f"{split.name}.yaml").read_text()
    assert by_name["little_0"] == {"train_02"}
    assert by_name["test"] == by_name["pretraining_test"] == {"val_00"}


def test_the_table_has_mean_deviation_and_the_difference_to_the_same_seed() -> None:
    other = replace(OUTCOME, strategy="head", trained=200, releases=())
    outcomes = [
        OUTCOME,
        replace(OUTCOME, seed=1, test=0.7, cpu_seconds=20.0),
        replace(other, test=0.4),
        replace(other, seed=1, test=0.8),
    ]
    header, _, first, second = cells(make_table(outcomes, "all"))
    assert header[3] == "less all"
    assert first == ["all", "0.600 ± 0.141", "0.500, 0.700", "", "1,200", "15", "res5 in 1"]
    assert second == ["head", "0.600 ± 0.283", "0.400, 0.800", "+0.000 ± 0.141", "200", "10", ""]


def test_seeds_that_released_at_different_times_are_told_apart() -> None:
    later = replace(OUTCOME, seed=1, trained=1300, releases=((2, "res5"), (4, "res4")))
    never = replace(OUTCOME, seed=2, releases=())
    row = cells(make_table([OUTCOME, later, never], "none of these"))[2]
    assert row[4] == "1,200 / 1,300"
    assert row[6] == "seed 0: res5 in 1; seed 1: res5 in 2, res4 in 4; seed 2: none"


def test_one_seed_has_no_deviation() -> None:
    assert cells(make_table([OUTCOME], "all"))[2][1] == "0.500"


def test_an_outcome_comes_back_from_its_file(tmp_path: Path) -> None:
    OUTCOME.write(tmp_path / "outcome.json")
    assert read_outcome(tmp_path / "outcome.json") == OUTCOME


def test_releases_are_read_from_the_metrics_of_a_run(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    train = {"kind": "train", "iteration": 2}
    epochs = [(0, "head", 10), (1, "", 10), (2, "res5", 30), (3, "", 30)]
    lines = [
        {"kind": "finetune", "iteration": epoch, "epoch": epoch, "released": units, "parameters_total_trainable": count}
        for epoch, units, count in epochs
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, train]))
    assert read_training(file, 99) == (30, ((2, "res5"),))
    file.write_text(json.dumps(train) + "\n")
    assert read_training(file, 99) == (99, ())


def test_a_folder_with_another_comparison_is_refused(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["--output", str(tmp_path)])
    settings = {**vars(args), "seeds": 5}
    (tmp_path / "settings.json").write_text(json.dumps({**settings, "output": "", "movies": list(args.movies)}))
    with pytest.raises(UserError, match="--seeds 5"):
        run(args)
    with pytest.raises(UserError, match="from 1 on"):
        run(parser.parse_args(["--output", str(tmp_path), "--seeds", "0"]))
    with pytest.raises(UserError, match="leave some"):
        run(parser.parse_args(["--output", str(tmp_path), "--pretrain-on", *NAMES]))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_changes_nothing_but_what_is_fine_tuned(strategy: str) -> None:
    config = ROOT / "config_files/demo.yaml"
    plain, changed = load_cfg(config), load_cfg(config, list(STRATEGIES[strategy]))
    assert (changed.FINETUNE == plain.FINETUNE) == (strategy in ("from scratch", "all weights"))
    changed.defrost()
    changed.FINETUNE = plain.FINETUNE
    assert changed == plain


@pytest.mark.smoke
def test_a_small_comparison_runs_to_its_table_and_a_second_call_does_what_was_cut_off(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools/benchmark.py"), "finetune", "--output", str(tmp_path), *SMALL.split()]
    command += ["--strategies", "from scratch", "head only", "early gradual", "adaptive"]
    said = run_to_its_end(command)
    table = (tmp_path / "table.md").read_text()
    assert table in said
    rows = {row[0]: row for row in cells(table)}
    assert list(rows)[2:6] == command[-4:]
    assert rows["early gradual"][6] == "res5 in 1"
    assert int(rows["head only"][4].replace(",", "")) < int(rows["from scratch"][4].replace(",", ""))
    assert '"kind": "eval"' in (tmp_path / "runs/adaptive_0/metrics.jsonl").read_text()
    assert seen_in_training(tmp_path / "runs/adaptive_0") == ["little_0", "validation"]
    kept, lost = (tmp_path / f"runs/{name}_0/outcome.json" for name in ("adaptive", "head_only"))
    written_at = kept.stat().st_mtime_ns
    lost.unlink()
    said = run_to_its_end(command)
    assert said.count("Finished 4 iterations") == 1 and kept.stat().st_mtime_ns == written_at
    again = {row[0]: row for row in cells((tmp_path / "table.md").read_text())}
    assert again["head only"][:5] == rows["head only"][:5]
