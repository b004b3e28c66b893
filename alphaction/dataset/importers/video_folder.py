"""The user's folder of videos: which there are, how large, how fast and how long."""

from dataclasses import dataclass, field
from pathlib import Path

from alphaction.dataset.sources import ClipFolder, find_movies
from alphaction.dataset.video_file import VideoError, probe
from alphaction.utils.errors import DataError

# For a video whose rate is not known, half a frame of this rate is the slack of its times.
_USUAL_RATE = 25.0
# What may lie beside videos under their names. FFmpeg would read some of it as pictures of text.
_NO_VIDEOS = (
    *(".csv", ".txt", ".json", ".xml", ".pbtxt", ".yaml", ".yml", ".zip", ".gz", ".md", ".html", ".log"),
    *(".jpg", ".jpeg", ".png", ".srt", ".vtt", ".ass", ".sub", ".wav", ".mp3", ".m4a", ".npz", ".npy"),
)


@dataclass(frozen=True, slots=True)
class Footage:
    """What can be read of one video.

    Attributes:
        size: (width, height) of its frames, in pixels.
        fps: mean frames a second.
        first: earliest second at which there is a key frame.
        last: latest one.
        only_whole_seconds: it is a folder of one-second files.
    """

    size: tuple[int, int]
    fps: float
    first: float
    last: float
    only_whole_seconds: bool = False


@dataclass(slots=True)
class VideoFolder:
    """A folder of videos, or of folders of one-second files; each is opened when it is first asked for.

    Attributes:
        root: the folder.
        bad: why the videos that were asked for and cannot be read cannot, by name.
    """

    root: Path
    bad: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(init=False)
    _known: dict[str, Footage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise DataError(f"The folder of the videos, {self.root}, is not a folder.")
        files = {path.stem for path in self.root.iterdir() if path.is_file() and _may_be_video(path)}
        self._names = files | {path.parent.name for path in self.root.glob("*/*.mp4") if path.stem.isdecimal()}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def name_of(self, written: str) -> str:
        """Returns the name of a video that a file calls by its name, file name or path."""
        plain = written.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        return plain if plain in self._names or "." not in plain else plain.rsplit(".", 1)[0]

    def only_name(self) -> str | None:
        """Returns the name of the video if there is just one."""
        return next(iter(self._names)) if len(self._names) == 1 else None

    def footage(self, name: str) -> Footage | None:
        """Returns what is known of a video, or None for one that is not there or (see ``bad``) cannot be read.

        Raises:
            DataError: several files have that name.
        """
        if name in self._names and name not in self._known and name not in self.bad:
            try:
                self._known[name] = self._open(name)
            except VideoError as error:
                self.bad[name] = str(error)
        return self._known.get(name)

    def needed(self, name: str, reason: str) -> Footage:
        """Returns what is known of a video without which a file cannot be understood.

        Raises:
            DataError: it is not there, or cannot be read.
        """
        footage = self.footage(name)
        if footage is None:
            why = self.bad.get(name, f"it is not in {self.root} ({self.listed()})")
            raise DataError(f'The video "{name}" is needed {reason}: {why}.')
        return footage

    def listed(self) -> str:
        """Returns the first names, for a message."""
        names = sorted(self._names)
        return f"there are {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it is empty"

    def slack_seconds(self, name: str) -> float:
        """Returns how far a time may lie from a whole second to be meant as it: half a frame."""
        footage = self.footage(name)
        return 0.5 / (footage.fps if footage else _USUAL_RATE) + 1e-4

    def _open(self, name: str) -> Footage:
        place = find_movies(self.root, [name])[name]
        if isinstance(place, ClipFolder):
            info = place.probe(place.first * 1000)
            return Footage((info.width, info.height), info.fps, place.first, place.last, only_whole_seconds=True)
        info = probe(place)
        return Footage((info.width, info.height), info.fps, 0.0, info.duration)


def _may_be_video(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() not in _NO_VIDEOS
