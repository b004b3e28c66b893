"""Persons of many videos: each video is read once, its boxes are kept, and videos that cannot be read are named."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from alphaction.detection.base import PERSON, PersonDetector
from alphaction.detection.file_boxes import FileBoxes
from alphaction.engine.person_boxes import KeptBoxes, VideoBoxes
from alphaction.engine.person_videos import OpenVideo, open_one
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted

logger = logging.getLogger(__name__)

# Boxes of lower scores are not looked for: the evaluation and the tracker use those above it.
LOWEST_SCORE = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome.

    Attributes:
        videos: boxes of the videos that could be read, in the order given.
        skipped: why the others could not, by name.
        num_kept: videos whose boxes were there from an earlier run.
    """

    videos: tuple[VideoBoxes, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    num_kept: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """How videos are looked at.

    Attributes:
        every: seconds from one time to the next.
        batch: images given to the detector at once.
        with_objects: keep all categories, else persons only.
    """

    every: float = 1.0
    batch: int = 8
    with_objects: bool = False


def detect_persons(videos: Mapping[str, Path], detector: PersonDetector, look: Look, keep_in: Path) -> Found:
    """Returns the boxes of all videos.

    Args:
        videos: paths by name.
        detector: finds the boxes; of boxes from a file, the times are those of the file.
        look: at what times.
        keep_in: folder with a file of boxes a video; files of an earlier run with the same settings are used, and one
            that stopped within a video is continued there.

    Raises:
        DataError: no video can be read.
        UserError: the folder cannot be written.
    """
    settings = f"{detector.describe()}, every {look.every:g} s, {'all categories' if look.with_objects else 'persons'}"
    kept = KeptBoxes(keep_in, settings)
    found, skipped, num_kept = list[VideoBoxes](), dict[str, str](), 0
    for place, (name, path) in enumerate(videos.items(), start=1):
        try:
            video = open_one(name, path)
            boxes = kept.load(video)
            num_kept += boxes is not None
            if boxes is None:
                boxes = _look_through(video, detector, look, kept, f"{name} ({place} of {len(videos)})")
            found.append(boxes)
            logger.info("%s (%d of %d): looked at %s.", name, place, len(videos), counted(len(boxes.times_ms), "frame"))
        except DataError as error:
            skipped[name] = str(error)
            logger.warning("Skipped the video %s: %s", name, error)
    if not found:
        none = "The video cannot" if len(videos) == 1 else f"None of the {len(videos)} videos can"
        raise DataError(f"{none} be used. {next(iter(skipped.values()), '')}")
    return Found(tuple(found), skipped, num_kept)


def _look_through(video: OpenVideo, detector: PersonDetector, look: Look, kept: KeptBoxes, title: str) -> VideoBoxes:
    times = detector.times_ms(video.name) if isinstance(detector, FileBoxes) else video.key_times_ms(look.every)
    with (
        kept.unfinished(video, times, look.batch) as boxes,
        tqdm(total=len(times), initial=len(boxes), desc=title, unit="frame", disable=None) as bar,
    ):
        if len(boxes):
            logger.info("%s: goes on after %d of %d frames, as an earlier run left it.", title, len(boxes), len(times))
        for part, images in video.read(times, look.batch, first=len(boxes)):
            found = detector.detect(images, [ClipKey(video.name, time) for time in part])
            boxes.add(found if look.with_objects else [each.select(each.categories == PERSON) for each in found])
            bar.update(len(part))
    return kept.save(video, times, boxes)
