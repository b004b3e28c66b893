"""What a video file says of itself: size, rates, streams; and whether its key frames can be decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from alphaction.dataset.decode import decode_at_times, decode_positions
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.video_file import VideoInfo, as_fraction, open_video, probe

# A video is of variable rate when this share of its frames lasts a quarter longer or shorter than the others.
_VARIABLE_SHARE = 0.02
_VARIABLE_BY = 0.25
_HIGH_FPS, _LOW_FPS = 240.0, 5.0
# How far the rate of the header may be from that of the frames.
_RATE_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is known of one video.

    Attributes:
        info: size, rate and length.
        num_frames: pictures it holds.
        is_variable: frames last unequally long.
        first_stream: kind of its first stream.
    """

    info: VideoInfo
    num_frames: int
    is_variable: bool
    first_stream: str

    @property
    def measured_fps(self) -> float:
        """Frames a second by their number."""
        return self.num_frames / self.info.duration if self.info.duration > 0 else 0.0


def inspect_video(path: str, decoded_ms: Sequence[int] = ()) -> VideoFacts:
    """Returns the facts of a video; every packet is read, and the frames at ``decoded_ms`` are decoded.

    Raises:
        VideoError: missing, empty, corrupt, truncated, or without a picture.
    """
    info = probe(path)
    with open_video(path) as (container, stream):
        first_stream = container.streams[0].type
        tick = as_fraction(stream.time_base)
        stamps = [packet.pts for packet in container.demux(stream) if packet.size]
    shown = np.sort(np.array([stamp for stamp in stamps if stamp is not None], np.float64)) * float(tick)
    for time in decoded_ms:
        decode_at_times(path, [Fraction(time, 1000)], info.start)
    return VideoFacts(info, len(stamps), _is_variable(np.diff(shown)), first_stream)


def inspect_clip(path: str) -> VideoFacts:
    """Returns the facts of a one-second file, whose first and last frame are decoded.

    Raises:
        VideoError: missing, empty, corrupt, truncated, or without a picture.
    """
    facts = inspect_video(path)
    decode_positions(path, [0, -1])
    return facts


def _is_variable(steps: np.ndarray) -> bool:
    if len(steps) < 3 or np.median(steps) <= 0:
        return False
    median = float(np.median(steps))
    slack = max(_VARIABLE_BY * median, 0.0015)  # some containers round times to a millisecond
    return float((np.abs(steps - median) > slack).mean()) >= _VARIABLE_SHARE


def check_facts(name: str, facts: VideoFacts, used_by: str, findings: Findings) -> None:
    """Notes rates and streams that other programs, or readers of frame numbers, stumble over."""
    suffix = f" (used by {used_by})" if used_by else ""
    _check_rate(name, facts, suffix, findings)
    if facts.is_variable:
        problem = f"its frames last unequally long (variable frame rate){suffix}"
        remedy = "Clips are sampled by time, so it can be used; labels made by frame number are at wrong times."
        findings.add("warning", "video-variable-fps", name, problem, remedy)
    if facts.first_stream != "video":
        problem = f"its first stream is {facts.first_stream}, the picture comes later{suffix}"
        remedy = "It is read right here; programs that take the first stream fail on it."
        findings.add("info", "video-audio-first", name, problem, remedy)


def _check_rate(name: str, facts: VideoFacts, suffix: str, findings: Findings) -> None:
    said, measured = facts.info.fps, facts.measured_fps
    compared = f"its header says {said:g} frames a second, by their number they are {measured:.2f}{suffix}"
    if said > _HIGH_FPS:
        remedy = (
            "Clips are sampled by time (INPUT.FPS), so it can be used; programs that count frames need it rewritten."
        )
        findings.add("warning", "video-high-fps", name, compared, remedy)
    elif said < _LOW_FPS:
        remedy = "A clip shows the same frame many times; motion cannot be learned from it."
        findings.add("warning", "video-low-fps", name, f"it has {said:g} frames a second{suffix}", remedy)
    elif measured and abs(measured / said - 1) > _RATE_SLACK:
        remedy = "Labels made by frame number may be at other times than you think; write the video again."
        findings.add("warning", "video-other-fps", name, compared, remedy)
