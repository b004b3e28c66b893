"""The page about a demo run, from the files that the run has written."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.structures.ava_csv import AvaRows, load_ground_truth_csv, load_results_csv
from alphaction.structures.boxes import PIXEL, Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import LabelMap, load_label_map
from alphaction.visualization.contact_sheet import KeyFrame, write_contact_sheet
from alphaction.visualization.report import ClassScore, ReportContent, write_report
from alphaction.visualization.video import read_frame

_NUM_PANELS = 6


def write_demo_report(
    root: Path, *, dataset: Path, run: Path, shuffled: Path, video: Path, commands: Sequence[str]
) -> Path:
    """Writes ``key_frames.png`` and ``report.html`` to ``root`` and returns the page's path.

    Args:
        root: folder of the demo.
        dataset: its data, with ``val.yaml``.
        run: OUTPUT_DIR of training and test.
        shuffled: OUTPUT_DIR of the test on shuffled frames.
        video: folder of the annotated video.
        commands: what was run, as typed.
    """
    found, without_order = (_metrics(folder) for folder in (run, shuffled))
    files = DatasetCatalog.get(str(dataset / "val.yaml")).arguments
    labels = load_label_map(files["label_file"])
    results = load_results_csv(run / "inference/val/result.csv")
    truth = load_ground_truth_csv(files["csv_gt_file"])
    sheet = write_contact_sheet(
        _panels(results, truth, labels, Path(files["video_root"])), labels, root / "key_frames.png"
    )
    primary = found["primary"]
    content = ReportContent(
        title="alphaction demo",
        note="Generated people whose actions only the order of frames tells apart; movies the model has not seen.",
        metrics={
            primary: found["metrics"][primary],
            "with shuffled frames": without_order["metrics"][primary],
            "mAP@0.5:0.95": found["metrics"]["mAP@0.5:0.95"],
        },
        classes=[
            ClassScore(entry["name"], entry["AP@0.5"], entry["num_gt"], entry["num_det"])
            for entry in found["details"]["classes"]
        ],
        metrics_log=run / "metrics.jsonl",
        log_metric=primary,
        contact_sheet=sheet,
        links={
            "annotated video": next(iter(sorted(video.glob("*.mp4"))), video),
            "results (AVA CSV)": run / "inference/val/result.csv",
            "metrics": run / "inference/val/metrics.json",
            "log": run / "log.txt",
            "weights": run / "model_final.pth",
        },
        commands=commands,
        config_text=(run / "config.yaml").read_text(),
    )
    return write_report(root, content)


def _metrics(output_dir: Path) -> dict[str, Any]:
    return json.loads((output_dir / "inference/val/metrics.json").read_text())


def _panels(results: AvaRows, truth: AvaRows, labels: LabelMap, video_root: Path) -> list[KeyFrame]:
    """Returns key frames spread evenly over those with a result."""
    keys = results.frame_index()[0]
    chosen = np.unique(np.linspace(0, len(keys) - 1, _NUM_PANELS).round().astype(int)).tolist()
    panels = []
    for key in (keys[place] for place in chosen):
        frame = read_frame(next(video_root.glob(f"{key.video}.*")), key.timestamp_ms / 1000)
        size = (frame.shape[1], frame.shape[0])
        scored, true = (_boxes_at(rows, key, labels, size) for rows in (results, truth))
        labelled = Boxes(true.xyxy, size, labels=(true.scores > 0).byte()) if true.scores is not None else None
        panels.append(KeyFrame(frame, ClipPrediction(key, scored), labelled))
    return panels


def _boxes_at(rows: AvaRows, key: ClipKey, labels: LabelMap, size: tuple[int, int]) -> Boxes:
    """Returns the distinct boxes of a key frame with one score a class, 0 where there is no row."""
    if key.video not in rows.videos:
        return Boxes(torch.zeros(0, 4), size, scores=torch.zeros(0, len(labels)))
    here = rows.select((rows.video == rows.videos.index(key.video)) & (rows.timestamp_ms == key.timestamp_ms))
    xyxy, box = np.unique(here.xyxy, axis=0, return_inverse=True)
    scores = np.zeros((len(xyxy), len(labels)), np.float32)
    column = labels.column_of()
    scores[box.reshape(-1), [column[action] for action in here.action.tolist()]] = here.score
    pixels = xyxy * np.tile(size, 2) - np.array([0, 0, PIXEL, PIXEL])
    return Boxes(torch.from_numpy(pixels).float(), size, scores=torch.from_numpy(scores))
