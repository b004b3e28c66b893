"""One video and a detector's boxes as a test set: what the demo predicts on."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.clip_table import table_of_boxes
from alphaction.dataset.datasets.ava import AVAVideoDataset
from alphaction.dataset.frames import Pathways, Window
from alphaction.dataset.movies import check_times
from alphaction.dataset.sources import WholeVideo
from alphaction.dataset.transforms.build import build_transforms
from alphaction.dataset.video_file import probe
from alphaction.structures.ava_csv import AvaRows, load_person_boxes_csv
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError
from alphaction.utils.words import counted

logger = logging.getLogger(__name__)


def open_single_video(cfg: Any, video_path: str | Path, boxes_path: str | Path, labels: LabelMap) -> AVAVideoDataset:
    """Returns the clips around the key frames that have a person box of a score that suffices in a test.

    That is TEST.BOX_THRESH, or the ``box_thresh`` of the sets of DATASETS.TEST, where they have one in common.

    Args:
        cfg: the config of the model.
        video_path: a whole video.
        boxes_path: AVA CSV of person boxes: ``video,second,x1,y1,x2,y2,,score``. Rows whose video is the stem of
            ``video_path`` are used.
        labels: the classes of the model.

    Raises:
        DataError: a file cannot be used, or no box is left.
    """
    path, info = Path(video_path), probe(video_path)
    rows = _rows_of(load_person_boxes_csv(boxes_path), path, boxes_path)
    needed = BoxThreshold.from_cfg(cfg).in_force(_threshold_of_test_sets(cfg))
    good = rows.select(rows.score >= needed.score)
    keys = good.frame_index()[0]
    if not keys:
        best = f"; the best of {len(rows)} has {rows.score.max():.3f}" if len(rows) else ""
        raise DataError(f"{boxes_path} has no box with a score of {needed.source} {needed.score:g}{best}.")
    if len(good) < len(rows):
        logger.info(
            "%s: %s of %d have the score of %s, %g, and are looked at.",
            *(boxes_path, counted(len(good), "box"), len(rows), needed.source, needed.score),
        )
    video = keys[0].video
    sources = {video: WholeVideo(str(path), info)}
    check_times(str(boxes_path), keys, sources, str)
    return AVAVideoDataset(
        keys=keys,
        sources=dict(sources),
        sizes={video: (info.width, info.height)},
        persons=table_of_boxes(good, keys),
        objects=None,
        labels=labels,
        pathways=Pathways(
            cfg.INPUT.FRAME_NUM, cfg.INPUT.TAU, cfg.INPUT.ALPHA, slow_jitter=False, shuffle=cfg.TEST.SHUFFLE_FRAMES
        ),
        window=Window(cfg.INPUT.FRAME_NUM, cfg.INPUT.FRAME_SAMPLE_RATE, cfg.INPUT.FPS),
        transforms=build_transforms(cfg, False),
        is_train=False,
    )


def _threshold_of_test_sets(cfg: Any) -> float | None:
    own = {DatasetCatalog.get(name).arguments.get("box_thresh") for name in cfg.DATASETS.TEST}
    return own.pop() if len(own) == 1 else None


def _rows_of(rows: AvaRows, video: Path, boxes_path: str | Path) -> AvaRows:
    if video.stem in rows.videos:
        return rows.select(np.asarray(rows.video == rows.videos.index(video.stem)))
    raise DataError(
        f'{boxes_path} has no row of the video "{video.stem}"; it is about {", ".join(rows.videos[:5]) or "nothing"}.'
    )
