"""One video and a detector's boxes as a test set: what the demo predicts on."""

from pathlib import Path
from typing import Any

import numpy as np

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


def open_single_video(cfg: Any, video_path: str | Path, boxes_path: str | Path, labels: LabelMap) -> AVAVideoDataset:
    """Returns the clips around the key frames that have a person box of at least TEST.BOX_THRESH.

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
    good = rows.select(rows.score >= cfg.TEST.BOX_THRESH)
    keys = good.frame_index()[0]
    if not keys:
        best = f"; the best of {len(rows)} has {rows.score.max():.3f}" if len(rows) else ""
        raise DataError(f"{boxes_path} has no box with a score of TEST.BOX_THRESH {cfg.TEST.BOX_THRESH:g}{best}.")
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


def _rows_of(rows: AvaRows, video: Path, boxes_path: str | Path) -> AvaRows:
    if video.stem in rows.videos:
        return rows.select(np.asarray(rows.video == rows.videos.index(video.stem)))
    raise DataError(
        f'{boxes_path} has no row of the video "{video.stem}"; it is about {", ".join(rows.videos[:5]) or "nothing"}.'
    )
