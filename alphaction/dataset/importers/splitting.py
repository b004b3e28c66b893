"""Which key frames are for training and which for validation."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alphaction.structures.ava_csv import AvaRows
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

SplitBy = Literal["video", "time"]
SIDES = ("train", "val")
_NUM_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Split:
    """Where the halves lie, in seconds: by video, the first and last key frame of each half.

    Attributes:
        by: what was split.
        train: video -> (first, last) millisecond.
        val: likewise.
    """

    by: str
    train: dict[str, tuple[int, int]]
    val: dict[str, tuple[int, int]]

    def side(self, name: str, rows: AvaRows) -> AvaRows:
        """Returns the rows and key frames of a half (``train`` or ``val``)."""
        spans = self.train if name == "train" else self.val
        first = np.array([spans.get(video, (1, 0))[0] for video in rows.videos], np.int64)
        last = np.array([spans.get(video, (1, 0))[1] for video in rows.videos], np.int64)
        if len(rows):
            inside = (rows.timestamp_ms >= first[rows.video]) & (rows.timestamp_ms <= last[rows.video])
        else:
            inside = np.zeros(0, bool)
        empty = tuple(
            key
            for key in rows.frames_without_boxes
            if spans.get(key.video, (1, 0))[0] <= key.timestamp_ms <= spans.get(key.video, (1, 0))[1]
        )
        return replace(rows.select(inside), frames_without_boxes=empty)


def split_rows(rows: AvaRows, by: SplitBy | None, val_share: float, seed: int, gap_seconds: float) -> Split:
    """Returns a split of the key frames.

    Args:
        rows: the labels.
        by: whole videos, or a part of every video's time, the last unless the first has more of the classes; None
            takes videos unless there is only one.
        val_share: the part that is for validation, between 0 and 1.
        seed: which videos. Of many draws the one with the fewest classes missing in a half is taken, and of equal ones
            that with the share of labels nearest to ``val_share``.
        gap_seconds: by time, key frames nearer than this to the validation part are in neither half, so that no clip
            of one half shows frames of the other.

    Raises:
        DataError: there are too few videos or key frames.
    """
    if not 0 < val_share < 1:
        raise DataError(f"The share for validation is {val_share:g}; it must lie between 0 and 1.")
    times = _times(rows)
    if not times:
        raise DataError("No label is left to be split.")
    by = by or ("video" if len(times) > 1 else "time")
    return (
        _split_videos(rows, times, val_share, seed)
        if by == "video"
        else _split_times(rows, times, val_share, gap_seconds)
    )


def split_given(train: AvaRows, val: AvaRows) -> Split:
    """Returns the split of files that are given for each half.

    Raises:
        DataError: a half is empty.
    """
    if not len(train) or not len(val):
        raise DataError(f"No label is left for {'training' if not len(train) else 'validation'}.")
    return Split("files", *({name: (t[0], t[-1]) for name, t in _times(rows).items()} for rows in (train, val)))


def _times(rows: AvaRows) -> dict[str, list[int]]:
    """Returns the sorted times of each video's key frames."""
    found: dict[str, list[int]] = {}
    for key in sorted(rows.keyframes):
        found.setdefault(key.video, []).append(key.timestamp_ms)
    return found


def _split_videos(rows: AvaRows, times: dict[str, list[int]], val_share: float, seed: int) -> Split:
    names = sorted(times)
    if len(names) < 2:
        raise DataError(f"There is one video, {names[0]}; split it by time (--split-by time).")
    num_val = min(max(round(len(names) * val_share), 1), len(names) - 1)
    place = {name: position for position, name in enumerate(names)}
    classes, column = np.unique(rows.action, return_inverse=True)
    counts = np.zeros((len(names), len(classes)), np.int64)  # [videos, classes]
    if len(rows):
        video = np.array([place.get(name, 0) for name in rows.videos], np.int64)[rows.video]
        np.add.at(counts, (video, column), 1)
    chosen = _best_draw(counts, num_val, val_share, np.random.default_rng(seed))
    spans = {name: (found[0], found[-1]) for name, found in times.items()}
    return Split(
        "video",
        {name: spans[name] for position, name in enumerate(names) if position not in chosen},
        {name: spans[name] for position, name in enumerate(names) if position in chosen},
    )


def _best_draw(counts: NDArray[np.int64], num_val: int, val_share: float, rng: np.random.Generator) -> set[int]:
    def badness(chosen: NDArray[np.int64]) -> tuple[int, float]:
        val = counts[chosen].sum(axis=0)
        train = counts.sum(axis=0) - val
        missing = 2 * int((train == 0).sum()) + int((val == 0).sum())  # a class that cannot be learnt is worse
        return missing, abs(float(val.sum()) / max(float(counts.sum()), 1.0) - val_share)

    draws = [np.sort(rng.permutation(len(counts))[:num_val]) for _ in range(_NUM_DRAWS)]
    return set(min(draws, key=badness).tolist())


def _split_times(rows: AvaRows, times: dict[str, list[int]], val_share: float, gap_seconds: float) -> Split:
    """Returns the better of two splits: the last part of every video for validation, or the first."""
    late, early = (_cut(times, val_share, round(gap_seconds * 1000), is_late) for is_late in (True, False))
    if not late.val and not early.val:
        most = max(len(found) for found in times.values())
        if most == 1:
            raise DataError(
                "No video has more than one key frame with labels, so none can be split by time. Label more seconds, "
                "or give more videos or files for validation (--val FILE)."
            )
        raise DataError(
            f"The videos are too short to be split by time with a gap of {gap_seconds:g} s: the longest has {most} "
            "key frames. Give a smaller --gap, more videos, or files for validation (--val FILE)."
        )

    def badness(split: Split) -> tuple[bool, int]:
        classes = set(rows.action.tolist())
        train, val = (set(split.side(name, rows).action.tolist()) for name in SIDES)
        return not split.val, 2 * len(classes - train) + len(classes - val)

    return min(late, early, key=badness)


def _cut(times: dict[str, list[int]], val_share: float, gap_ms: int, is_late: bool) -> Split:
    """Returns the split that cuts every video once; videos too short for it are for training."""
    train: dict[str, tuple[int, int]] = {}
    val: dict[str, tuple[int, int]] = {}
    for name, found in times.items():
        train[name] = (found[0], found[-1])
        num_val = min(max(round(len(found) * val_share), 1), len(found) - 1)
        edge = found[-num_val] if is_late else found[num_val - 1]
        before, after = (time for time in found if time < edge), (time for time in found if time > edge)
        others = before if is_late else after
        rest = [time for time in others if abs(time - edge) >= gap_ms]
        if num_val and rest:
            train[name] = (rest[0], rest[-1])
            val[name] = (edge, found[-1]) if is_late else (found[0], edge)
    return Split("time", train, val)


def is_outside_halves(split: Split, key: ClipKey) -> bool:
    """Returns whether a key frame is in neither half."""
    spans = (side.get(key.video, (1, 0)) for side in (split.train, split.val))
    return not any(first <= key.timestamp_ms <= last for first, last in spans)
