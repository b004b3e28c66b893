"""AVA's CSV as AlphAction's JSON, as its script csv2COCO.py writes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError
from alphaction.utils.files import write_text

# AVA's movies have key frames from minute 15 to minute 30, but for the first and the last seconds of these.
AVA_SECONDS = (902, 1798)
_IDS_OF_MOVIE = 10_000
_IDS_OF_IMAGE = 1_000
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class AvaJson:
    """The content of a file.

    Attributes:
        content: categories, images and annotations.
        num_labels: labels (person and action) in the annotations.
        num_other: labels left out, for their movies are not in the list.
        num_outside: key frames added, for they have labels outside the seconds.
    """

    content: dict[str, Any]
    num_labels: int
    num_other: int
    num_outside: int


def make_ava_json(
    rows: AvaRows | None,
    movies: Sequence[str],
    sizes: dict[str, tuple[int, int]],
    seconds: tuple[int, int] = AVA_SECONDS,
) -> AvaJson:
    """Returns the images of all key frames and the annotations of the labelled persons.

    An image id is 10000 x place of the movie + second, an annotation id 1000 x image id + person id, where these tell
    all apart; else the next free number.

    Args:
        rows: the labels, or None for images alone.
        movies: names of the movies; the place in this list is in the ids.
        sizes: (width, height) of each movie's key frames, in pixels.
        seconds: the first and last key frame of a movie.
    """
    place = {movie: position for position, movie in enumerate(movies)}
    labelled = [key for key in (rows.frame_index()[0] if rows is not None else []) if key.video in place]
    inside = range(seconds[0] * 1000, seconds[1] * 1000 + 1, 1000)
    outside = [key for key in labelled if key.timestamp_ms not in inside]
    named = [movie for movie in (rows.videos if rows is not None else ()) if movie in place]
    keys = [ClipKey(movie, time) for movie in dict.fromkeys([*named, *movies]) for time in inside] + outside
    ids = _Ids()
    images = {key: _image(key, place[key.video], sizes[key.video], ids) for key in keys}
    annotations, num_other = _annotations(rows, images, sizes) if rows is not None else ([], 0)
    content = {
        "categories": [{"supercategory": "person", "id": 1, "name": "person"}],
        "annotations": annotations,
        "images": list(images.values()),
    }
    num_rows = len(rows) if rows is not None else 0
    return AvaJson(content, num_rows - num_other, num_other, len(outside))


def write_ava_json(content: dict[str, Any], path: Path | None, small_path: Path | None) -> None:
    """Writes the content to be read by people (``path``) and without spaces between lines (``small_path``).

    Raises:
        UserError: a file cannot be written.
    """
    if path is not None:
        write_text(path, json.dumps(content, indent=1))
    if small_path is not None:
        write_text(small_path, json.dumps(content))


def read_movie_list(path: Path) -> list[str]:
    """Returns the names of the movies of a list of file names, one a line.

    Raises:
        DataError: it cannot be read, is empty, or names a movie twice.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the list of movies {path}: {error}") from error
    movies = [Path(line).stem for line in lines if line]
    if not movies or len(set(movies)) < len(movies):
        raise DataError(f"{path} must name one movie a line, each once; found {len(movies)} names.")
    return movies


def key_frame_sizes(img_root: Path, movies: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Returns the size (width, height) of the first key frame ``<img_root>/<movie>/<second>.jpg`` of each movie.

    Raises:
        DataError: a movie has none, or it cannot be read.
    """
    sizes = {}
    for movie in movies:
        frames = sorted(path for path in (img_root / movie).glob("*.jpg") if path.stem.isdecimal())
        image = cv2.imread(str(frames[0])) if frames else None
        if image is None:
            found = f"{frames[0]} cannot be read" if frames else f"there is no {img_root / movie}/<second>.jpg"
            raise DataError(f"The size of the movie {movie} is taken from its key frames: {found}.")
        sizes[movie] = (image.shape[1], image.shape[0])
    return sizes


class _Ids:
    """Numbers that are given once each."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self, wanted: int | None) -> int:
        """Returns the wanted number if it is free, else one above all that were given."""
        number = wanted if wanted is not None and wanted not in self._taken else max(self._taken, default=0) + 1
        self._taken.add(number)
        return number


def _image(key: ClipKey, place: int, size: tuple[int, int], ids: _Ids) -> dict[str, Any]:
    second, rest = divmod(key.timestamp_ms, 1000)
    time = second if not rest else key.timestamp_ms / 1000
    is_plain = not rest and second < _IDS_OF_MOVIE
    return {
        "id": ids.take(place * _IDS_OF_MOVIE + second if is_plain else None),
        "img_path": f"{key.video}/{time}.jpg",
        "video_path": f"{key.video}/{time}.mp4",
        "height": size[1],
        "width": size[0],
        "movie": key.video,
        "timestamp": time,
    }


def _annotations(
    rows: AvaRows, images: dict[ClipKey, dict[str, Any]], sizes: dict[str, tuple[int, int]]
) -> tuple[list[dict[str, Any]], int]:
    """Returns one annotation a person, in the order of the images, and the number of rows without an image."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    num_other = 0
    columns = (rows.video, rows.timestamp_ms, rows.person_id, rows.action, rows.xyxy)
    for video, time, person, action, box in zip(*(column.tolist() for column in columns), strict=True):
        image = images.get(ClipKey(rows.videos[video], time))
        if image is None:
            num_other += 1
            continue
        one = (image["id"], person, *box)
        if one not in found:
            found[one] = _annotation(image, person, box, sizes[image["movie"]])
        if action not in found[one]["action_ids"]:
            found[one]["action_ids"].append(action)
    ids = _Ids()
    for is_large in (False, True):  # who keeps the number of the original goes first
        for entry in found.values():
            person = entry["person_id"]
            if (not 0 <= person < _IDS_OF_IMAGE) == is_large:
                entry["id"] = ids.take(None if is_large else entry["image_id"] * _IDS_OF_IMAGE + person)
    place = {image["id"]: position for position, image in enumerate(images.values())}
    return sorted(found.values(), key=lambda entry: place[entry["image_id"]]), num_other


def _annotation(image: dict[str, Any], person: int, box: Sequence[float], size: tuple[int, int]) -> dict[str, Any]:
    left, top, right, bottom = (value * size[axis % 2] for axis, value in enumerate(box))
    width, height = right - left, bottom - top
    return {
        "id": 0,
        "image_id": image["id"],
        "category_id": 1,
        "action_ids": [],
        "person_id": person,
        "bbox": [round(value, _DECIMALS) for value in (left, top, width, height)],
        "area": round(width * height, _DECIMALS),
        "keypoints": [],
        "iscrowd": 0,
    }
