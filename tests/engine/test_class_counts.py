"""Any number of classes in any mode, from label file to mAP, through the engine's own functions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_test_flags, parse_train_flags
from alphaction.engine.run import test as run_test
from alphaction.engine.run import train


def write_set(folder: Path, name: str, videos: tuple[Path, ...], rows: list[str], groups: str, *more: str) -> Path:
    (folder / f"{name}.csv").write_text("".join(f"{row}\n" for row in rows))
    lines = ["dataset: AVAVideoDataset", f"video_root: {videos[0].parent}", f"csv_gt_file: {name}.csv"]
    lines += ["label_file: labels.txt", f"groups: {groups}", *more]
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return folder / f"{name}.yaml"


def make_rows(videos: tuple[Path, ...], exclusive: list[int], others: list[int], rng: np.random.Generator) -> list[str]:
    """Two persons in each of three key frames, with one exclusive class and up to three others."""
    rows = []
    for video in videos:
        for second in (1, 3, 5):
            for person, left in enumerate((0.1, 0.5)):
                chosen = [int(rng.choice(exclusive))] if exclusive else []
                chosen += rng.choice(others, min(3, len(others)), replace=False).tolist() if others else []
                rows += [
                    f"{video.stem},{second},{left},0.2,{left + 0.4},0.9,{class_id},{person}" for class_id in chosen
                ]
    return rows


def make_sets(folder: Path, data: SyntheticFiles, num_classes: int, mode: str, *more: str) -> list[str]:
    """Writes both halves with made-up classes and returns the keys that name them."""
    ids = list(range(1, num_classes + 1))
    num_exclusive = {"multilabel": 0, "exclusive": num_classes, "mixed": num_classes // 2}[mode]
    exclusive, others = ids[:num_exclusive], ids[num_exclusive:]
    groups = mode if mode != "mixed" else f"{{pose: {exclusive}, object: {others[::2]}, person: {others[1::2]}}}"
    (folder / "labels.txt").write_text("".join(f"made-up action {class_id}\n" for class_id in ids))
    rng = np.random.default_rng(num_classes)
    halves = {"train": data.train_videos, "val": data.val_videos}
    paths = [
        write_set(folder, name, videos, make_rows(videos, exclusive, others, rng), groups, *more)
        for name, videos in halves.items()
    ]
    return ["DATASETS.TRAIN", f"('{paths[0]}',)", "DATASETS.TEST", f"('{paths[1]}',)"]


def run(words: list[str]) -> int:
    return run_tool(lambda: train(parse_train_flags(["--skip-val-in-train", "--skip-final-test", *words])))


def scored(words: list[str], output: Path) -> dict:
    assert run_tool(lambda: run_test(parse_test_flags(words))) == 0
    return json.loads((output / "inference/val/metrics.json").read_text())


SMALL = [
    "INPUT.MIN_SIZE_TRAIN",
    "32",
    "INPUT.MIN_SIZE_TEST",
    "32",
    "SOLVER.MAX_ITER",
    "2",
    "TEST.VIDEOS_PER_BATCH",
    "4",
]
CASES = [
    (n, mode) for n in (1, 2, 5, 80, 200) for mode in ("multilabel", "exclusive", "mixed") if (n, mode) != (1, "mixed")
]


@pytest.mark.parametrize(("num_classes", "mode"), CASES)
def test_any_number_of_classes_trains_and_is_scored(
    num_classes: int, mode: str, tiny_words: list[str], tiny_data: SyntheticFiles, tmp_path: Path
) -> None:
    balance = ["DATALOADER.SAMPLING", "repeat_factor", "MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING", "inverse_frequency"]
    words = [
        *tiny_words,
        *make_sets(tmp_path, tiny_data, num_classes, mode),
        *SMALL,
        *(balance if num_classes > 2 else []),
    ]
    words += ["OUTPUT_DIR", str(tmp_path / "run")]
    assert run(words) == 0
    saved = torch.load(tmp_path / "run/model_final.pth", weights_only=True)
    assert saved["model"]["roi_heads.action.predictor.cls_score.weight"].shape[0] == num_classes
    assert saved["task"]["class_ids"] == list(range(1, num_classes + 1))
    found = scored(words, tmp_path / "run")
    assert len(found["details"]["classes"]) == num_classes and 0 <= found["metrics"]["mAP@0.5"] <= 1
    rows = (tmp_path / "run/inference/val/result.csv").read_text().splitlines()
    assert len(rows) == 6 * num_classes and all(0 <= float(row.rsplit(",", 1)[1]) <= 1 for row in rows)
    assert f"{num_classes}  made-up action {num_classes} " in (tmp_path / "run/log.txt").read_text()


def test_kept_classes_are_learnt_and_scored_alone(
    tiny_words: list[str], tiny_data: SyntheticFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = make_sets(tmp_path, tiny_data, 5, "mixed", "keep_classes: [1, 4]")
    words = [*tiny_words, *sets, *SMALL, "DATALOADER.SAMPLING", "class_balanced", "OUTPUT_DIR", str(tmp_path / "run")]
    assert run(words) == 0
    saved = torch.load(tmp_path / "run/model_final.pth", weights_only=True)
    assert saved["task"]["class_ids"] == [1, 4] and saved["task"]["class_names"] == [
        "made-up action 1",
        "made-up action 4",
    ]
    assert "labels of classes not in keep_classes" in (tmp_path / "run/log.txt").read_text()
    found = scored(words, tmp_path / "run")
    assert [(entry["id"], entry["group"]) for entry in found["details"]["classes"]] == [(1, "pose"), (4, "person")]
    truth = [line.split(",") for line in (tmp_path / "val.csv").read_text().splitlines()]
    counts = {class_id: sum(row[6] == str(class_id) for row in truth) for class_id in (1, 4)}
    assert {entry["id"]: entry["num_gt"] for entry in found["details"]["classes"]} == counts
    for name in ("train", "val"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(file.read_text().replace("[1, 4]", "[1, 3]"))
    capsys.readouterr()
    assert run_tool(lambda: run_test(parse_test_flags(words))) == 2
    assert "trained on other classes than the label file has" in capsys.readouterr().err


def test_weights_of_classes_reach_the_loss(tiny_words: list[str], tiny_data: SyntheticFiles, tmp_path: Path) -> None:
    head = "MODEL.ROI_ACTION_HEAD."
    words = [*tiny_words, *make_sets(tmp_path, tiny_data, 2, "multilabel"), *SMALL, "SOLVER.MAX_ITER", "1"]
    totals = []
    for number, weights in enumerate(("(1, 1)", "(2, 2)", "(0, 0)")):
        given = [f"{head}CLASS_WEIGHTING", "given", f"{head}CLASS_WEIGHTS", weights]
        assert run([*words, *given, "OUTPUT_DIR", str(tmp_path / str(number))]) == 0
        line = (tmp_path / str(number) / "metrics.jsonl").read_text().splitlines()[0]
        totals.append(json.loads(line)["total_loss"])
    assert totals[0] > 0 and totals[1] == pytest.approx(2 * totals[0]) and totals[2] == 0
