"""Tracks looked at once a second: the labels of the key frames."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alphaction.dataset.importers.base import NO_ACTION, Imported, ReadOptions
from alphaction.dataset.importers.classes import labels_of_names
from alphaction.dataset.importers.rows import RowsBuilder
from alphaction.structures.clip import ClipKey
from alphaction.structures.tracks import PersonTrack
from alphaction.utils.errors import DataError

_BETWEEN = "tracks that begin and end between two whole seconds"

# No video is longer: eleven days.
_LATEST_SECOND = 1e6


@dataclass(frozen=True, slots=True)
class SampledPerson:
    """A person at a key frame; the box [4] is in fractions of the frame."""

    key: ClipKey
    person_id: int
    xyxy: tuple[float, ...]
    actions: tuple[str, ...]


def sample_track(track: PersonTrack, slack_seconds: float) -> list[SampledPerson]:
    """Returns the person at every whole second of a track.

    The box moves in a straight line between two times of the track; an action holds until the next of them. A track
    of one time is a key frame at that time.

    Args:
        track: the person.
        slack_seconds: a time this near to a whole second is meant as it.
    """
    if len(track) == 1:
        second = float(track.seconds[0])
        near = round(second)
        key = ClipKey(track.video, near * 1000 if abs(second - near) <= slack_seconds else round(second * 1000))
        return [SampledPerson(key, track.person_id, tuple(track.xyxy[0].tolist()), track.actions[0])]
    first, last = np.ceil(track.seconds[0] - slack_seconds), np.floor(track.seconds[-1] + slack_seconds)
    seconds = np.arange(first, last + 1)
    boxes = np.stack([np.interp(seconds, track.seconds, column) for column in track.xyxy.T], axis=1)  # [s, 4]
    current = np.clip(np.searchsorted(track.seconds, seconds + slack_seconds, side="right") - 1, 0, None)
    return [
        SampledPerson(ClipKey(track.video, int(second) * 1000), track.person_id, tuple(box), track.actions[place])
        for second, box, place in zip(seconds.tolist(), boxes.tolist(), current.tolist(), strict=True)
    ]


def sample_tracks(
    tracks: Sequence[PersonTrack], options: ReadOptions, counted: Counter[str]
) -> Iterator[SampledPerson]:
    """Yields the persons of all tracks; ``counted`` gets those tracks that have none.

    Raises:
        DataError: a time is not one of a video.
    """
    for track in tracks:
        if track.seconds[-1] > _LATEST_SECOND:
            raise DataError(
                f"Person {track.person_id} of {track.video} is there until second {track.seconds[-1]:g}; frame numbers "
                "or times are wrong."
            )
        persons = sample_track(track, options.videos.slack_seconds(track.video))
        counted[_BETWEEN] += not persons
        yield from persons


def import_tracks(
    tracks: Sequence[PersonTrack],
    options: ReadOptions,
    *,
    defined: Sequence[str] = (),
    left_out: Counter[str] | None = None,
    notes: Sequence[str] = (),
) -> Imported:
    """Returns the labels of the key frames of these tracks.

    Args:
        tracks: the persons, with actions.
        options: what the user said.
        defined: names of the actions in the order of the tool.
        left_out: what the reader has left out already, each counted as one label.
        notes: what the reader has to say.

    Raises:
        DataError: an action is not in the label file, or a time is not one of a video.
    """
    counted = Counter(left_out or {})
    used = {name for track in tracks for actions in track.actions for name in actions}
    labels = labels_of_names(used, options, defined)
    id_of = dict(zip(labels.names, labels.ids, strict=True))
    builder = RowsBuilder()
    for person in sample_tracks(tracks, options, counted):
        counted[NO_ACTION] += not person.actions
        for action in dict.fromkeys(person.actions):
            builder.add(person.key, person.xyxy, id_of[action], person.person_id)
    rows = builder.rows()
    unused = [name for name in dict.fromkeys(defined) if name not in used]
    said = [*notes, *([f"No person does: {', '.join(unused)}."] if unused else [])]
    return Imported(rows, labels, len(rows) + counted.total(), +counted, tuple(said))
