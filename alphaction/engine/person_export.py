"""Tracked persons as projects of annotation tools: a person only picks the actions, or corrects those of a model."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alphaction.dataset.importers.cvat_writer import cvat_labels, write_cvat
from alphaction.dataset.importers.standard_folder import write_boxes_csv
from alphaction.dataset.importers.via3_writer import write_via3
from alphaction.detection.tracker import TrackerRules, track_persons
from alphaction.engine.person_boxes import VideoBoxes
from alphaction.engine.person_files import tracked_rows
from alphaction.structures.clip import ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.structures.overlap import box_iou
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import UserError
from alphaction.utils.files import replaced_when_complete, write_text

CVAT, VIA3 = "cvat", "via3"
# Seconds between the times at which persons are looked for when they are to be tracked, and the score of a new one.
TRACKING_SECONDS = 0.2
TRACKING_SCORE = 0.4
_SAME_BOX = 0.5
# A weak box continues a track from this share of the score that starts one.
_WEAK_SHARE = 1 / 3
# A person is seen for so long, and unseen for so long in between.
_LEAST_SECONDS, _MOST_GAP_SECONDS = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions to pick from; ``exclusive``: one of them a person."""

    names: tuple[str, ...]
    exclusive: bool = False


def track_video(boxes: VideoBoxes, score: float) -> list[PersonTrack]:
    """Returns the persons of a video.

    Args:
        boxes: at times close enough to follow a person from one to the next.
        score: a box of this score starts a track.
    """
    seconds = [time / 1000 for time in boxes.times_ms]
    found = [each.select(each.scores >= score * _WEAK_SHARE) for each in boxes.found]
    step = max(float(np.diff(seconds).min()), 1e-3) if len(seconds) > 1 else 1.0
    rules = TrackerRules(
        start_score=score,
        max_gap_seconds=max(_MOST_GAP_SECONDS, 1.5 * step),
        min_boxes=min(max(round(_LEAST_SECONDS / step), 2), max(len(seconds), 1)),
    )
    return track_persons(boxes.video, seconds, found, boxes.size, rules)


def write_export(kind: str, folder: Path, boxes: VideoBoxes, tracks: Sequence[PersonTrack], actions: Actions) -> Path:
    """Writes the tracks of one video as ``<folder>/<video>.xml`` (cvat) or ``.json`` (via3); returns the file.

    Beside CVAT's files stands ``cvat_labels.json``, what its "Raw" tab takes where a task is made.

    Raises:
        UserError: a file cannot be written, or a track has an action that is not among ``actions``.
    """
    file = export_file(kind, folder, boxes.video)
    (write_cvat if kind == CVAT else write_via3)(
        file,
        tracks,
        video=boxes.path,
        size=boxes.size,
        fps=boxes.fps,
        num_frames=boxes.num_frames,
        actions=actions.names,
        exclusive=actions.exclusive,
    )
    if kind == CVAT:
        write_text(folder / "cvat_labels.json", cvat_labels(actions.names, actions.exclusive) + "\n")
    write_text(_note_of(file), _digest(file) + "\n")
    return file


def export_file(kind: str, folder: Path, video: str) -> Path:
    return folder / f"{video}{'.xml' if kind == CVAT else '.json'}"


def refuse_to_lose_labels(files: Iterable[Path]) -> None:
    """Checks that files to be written anew are as an earlier export left them.

    Raises:
        UserError: somebody has worked on one since, or it is of something else.
    """
    for file in files:
        if file.exists() and not (_note_of(file).exists() and _note_of(file).read_text().strip() == _digest(file)):
            raise UserError(
                f"{file} is not as an export left it: it may hold somebody's labels, which a new export would write "
                "over. Move it away, or give another folder as --out."
            )


def _note_of(file: Path) -> Path:
    """Returns where the checksum of an exported file is kept."""
    return file.parent / "parts" / f"{file.name}.sha256"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def prefill(
    tracks: Sequence[PersonTrack],
    boxes: VideoBoxes,
    predict: Callable[[Path, Path], Sequence[ClipPrediction]],
    labels: LabelMap,
    scratch: Path,
    threshold: float,
) -> list[PersonTrack]:
    """Returns the tracks with a model's actions: those of the nearest whole second.

    Args:
        tracks: of one video.
        boxes: its boxes.
        predict: from a video and a CSV of its boxes to predictions.
        labels: the model's classes; of an exclusive group the best is taken, of others all of at least ``threshold``.
        scratch: folder for the CSV.
        threshold: see ``labels``.

    Raises:
        UserError: the model cannot predict on this video.
    """
    rows = tracked_rows(tracks, boxes)
    if not len(rows):
        return list(tracks)
    csv = scratch / f"{boxes.video}_tracked.csv"
    with replaced_when_complete(csv) as partial:
        write_boxes_csv(partial, rows)
    try:
        predictions = predict(boxes.path, csv)
    finally:
        csv.unlink(missing_ok=True)
    by_second = {prediction.key.timestamp_ms // 1000: prediction for prediction in predictions}
    return [replace(track, actions=_actions_of(track, by_second, labels, threshold)) for track in tracks]


def choose_actions(scores: np.ndarray, labels: LabelMap, threshold: float) -> tuple[str, ...]:
    """Returns the names of a person's actions from its scores [K]."""
    pose = labels.groups.pose
    chosen = {max(pose, key=lambda column: scores[column])} if pose else set()
    chosen |= {column for column in (*labels.groups.object, *labels.groups.person) if scores[column] >= threshold}
    return tuple(labels.names[column] for column in sorted(chosen))


def _actions_of(
    track: PersonTrack, by_second: Mapping[int, ClipPrediction], labels: LabelMap, threshold: float
) -> tuple[tuple[str, ...], ...]:
    known: dict[int, tuple[str, ...]] = {}
    for second in range(int(np.floor(track.seconds[0])), int(np.ceil(track.seconds[-1])) + 1):
        prediction = by_second.get(second)
        if prediction is None or prediction.boxes is None or not track.seconds[0] <= second <= track.seconds[-1]:
            continue
        width, height = prediction.boxes.size
        predicted = prediction.boxes.xyxy.numpy().astype(np.float64) / [width, height, width, height]
        box = np.array([[np.interp(second, track.seconds, column) for column in track.xyxy.T]])
        shared = box_iou(box, predicted)[0]
        if len(shared) and shared.max() >= _SAME_BOX:
            scores = prediction.boxes.scores
            assert scores is not None
            known[second] = choose_actions(scores.numpy()[int(shared.argmax())], labels, threshold)
    if not known:
        return ((),) * len(track)
    seconds = np.array(sorted(known))
    nearest = seconds[np.abs(track.seconds[:, None] - seconds[None, :]).argmin(axis=1)]
    return tuple(known[int(second)] for second in nearest)
