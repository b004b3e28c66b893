"""Boxes of persons as files: AVA's predicted CSV, and AlphAction's JSON with the images its ids refer to."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alphaction.dataset.annotations import load_annotations, load_boxes_json
from alphaction.dataset.importers.standard_folder import write_boxes_csv
from alphaction.detection.base import PERSON
from alphaction.detection.file_boxes import FileBoxes
from alphaction.engine.person_boxes import VideoBoxes
from alphaction.structures.ava_csv import AvaRows, load_person_boxes_csv
from alphaction.structures.clip import ClipKey
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError, UserError
from alphaction.utils.files import replaced_when_complete, write_text

_NAMED_AT_MOST = 5
AVA_CSV, ALPHACTION_JSON = "ava-csv", "alphaction-json"


@dataclass(frozen=True, slots=True)
class BoxFiles:
    """Where boxes are written: a folder, or a file beside which the others stand.

    Attributes:
        boxes: the persons.
        images: the images of JSON boxes.
        objects: boxes of all other categories.
    """

    boxes: Path
    images: Path
    objects: Path

    @classmethod
    def at(cls, out: Path, kind: str) -> "BoxFiles":
        """Returns the files of ``--out``: a name that ends in .csv or .json is the file of boxes."""
        suffix = ".csv" if kind == AVA_CSV else ".json"
        if is_box_file(out):
            if out.suffix.lower() != suffix:
                raise UserError(f"--out {out} does not end in {suffix}, as a file of the format {kind} does.")
            return cls(out, out.with_name(f"{out.stem}_images.json"), out.with_name(f"{out.stem}_objects.json"))
        return cls(out / f"boxes{suffix}", out / "images.json", out / "objects.json")


def is_box_file(out: Path) -> bool:
    """Returns whether ``--out`` names a file of boxes, and not a folder."""
    return out.suffix.lower() in (".csv", ".json")


def refuse_to_lose_boxes(files: BoxFiles, videos: Collection[str]) -> None:
    """Makes sure that the boxes of an earlier run are not replaced by those of fewer videos.

    Raises:
        UserError: they are of videos that are none of ``videos``.
        DataError: their file holds something else.
    """
    if not files.boxes.is_file():
        return
    if files.boxes.suffix.lower() == ".csv":
        held = {key.video for key in load_person_boxes_csv(files.boxes).keyframes}
    elif files.images.is_file():
        images = load_annotations(str(files.images)).images
        held = {key.video for key in images.keys} if images is not None else set()
    else:
        return  # ids of an annotation file that --images has named
    if lost := sorted(held - set(videos)):
        more = f" and {len(lost) - _NAMED_AT_MOST} more" if len(lost) > _NAMED_AT_MOST else ""
        raise UserError(
            f"{files.boxes} has the boxes of videos that are none of --videos and would be lost: "
            f"{', '.join(lost[:_NAMED_AT_MOST])}{more}. Give these videos too (what is done is not done again), give "
            "another --out, or delete the file."
        )


def write_boxes(videos: Sequence[VideoBoxes], kind: str, files: BoxFiles, score: float, ids: Path | None) -> list[Path]:
    """Writes the persons, and objects if there are any; returns the files.

    Args:
        videos: the boxes.
        kind: ``ava-csv`` or ``alphaction-json``.
        files: where.
        score: boxes of a lower score are left out.
        ids: an annotation file whose image ids the JSON uses; without it they are counted from 1.

    Raises:
        UserError: a file cannot be written, or ``ids`` does not know an image.
    """
    written = []
    has_objects = any((found.categories != PERSON).any() for video in videos for found in video.found)
    numbers = _image_ids(videos, ids) if kind == ALPHACTION_JSON or has_objects else {}
    try:
        if kind == AVA_CSV:
            with replaced_when_complete(files.boxes) as partial:
                write_boxes_csv(partial, rows_of(videos, score))
        else:
            write_text(files.boxes, json.dumps(_entries(videos, numbers, score, persons=True)))
        written.append(files.boxes)
    except OSError as error:
        raise UserError(f"Cannot write {files.boxes}: {error.strerror or error}.") from error
    if has_objects:
        write_text(files.objects, json.dumps(_entries(videos, numbers, score, persons=False)))
        written.append(files.objects)
    if numbers and ids is None:
        write_text(files.images, json.dumps(_images(videos, numbers)))
        written.append(files.images)
    return written


def read_json_boxes(path: Path, ids: Path | None) -> FileBoxes:
    """Returns the persons of a JSON box file in place of a detector.

    Args:
        path: AlphAction's box file.
        ids: the annotation file its image ids refer to; without it the file of images beside it.

    Raises:
        DataError: a file cannot be used.
    """
    beside = path.with_name(f"{path.stem}_images.json")
    images_file = ids or (beside if beside.is_file() else path.with_name("images.json"))
    if not images_file.is_file():
        raise DataError(f"{path} names images by id; give the annotation file that has them by --images.")
    images = load_annotations(str(images_file)).images
    if images is None:
        raise DataError(f"{images_file} has no images with ids; --images takes an annotation file in JSON.")
    return FileBoxes(load_boxes_json(str(path), images, PERSON)[0], source=str(path))


def rows_of(videos: Sequence[VideoBoxes], score: float) -> AvaRows:
    """Returns the persons as rows of AVA's CSV; times without a person are listed apart."""
    entries = [
        (place, time, box / np.tile(video.size, 2), value)
        for place, video in enumerate(videos)
        for time, found in zip(video.times_ms, video.found, strict=True)
        for box, value in _persons(found.select(found.scores >= score))
    ]
    with_person = {(place, time) for place, time, *_ in entries}
    empty = [
        ClipKey(video.video, time)
        for place, video in enumerate(videos)
        for time in video.times_ms
        if (place, time) not in with_person
    ]
    nobody = np.full(len(entries), -1, np.int64)
    return AvaRows(
        tuple(video.video for video in videos),
        np.array([entry[0] for entry in entries], np.int32),
        np.array([entry[1] for entry in entries], np.int64),
        np.array([entry[2] for entry in entries], np.float64).reshape(-1, 4),
        nobody,
        np.array([entry[3] for entry in entries], np.float64),
        nobody,
        tuple(empty),
    )


def tracked_rows(tracks: Sequence[PersonTrack], boxes: VideoBoxes) -> AvaRows:
    """Returns the tracked boxes of one video at whole seconds, with scores of 1."""
    entries = [
        (second, [float(np.interp(second, track.seconds, column)) for column in track.xyxy.T])
        for track in tracks
        for second in range(int(np.ceil(track.seconds[0])), int(np.floor(track.seconds[-1])) + 1)
    ]
    entries.sort(key=lambda entry: entry[0])
    nobody = np.full(len(entries), -1, np.int64)
    return AvaRows(
        (boxes.video,),
        np.zeros(len(entries), np.int32),
        np.array([second * 1000 for second, _ in entries], np.int64),
        np.array([box for _, box in entries], np.float64).reshape(-1, 4).clip(0, 1),
        nobody,
        np.ones(len(entries)),
        nobody,
    )


def _persons(found: Any) -> list[tuple[Any, float]]:
    people = found.select(found.categories == PERSON)
    return list(zip(people.xyxy.astype(np.float64), people.scores.astype(float).tolist(), strict=True))


def _image_ids(videos: Sequence[VideoBoxes], ids: Path | None) -> dict[ClipKey, Any]:
    keys = [ClipKey(video.video, time) for video in videos for time in video.times_ms]
    if ids is None:
        return {key: number for number, key in enumerate(keys, start=1)}
    images = load_annotations(str(ids)).images
    if images is None:
        raise DataError(f"{ids} has no images with ids; --images takes an annotation file in JSON.")
    known = {images.keys[place]: image_id for image_id, place in images.place.items()}
    if not any(key in known for key in keys):
        raise DataError(f"{ids} has none of the {len(keys)} key frames, the first is {keys[0]}.")
    return {key: known[key] for key in keys if key in known}


def _entries(
    videos: Sequence[VideoBoxes], numbers: Mapping[ClipKey, Any], score: float, *, persons: bool
) -> list[dict[str, Any]]:
    entries = []
    for video in videos:
        for time, found in zip(video.times_ms, video.found, strict=True):
            image = numbers.get(ClipKey(video.video, time))
            chosen = found.select((found.scores >= score) & ((found.categories == PERSON) == persons))
            xywh = np.concatenate([chosen.xyxy[:, :2], chosen.xyxy[:, 2:] - chosen.xyxy[:, :2]], axis=1)
            columns = (chosen.categories.tolist(), xywh.astype(float).round(3).tolist(), chosen.scores.tolist())
            if image is not None:
                entries += [
                    {"image_id": image, "category_id": category, "bbox": box, "score": round(value, 6)}
                    for category, box, value in zip(*columns, strict=True)
                ]
    return entries


def _images(videos: Sequence[VideoBoxes], numbers: Mapping[ClipKey, Any]) -> dict[str, Any]:
    """Returns an annotation file without annotations."""
    images = [
        {
            "id": numbers[ClipKey(video.video, time)],
            "movie": video.video,
            "timestamp": time // 1000 if time % 1000 == 0 else time / 1000,
            "width": video.size[0],
            "height": video.size[1],
        }
        for video in videos
        for time in video.times_ms
    ]
    return {"images": images, "annotations": [], "categories": [{"id": PERSON, "name": "person"}]}
