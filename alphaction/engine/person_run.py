"""What ``tools/detect_persons.py`` does, from the flags to the lines it prints."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from alphaction.detection.base import PersonDetector
from alphaction.detection.build import FILE, SSDLITE, build_detector
from alphaction.detection.fetch import fetch_ssdlite
from alphaction.engine.detect_persons import LOWEST_SCORE, Found, Look, detect_persons
from alphaction.engine.flags import Flags
from alphaction.engine.launch import Process, launched
from alphaction.engine.person_export import (
    TRACKING_SCORE,
    TRACKING_SECONDS,
    Actions,
    export_file,
    prefill,
    refuse_to_lose_labels,
    track_video,
    write_export,
)
from alphaction.engine.person_files import AVA_CSV, BoxFiles, read_json_boxes, write_boxes
from alphaction.engine.person_flags import read_actions
from alphaction.engine.person_truth import compare_with_truth
from alphaction.engine.person_videos import list_videos
from alphaction.engine.predictor import VideoPredictor
from alphaction.utils.errors import DataError, UserError

BOX_SCORE = 0.3
_SHOWN_SKIPPED = 10


def run_detection(typed: Namespace) -> Iterator[str]:
    """Finds the persons, writes the files and yields lines that say what was done.

    Raises:
        UserError: flags that do not fit each other, or files that cannot be used.
    """
    if typed.fetch:
        yield f"The weights of the default detector: {fetch_ssdlite()}"
        return
    _check(typed)
    score = typed.score if typed.score is not None else (TRACKING_SCORE if typed.export else BOX_SCORE)
    files = None if typed.export else BoxFiles.at(typed.out, typed.format)
    videos = list_videos(typed.videos)
    if typed.export:
        refuse_to_lose_labels(export_file(typed.export, typed.out, name) for name in videos)
    with launched(typed.device) as process:
        actions, predictor = _open_actions(typed, process) if typed.export else (None, None)
        detector = _open_detector(typed, score, process)
        look = Look(typed.every or (TRACKING_SECONDS if typed.export else 1.0), typed.batch, typed.objects)
        found = detect_persons(videos, detector, look, kept_folder(typed.out))
        yield from _told(found, score)
        if actions is not None:
            yield from _export(typed, score, found, actions, predictor)
    if files is not None:
        written = write_boxes(found.videos, typed.format, files, score, typed.images)
        yield from (f"Wrote {path}" for path in written)
        yield f"Boxes have scores of {score:g} and more: import them with --box-thresh {score:g}."
    if typed.evaluate:
        yield compare_with_truth(typed.evaluate, found.videos, score).summary()


def kept_folder(out: Path) -> Path:
    """Returns the folder of the boxes of each video, beside or in ``--out``."""
    return out.with_name(f"{out.name}.parts") if out.suffix.lower() in (".csv", ".json") else out / "parts"


def _check(typed: Namespace) -> None:
    if not typed.videos or typed.out is None:
        raise UserError("--videos and --out are needed: which videos, and where the boxes go.")
    if typed.objects and (typed.detector == SSDLITE or typed.detector.startswith(FILE)):
        raise UserError(
            f"--detector {typed.detector} knows persons only; --objects needs a detector of COCO's categories, such as "
            "torchvision:fasterrcnn_resnet50_fpn_v2."
        )
    has_numbers = typed.format != AVA_CSV or typed.objects or typed.detector.lower().endswith(".json")
    if typed.images and not has_numbers:
        raise UserError(
            "--images numbers the boxes of --format alphaction-json, of --objects, or of --detector file:JSON."
        )
    if typed.evaluate and not typed.evaluate.is_file():
        raise UserError(f"There is no file {typed.evaluate} to evaluate with.")
    if typed.export and typed.out.suffix.lower() in (".csv", ".json", ".xml"):
        raise UserError(f"--export writes a file a video into a folder: --out {typed.out} must be one.")
    if not typed.export and (typed.config_file or typed.actions):
        raise UserError("--actions and --config-file belong to --export cvat or --export via3.")


def _open_detector(typed: Namespace, score: float, process: Process) -> PersonDetector:
    is_file = typed.detector.startswith(FILE)
    if is_file and typed.detector.lower().endswith(".json") and typed.weights is None and typed.tiles == 1:
        return read_json_boxes(Path(typed.detector.removeprefix(FILE)), typed.images)
    floor = 0.0 if is_file else min(score, LOWEST_SCORE)
    return build_detector(
        typed.detector, weights=typed.weights, tiles=typed.tiles, min_score=floor, device=process.device
    )


def _open_actions(typed: Namespace, process: Process) -> tuple[Actions, VideoPredictor | None]:
    if not typed.config_file:
        return read_actions(typed.actions, typed.exclusive), None
    options = ("MODEL.WEIGHT", typed.model_weights) if typed.model_weights else ()
    predictor = VideoPredictor.from_flags(Flags(config_file=typed.config_file, opts=options), process)
    labels = predictor.labels
    if typed.actions:
        actions = read_actions(typed.actions, typed.exclusive)
        if missing := [name for name in labels.names if name not in actions.names]:
            raise UserError(f"--actions lacks classes of the model: {', '.join(missing[:5])}.")
        return actions, predictor
    return Actions(labels.names, len(labels.groups.pose) == len(labels)), predictor


def _told(found: Found, score: float) -> Iterator[str]:
    num_boxes = sum(video.num_boxes(score) for video in found.videos)
    num_times = sum(len(video.times_ms) for video in found.videos)
    kept = f" ({found.num_kept} from an earlier run)" if found.num_kept else ""
    yield f"{len(found.videos)} videos{kept}, {num_times} frames, {num_boxes} boxes of at least {score:g}"
    if found.skipped:
        yield f"{len(found.skipped)} videos were skipped:"
        yield from (f"  {name}: {reason}" for name, reason in list(found.skipped.items())[:_SHOWN_SKIPPED])
        if len(found.skipped) > _SHOWN_SKIPPED:
            yield f"  ... and {', '.join(list(found.skipped)[_SHOWN_SKIPPED:])}"


def _export(
    typed: Namespace, score: float, found: Found, actions: Actions, predictor: VideoPredictor | None
) -> Iterator[str]:
    for boxes in found.videos:
        tracks = track_video(boxes, score)
        if predictor is not None:
            try:
                tracks = prefill(tracks, boxes, predictor.predict, predictor.labels, typed.out, typed.action_score)
            except DataError as error:
                yield f"No actions are filled in for {boxes.video}: {error}"
        file = write_export(typed.export, typed.out, boxes, tracks, actions)
        yield f"Wrote {file}: {len(tracks)} persons"
