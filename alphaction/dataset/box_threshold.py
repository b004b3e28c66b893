"""The score that a detector's box needs in a test, and who says so."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BoxThreshold:
    """What the user says about the score, apart from the data sets.

    Attributes:
        score: TEST.BOX_THRESH; it holds for data sets that say nothing.
        overrules: it holds for all data sets, for it was typed on the command line.
    """

    score: float = 0.8
    overrules: bool = False

    @classmethod
    def from_cfg(cls, cfg: Any) -> "BoxThreshold":
        return cls(cfg.TEST.BOX_THRESH, cfg.TEST.BOX_THRESH_OVERRULES)

    def in_force(self, own: float | None) -> "ThresholdInForce":
        """Returns the score for a data set whose ``box_thresh`` is ``own``; None is one that says nothing."""
        if own is None:
            return ThresholdInForce(self.score, "TEST.BOX_THRESH", "")
        if self.overrules:
            return ThresholdInForce(
                self.score, "TEST.BOX_THRESH", f"as typed; the data set's own {own:g} does not hold"
            )
        return ThresholdInForce(float(own), "the data set's box_thresh", "as the data set says")


@dataclass(frozen=True, slots=True)
class ThresholdInForce:
    """The score for one data set.

    Attributes:
        score: a box needs it.
        source: where it was written.
        why: a clause that says why, where several places give one; else empty.
    """

    score: float
    source: str
    why: str
