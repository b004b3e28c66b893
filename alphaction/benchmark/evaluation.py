"""How long the AVA metric takes on a set of the size of AVA's validation set, and the reading of result files."""

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from alphaction.evaluation.ava import AVAEvaluator
from alphaction.evaluation.detection_map import Detections, GroundTruth, detection_map
from alphaction.structures.ava_csv import AvaRows, load_results_csv, write_results_csv
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.utils.logger import format_table

NUM_CLASSES = 80
_BOXES_PER_KEYFRAME = 1.9
_LABELS_PER_BOX = 2.6
_SECONDS_PER_VIDEO = 897
_FRAME_SIZE = (455, 256)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this measurement."""
    parser.add_argument("--keyframes", type=int, default=57_408, help="key frames; AVA's validation set has 57408")
    parser.add_argument("--csv-rows", type=int, default=500_000, help="rows of the result file to write and read")
    parser.add_argument("--seed", type=int, default=0, help="of the random boxes and scores")


def run(args: argparse.Namespace) -> str:
    """Returns a table of CPU seconds and peak memory of each step.

    The peak is what a step allocates beyond its arguments, tensors of PyTorch not counted. It is measured in a
    second pass: watching allocations takes time.
    """
    truth, boxes, frame, scores = make_arrays(args.keyframes, args.seed)

    def score_arrays() -> None:
        detection_map(truth, Detections.from_scores(boxes, frame, scores), NUM_CLASSES, (0.5,))

    def score_arrays_at_all_thresholds() -> None:
        detection_map(truth, Detections.from_scores(boxes, frame, scores), NUM_CLASSES)

    rows = make_rows(boxes, frame, scores, args.csv_rows)
    evaluator, predictions = _make_evaluation(truth, boxes, frame, scores, args.keyframes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.csv"
        steps: list[tuple[str, int, Callable[[], object]]] = [
            ("mAP@0.5 from arrays", scores.size, score_arrays),
            ("mAP@0.5:0.95 from arrays", scores.size, score_arrays_at_all_thresholds),
            ("AVAEvaluator, from predictions to report", scores.size, lambda: evaluator.evaluate(predictions)),
            ("writing a result file", len(rows), lambda: write_results_csv(path, rows)),
            ("reading a result file", len(rows), lambda: load_results_csv(path)),
        ]
        table = [(name, count, *_measure(step)) for name, count, step in steps]
    cells = [(name, count, f"{seconds:.2f}", f"{peak:.0f}") for name, count, seconds, peak in table]
    title = f"{args.keyframes} key frames, {len(boxes)} boxes, {NUM_CLASSES} classes, seed {args.seed}"
    return f"{title}\n\n{format_table(('step', 'scores', 'CPU s', 'peak MB'), cells)}"


def make_arrays(num_keyframes: int, seed: int) -> tuple[GroundTruth, np.ndarray, np.ndarray, np.ndarray]:
    """Returns ground truth and detections: boxes [D, 4], key frame [D], scores [D, 80] float32."""
    rng = np.random.default_rng(seed)
    frame = np.repeat(np.arange(num_keyframes), rng.poisson(_BOXES_PER_KEYFRAME, num_keyframes))
    center, extent = rng.uniform(0.2, 0.8, (len(frame), 2)), rng.uniform(0.1, 0.35, (len(frame), 2))
    boxes = np.concatenate([center - extent / 2, center + extent / 2], axis=1)
    frequency = rng.random(NUM_CLASSES) ** 3  # a few common actions, many rare ones
    has_label = rng.random((len(frame), NUM_CLASSES)) < frequency * (_LABELS_PER_BOX / frequency.sum())
    box, column = np.nonzero(has_label)
    scores = (0.3 * has_label + 0.7 * rng.random(has_label.shape)).astype(np.float32)
    detected = boxes + rng.normal(0, 0.02, boxes.shape)
    return GroundTruth(boxes[box], frame[box], column), detected, frame, scores


def make_rows(boxes: np.ndarray, frame: np.ndarray, scores: np.ndarray, num_rows: int) -> AvaRows:
    """Returns the first ``num_rows`` scores as rows of a result file."""
    box, column = np.divmod(np.arange(min(num_rows, scores.size)), NUM_CLASSES)
    video, second = np.divmod(frame[box], _SECONDS_PER_VIDEO)
    return AvaRows(
        videos=tuple(_video_name(number) for number in range(int(video.max(initial=0)) + 1)),
        video=video.astype(np.int32),
        timestamp_ms=(902 + second) * 1000,
        xyxy=boxes[box].clip(0, 1),
        action=column + 1,
        score=scores[box, column].astype(np.float64),
        person_id=np.full(len(box), -1),
    )


def _make_evaluation(
    truth: GroundTruth, boxes: np.ndarray, frame: np.ndarray, scores: np.ndarray, num_keyframes: int
) -> tuple[AVAEvaluator, list[ClipPrediction]]:
    video, second = np.divmod(truth.frame, _SECONDS_PER_VIDEO)
    ground_truth = AvaRows(
        videos=tuple(_video_name(number) for number in range(num_keyframes // _SECONDS_PER_VIDEO + 1)),
        video=video.astype(np.int32),
        timestamp_ms=(902 + second) * 1000,
        xyxy=truth.boxes.astype(np.float64),
        action=truth.column.astype(np.int64) + 1,
        score=np.ones(len(video)),
        person_id=np.full(len(video), -1),
    )
    pixels = torch.from_numpy(boxes * np.array(_FRAME_SIZE * 2)).float()
    ends = np.searchsorted(frame, np.arange(num_keyframes + 1)).tolist()
    table = torch.from_numpy(scores)
    predictions = []
    for number, (start, stop) in enumerate(pairwise(ends)):
        of_video, at_second = divmod(number, _SECONDS_PER_VIDEO)
        key = ClipKey(_video_name(of_video), (902 + at_second) * 1000)
        predictions.append(ClipPrediction(key, Boxes(pixels[start:stop], _FRAME_SIZE, scores=table[start:stop])))
    return AVAEvaluator(labels=LabelMap.ava(), ground_truth=ground_truth), predictions


def _video_name(number: int) -> str:
    return f"video{number:06d}"


def _measure(step: Callable[[], object]) -> tuple[float, float]:
    """Returns CPU seconds of one pass, and the peak of allocated megabytes of a second one."""
    start = time.process_time()
    step()
    seconds = time.process_time() - start
    tracemalloc.start()
    try:
        step()
        return seconds, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
