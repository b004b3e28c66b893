"""What a video file says of itself: size, rates, streams, and whether frames are missing between others."""

from dataclasses import dataclass

import numpy as np

from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.video_file import VideoInfo, as_fraction, open_video, packets_of, probe

# A video is of variable rate when this share of its frames lasts a quarter longer or shorter than the others.
_VARIABLE_SHARE = 0.02
_VARIABLE_BY = 0.25
_HIGH_FPS, _LOW_FPS = 240.0, 5.0
# How far the rate of the header may be from that of the frames.
_RATE_SLACK = 0.1
# Frames are missing where one of a video of constant rate lasts this long, and this many times longer than the others.
_GAP_SECONDS, _GAP_FRAMES = 0.5, 5


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time that a video of constant rate shows one frame; ``num_missing`` of all such times."""

    start: float
    end: float
    num_missing: int


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is known of one video.

    Attributes:
        info: size, rate and length.
        num_frames: pictures it holds.
        is_variable: frames last unequally long.
        first_stream: kind of its first stream.
        gap: where frames are missing, if any are.
    """

    info: VideoInfo
    num_frames: int
    is_variable: bool
    first_stream: str
    gap: Gap | None = None

    @property
    def measured_fps(self) -> float:
        """Frames a second by their number."""
        return self.num_frames / self.info.duration if self.info.duration > 0 else 0.0


def inspect_video(path: str) -> VideoFacts:
    """Returns the facts of a video; every packet is read.

    Raises:
        VideoError: missing, empty, corrupt, truncated, or without a picture.
    """
    info = probe(path)
    with open_video(path) as (container, stream):
        first_stream = container.streams[0].type
        tick = as_fraction(stream.time_base)
        stamps = [packet.pts for packet in packets_of(container, stream) if packet.size]
    shown = np.sort(np.array([stamp for stamp in stamps if stamp is not None], np.float64)) * float(tick)
    shown -= float(info.start)
    is_variable = _is_variable(np.diff(shown))
    return VideoFacts(info, len(stamps), is_variable, first_stream, None if is_variable else _find_gap(shown))


def _find_gap(shown: np.ndarray) -> Gap | None:
    """Returns the longest gap between frames that are shown at these seconds, with all that is missing."""
    steps = np.diff(shown)
    usual = float(np.median(steps)) if len(steps) > 2 else 0.0
    is_gap = steps > max(_GAP_SECONDS, _GAP_FRAMES * usual)
    if not usual or not is_gap.any():
        return None
    longest = int(steps.argmax())
    num_missing = int((np.rint(steps[is_gap] / usual) - 1).sum())
    return Gap(float(shown[longest]), float(shown[longest + 1]), num_missing)


def _is_variable(steps: np.ndarray) -> bool:
    if len(steps) < 3 or np.median(steps) <= 0:
        return False
    median = float(np.median(steps))
    slack = max(_VARIABLE_BY * median, 0.0015)  # some containers round times to a millisecond
    return float((np.abs(steps - median) > slack).mean()) >= _VARIABLE_SHARE


def check_facts(name: str, facts: VideoFacts, used_by: str, findings: Findings) -> None:
    """Notes rates and streams that other programs, or readers of frame numbers, stumble over."""
    suffix = f" (used by {used_by})" if used_by else ""
    if facts.gap is None:
        _check_rate(name, facts, suffix, findings)
    else:
        _note_gap(name, facts, facts.gap, suffix, findings)
    if facts.is_variable:
        problem = f"its frames last unequally long (variable frame rate){suffix}"
        remedy = "Clips are sampled by time, so it can be used; labels made by frame number are at wrong times."
        findings.add("warning", "video-variable-fps", name, problem, remedy)
    if facts.first_stream != "video":
        problem = f"its first stream is {facts.first_stream}, the picture comes later{suffix}"
        remedy = "It is read right here; programs that take the first stream fail on it."
        findings.add("info", "video-audio-first", name, problem, remedy)


def _note_gap(name: str, facts: VideoFacts, gap: Gap, suffix: str, findings: Findings) -> None:
    expected = facts.num_frames + gap.num_missing
    problem = (
        f"frames are missing: it holds {facts.num_frames} where {expected} are expected by its rate, and none from "
        f"{gap.start:.2f} s to {gap.end:.2f} s{suffix}"
    )
    remedy = "Clips of these seconds show a still picture; get the video again, or leave their rows out."
    findings.add("warning", "video-gap", name, problem, remedy)


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
        expected = round(said * facts.info.duration)
        compared += f": it holds {facts.num_frames} frames where {expected} are expected"
        remedy = "Labels made by frame number may be at other times than you think; write the video again."
        findings.add("warning", "video-other-fps", name, compared, remedy)
