"""Persons followed through a video: what detectors, trackers and annotation tools exchange."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PersonTrack:
    """One person of a video at n times, between which the box moves in a straight line.

    A person that leaves the picture and comes back is several tracks of one id.

    Attributes:
        video: name of the video, without its folder and suffix.
        person_id: number of the person, unique within its video; -1 for a box of nobody in particular.
        seconds: [n] float64 rising times from the start of the video, in seconds.
        xyxy: [n, 4] float64 corners, as fractions of the frame.
        scores: [n] float64 scores of the boxes; 1 for a box that a person drew.
        actions: names of the actions at each of the n times; an empty tuple where none is known.
    """

    video: str
    person_id: int
    seconds: NDArray[np.float64]
    xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    actions: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        num = len(self.seconds)
        if self.xyxy.shape != (num, 4) or self.scores.shape != (num,) or len(self.actions) != num:
            raise ValueError(
                f"A track of {num} times needs {num} boxes, scores and lists of actions; got {self.xyxy.shape}, "
                f"{self.scores.shape} and {len(self.actions)}."
            )

    def __len__(self) -> int:
        return len(self.seconds)

    @classmethod
    def without_actions(
        cls,
        video: str,
        person_id: int,
        seconds: NDArray[np.float64],
        xyxy: NDArray[np.float64],
        scores: NDArray[np.float64] | None = None,
    ) -> "PersonTrack":
        """Returns a track whose actions are not known yet, with scores of 1 where none are given."""
        known = np.ones(len(seconds)) if scores is None else scores
        return cls(video, person_id, seconds, xyxy, known, ((),) * len(seconds))
