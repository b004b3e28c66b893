"""Writes a video with the predictions drawn into it, and reads single frames to draw on."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from alphaction.dataset.decode import VideoInfo, decode_at_times, probe
from alphaction.dataset.video_file import as_fraction
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipPrediction
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError
from alphaction.utils.files import replaced_when_complete
from alphaction.visualization.draw import draw_predictions
from alphaction.visualization.timeline import Timeline


def write_annotated_video(
    video_path: str | Path,
    predictions: Sequence[ClipPrediction],
    labels: LabelMap,
    output_path: str | Path,
    *,
    threshold: float = 0.3,
    top: int = 3,
    hold_seconds: float = 2.0,
    short_side: int = 360,
) -> int:
    """Writes an H.264 mp4 of the video with its persons and their classes, and returns the number of frames.

    A prediction shows from its key frame until the next one. Between two key frames no more than ``hold_seconds``
    apart, the box of a person found in both moves in a straight line. Times of frames are kept; sound is not.

    Args:
        video_path: a whole video; second 0 is its first frame.
        predictions: its predictions with boxes, in any order.
        labels: the classes of their scores.
        output_path: the mp4 to write; its folder is created.
        threshold, top, short_side: see :func:`draw_predictions`.
        hold_seconds: how long a prediction shows that is not followed by another.

    Raises:
        DataError: the video cannot be read or has no picture.
        ValueError: the predictions are of several videos, without boxes, or of one time twice.
    """
    timeline = Timeline(predictions, hold_seconds=hold_seconds)
    draw = partial(draw_predictions, labels=labels, threshold=threshold, top=top, short_side=short_side)
    info = probe(video_path)
    try:
        with (
            replaced_when_complete(output_path) as unfinished,
            av.open(str(video_path)) as source,
            av.open(str(unfinished), "w", format="mp4") as target,
        ):
            frames = _read(source, info)
            pictures = ((_draw_moment(frame, second, timeline, draw), second) for frame, second in frames)
            num_frames = _encode(pictures, target, _picture_stream(source))
    except av.FFmpegError as error:
        raise DataError(f"{video_path} cannot be annotated: {error}") from error
    return num_frames


def read_frame(video_path: str | Path, second: float) -> np.ndarray:
    """Returns the frame [H, W, 3] uint8 RGB that a video shows at ``second``; its edges repeat.

    Raises:
        DataError: the video cannot be read or has no picture.
    """
    times = [Fraction(second).limit_denominator(1000)]
    return decode_at_times(video_path, times, probe(video_path).start).frames[0]


def _picture_stream(container: InputContainer) -> VideoStream:
    """Returns the first stream of pictures that is not a cover."""
    cover = av.stream.Disposition.attached_pic
    return next(stream for stream in container.streams.video if not stream.disposition & cover)


def _read(container: InputContainer, info: VideoInfo) -> Iterator[tuple[np.ndarray, float]]:
    """Yields (frame [H, W, 3] uint8 RGB as it is shown, seconds since the first picture)."""
    for index, frame in enumerate(container.decode(_picture_stream(container))):
        second = index / info.fps if frame.time is None else frame.time - float(info.start)
        quarters = round(frame.rotation / 90) % 4
        yield np.rot90(frame.to_ndarray(format="rgb24"), quarters), second


def _draw_moment(frame: np.ndarray, second: float, timeline: Timeline, draw: Callable[..., np.ndarray]) -> np.ndarray:
    boxes, people = timeline.at(second) or (Boxes.empty((frame.shape[1], frame.shape[0])), ())
    return draw(frame, boxes, colours=people)


def _encode(
    pictures: Iterator[tuple[np.ndarray, float]],
    target: OutputContainer,
    source: VideoStream,
) -> int:
    """Writes (picture, second) pairs with the clock of ``source`` and returns how many there were."""
    stream, clock, last = None, as_fraction(source.time_base or Fraction(1, 90_000)), -1
    num_frames = 0
    for picture, second in pictures:
        if stream is None:
            stream = target.add_stream("libx264", rate=as_fraction(source.average_rate or 25))
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt, stream.options = "yuv420p", {"preset": "veryfast", "crf": "20"}
            stream.codec_context.time_base = clock
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        last = max(last + 1, round(second / clock))
        frame.pts, frame.time_base = last, clock
        target.mux(stream.encode(frame))
        num_frames += 1
    if stream is not None:
        target.mux(stream.encode(None))
    return num_frames
