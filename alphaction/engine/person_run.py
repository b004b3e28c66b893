"""What ``tools/detect_persons.py`` does, from the flags to the lines it prints."""

from argparse import Namespace
from collections.abc import Callable
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
from alphaction.engine.person_files import (
    AVA_CSV,
    BoxFiles,
    is_box_file,
    read_json_boxes,
    refuse_to_lose_boxes,
    write_boxes,
)
from alphaction.engine.person_flags import read_actions
from alphaction.engine.person_truth import compare_with_truth
from alphaction.engine.person_videos import list_videos
from alphaction.engine.predictor import VideoPredictor
from alphaction.utils.errors import DataError, UserError
from alphaction.utils.words import counted

BOX_SCORE = 0.3
_SHOWN_SKIPPED = 10


def run_detection(typed: Namespace, say: Callable[[str], None]) -> int:
    """Finds the persons, writes the files and returns the number of videos that were not done, or not wholly.

    Args:
        typed: the flags.
        say: called with each line that tells the user what was done.

    Raises:
        UserError: flags that do not fit each other, or files that cannot be used.
    """
    if typed.fetch:
        say(f"The weights of the default detector: {fetch_ssdlite()}")
        return 0
    _check(typed)
    score = typed.score if typed.score is not None else (TRACKING_SCORE if typed.export else BOX_SCORE)
    files = None if typed.export else BoxFiles.at(typed.out, typed.format)
    videos = list_videos(typed.videos)
    if files is not None:
        refuse_to_lose_boxes(files, videos)
    if typed.export:
        refuse_to_lose_labels(export_file(typed.export, typed.out, name) for name in videos)
    with launched(typed.device) as process:
        actions, predictor = _open_actions(typed, process) if typed.export else (None, None)
        detector = _open_detector(typed, score, process)
        look = Look(typed.every or (TRACKING_SECONDS if typed.export else 1.0), typed.batch, typed.objects)
        found = detect_persons(videos, detector, look, kept_folder(typed.out))
        _tell(found, score, say)
        num_left = len(found.skipped)
        if actions is not None:
            num_left += _export(typed, score, found, actions, predictor, say)
    if files is not None:
        for path in write_boxes(found.videos, typed.format, files, score, typed.images):
            say(f"Wrote {path}")
        say(f"Boxes have scores of {score:g} and more: import them with --box-thresh {score:g}.")
    if typed.evaluate:
        say(compare_with_truth(typed.evaluate, found.videos, score).summary())
    return num_left


def kept_folder(out: Path) -> Path:
    """Returns the folder of the boxes of each video, beside or in ``--out``."""
    return out.with_name(f"{out.name}.parts") if is_box_file(out) else out / "parts"


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
    if typed.export and typed.out.suffix.lower() in (".csv", ".json", ".xml"):
        raise UserError(f"--export writes a file a video into a folder: --out {typed.out} must be one.")
    if not typed.export and (typed.config_file or typed.actions):
        raise UserError("--actions and --config-file belong to --export cvat or --export via3.")
    _check_paths(typed)


def _check_paths(typed: Namespace) -> None:
    boxes = Path(typed.detector.removeprefix(FILE)) if typed.detector.startswith(FILE) else None
    files = {"--detector file:": boxes, "--evaluate ": typed.evaluate, "--images ": typed.images}
    for flag, path in files.items():
        if path and not path.is_file():
            raise UserError(f"{flag}{path}: {'this is a folder' if path.is_dir() else 'there is no such file'}.")
    if typed.out.exists() and typed.out.is_dir() == is_box_file(typed.out):
        raise UserError(
            f"--out {typed.out} is a {'folder' if typed.out.is_dir() else 'file'} already: give a folder, or the name "
            "of a file of boxes that ends in .csv or .json."
        )


def _open_detector(typed: Namespace, score: float, process: Process) -> PersonDetector:
    is_file = typed.detector.startswith(FILE)
    if is_file and typed.detector.lower().endswith(".json") and typed.weights is None and typed.tiles == 1:
        return read_json_boxes(Path(typed.detector.removeprefix(FILE)), typed.images)
    floor = min(score, LOWEST_SCORE)
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


def _tell(found: Found, score: float, say: Callable[[str], None]) -> None:
    num_boxes = sum(video.num_boxes(score) for video in found.videos)
    num_times = sum(len(video.times_ms) for video in found.videos)
    kept = f" ({found.num_kept} from an earlier run)" if found.num_kept else ""
    looked_at = f"{counted(num_times, 'frame')}, {counted(num_boxes, 'box')} of at least {score:g}"
    say(f"{counted(len(found.videos), 'video')}{kept}, {looked_at}")
    if found.skipped:
        say(f"Skipped {counted(len(found.skipped), 'video')}:")
        for name, reason in list(found.skipped.items())[:_SHOWN_SKIPPED]:
            say(f"  {name}: {reason}")
        if len(found.skipped) > _SHOWN_SKIPPED:
            say(f"  ... and {', '.join(list(found.skipped)[_SHOWN_SKIPPED:])}")


def _export(
    typed: Namespace,
    score: float,
    found: Found,
    actions: Actions,
    predictor: VideoPredictor | None,
    say: Callable[[str], None],
) -> int:
    """Writes the files of the annotation tool and returns how many lack the model's actions."""
    lacking: dict[str, str] = {}
    for boxes in found.videos:
        tracks = track_video(boxes, score)
        if predictor is not None:
            try:
                tracks = prefill(tracks, boxes, predictor.predict, predictor.labels, typed.out, typed.action_score)
            except DataError as error:
                lacking[boxes.video] = str(error)
        file = write_export(typed.export, typed.out, boxes, tracks, actions)
        say(f"Wrote {file}: {counted(len(tracks), 'person')}")
    if lacking:
        say(f"No actions are filled in for {counted(len(lacking), 'video')}:")
        for name, reason in lacking.items():
            say(f"  {name}: {reason}")
    return len(lacking)
