"""Clips that could not be read: each is named once, and too many of them stop the run."""

import logging
from collections.abc import Iterable

from alphaction.structures.clip import ClipKey, SkippedClip
from alphaction.utils.errors import LocalError

logger = logging.getLogger(__name__)


class SkippedClips:
    """A ledger of unreadable videos.

    Args:
        limit: DATALOADER.MAX_BAD_VIDEOS.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reasons: dict[ClipKey, str] = {}

    def add(self, clips: Iterable[SkippedClip]) -> None:
        """Notes clips, with a warning for each new one.

        Raises:
            LocalError: clips of more than ``limit`` videos were skipped.
        """
        for clip in clips:
            if clip.key not in self._reasons:
                self._reasons[clip.key] = clip.reason
                logger.warning("Skipped the clip %s: %s", clip.key, clip.reason)
        if len(self.videos()) > self._limit:
            raise LocalError(
                f"Clips of {len(self.videos())} videos cannot be read, more than DATALOADER.MAX_BAD_VIDEOS "
                f"{self._limit}: {', '.join(self.videos())}. The last reason: {list(self._reasons.values())[-1]}"
            )

    def videos(self) -> list[str]:
        return sorted({key.video for key in self._reasons})

    def summary(self) -> str:
        """Returns a sentence with count and names, "" when nothing was skipped."""
        if not self._reasons:
            return ""
        return f"{len(self._reasons)} clips were skipped as unreadable, of the videos {', '.join(self.videos())}."
