"""Which frames of a clip's window the two pathways see, and where they lie in the video."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FramePlan:
    """The frames both pathways need, each once.

    Attributes:
        positions: [T] int64 frames of the window, rising from 0 to FRAME_NUM - 1.
        slow_index: [Ts] int64 places in ``positions``, in the order the slow pathway sees them.
        fast_index: [Tf] int64 likewise.
    """

    positions: NDArray[np.int64]
    slow_index: NDArray[np.int64]
    fast_index: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pathways:
    """How the pathways sample a window.

    Attributes:
        frame_num: frames of the window.
        tau: frames from one frame of the slow pathway to the next.
        alpha: the fast pathway has this many times more frames than the slow one.
        slow_jitter: the slow pathway starts at a drawn frame of 0 .. tau - 1 instead of the middle one.
        shuffle: permute the window's frames first: a model that does as well does not use motion.
    """

    frame_num: int
    tau: int
    alpha: int
    slow_jitter: bool = False
    shuffle: bool = False

    def plan(self, rng: np.random.Generator) -> FramePlan:
        """Returns which frames to read; ``rng`` is asked only for the slow pathway's jitter and the shuffle."""
        fast_step = self.tau // self.alpha
        slow_start = int(rng.integers(self.tau)) if self.slow_jitter else (self.tau - 1) // 2
        return self.plan_from(slow_start, (fast_step - 1) // 2, self._order(rng))

    def plan_from(self, slow_start: int, fast_start: int, order: NDArray[np.int64]) -> FramePlan:
        """Returns the plan for given starts; ``order`` [frame_num] says which frame stands where in the window."""
        slow = order[np.arange(slow_start, self.frame_num, self.tau)]
        fast = order[np.arange(fast_start, self.frame_num, self.tau // self.alpha)]
        positions, place = np.unique(np.concatenate([slow, fast]), return_inverse=True)
        return FramePlan(positions, place[: len(slow)], place[len(slow) :])

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.permutation(self.frame_num) if self.shuffle else np.arange(self.frame_num)


@dataclass(frozen=True, slots=True)
class Window:
    """Where the frames of a window lie around the key frame.

    Attributes:
        frame_num: frames of the window; half of them come before the key frame.
        sample_rate: frames of the video from one frame of the window to the next.
        fps: frames a second in which ``sample_rate`` counts, 0 for those of the file. One-second files hold a
            fixed number of frames and are counted, whatever this says.
    """

    frame_num: int
    sample_rate: int
    fps: float

    def offsets(self, positions: Sequence[int] | NDArray[np.int64]) -> list[int]:
        """Returns frames from the key frame (0), for videos that are counted in frames."""
        first = (self.sample_rate - 1) // 2 - self.frame_num * self.sample_rate // 2
        return [first + int(position) * self.sample_rate for position in positions]

    def seconds(
        self, positions: Sequence[int] | NDArray[np.int64], timestamp_ms: int, own_fps: float
    ) -> list[Fraction]:
        """Returns times in the video: the frame at position i is t + (i - frame_num / 2) * sample_rate / fps."""
        fps = Fraction(self.fps or own_fps).limit_denominator(2000)
        key = Fraction(timestamp_ms, 1000)
        return [key + (2 * int(i) - self.frame_num) * self.sample_rate / (2 * fps) for i in positions]
