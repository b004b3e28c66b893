"""The whole examination of a data set; and its quick half, which opens no video and which training runs by itself."""

import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.dataset.doctor.finding import Finding, Findings, Level
from alphaction.dataset.doctor.folder import folder_sources
from alphaction.dataset.doctor.movie_checks import Place, check_clip_seconds, find_places
from alphaction.dataset.doctor.split import Split, SplitSource, named_sources, open_split
from alphaction.dataset.doctor.split_checks import check_halves, check_split, note_same_set
from alphaction.dataset.doctor.video_checks import OpenedVideos, check_videos
from alphaction.dataset.doctor.video_facts import VideoFacts
from alphaction.utils.words import counted

logger = logging.getLogger(__name__)

_WORKERS = 4
_LOG_LEVELS: dict[Level, int] = {"error": logging.ERROR, "warning": logging.WARNING}


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How a data set is checked.

    Attributes:
        threshold: of a detector's boxes.
        max_persons: persons of a clip that a training step looks at.
        is_quick: open no video.
        workers: videos opened at once.
        seconds: annotated seconds of each video whose frames are read, None for the usual number.
    """

    threshold: BoxThreshold = field(default_factory=BoxThreshold)
    max_persons: int = 10
    is_quick: bool = False
    workers: int = _WORKERS
    seconds: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """What came out of a check.

    Attributes:
        splits: the halves as they were opened.
        findings: errors first.
        places: where each video is, those that were found.
        opened: what came of opening the videos.
    """

    splits: tuple[Split, ...]
    findings: tuple[Finding, ...]
    places: dict[str, Place] = field(default_factory=dict)
    opened: OpenedVideos = field(default_factory=OpenedVideos)

    @property
    def facts(self) -> Mapping[str, VideoFacts]:
        """Facts of each video that was opened and can be read."""
        return self.opened.facts

    def count(self, level: str) -> int:
        """Returns how many findings have this level."""
        return sum(finding.level == level for finding in self.findings)


def examine(names: Sequence[str], options: CheckOptions) -> Examination:
    """Returns all that is wrong with a data set; no fault of it ends the check.

    Args:
        names: one folder, or data set files and catalog names.
        options: how.

    Raises:
        UserError: there is no such data set.
    """
    findings = Findings()
    sources: list[SplitSource] = []
    for name in names:
        sources += folder_sources(name, findings) if Path(name).is_dir() else []
    files = [name for name in names if not Path(name).is_dir()]
    sources += named_sources(files, findings)
    return _examine(sources, options, findings)


def quick_check(
    train: Sequence[str], test: Sequence[str], *, threshold: BoxThreshold, max_persons: int
) -> tuple[Finding, ...]:
    """Returns what can be found in these data sets without looking at their videos, which opening them has done.

    Args:
        train: data set files and catalog names of DATASETS.TRAIN.
        test: of DATASETS.TEST.
        threshold: of a detector's boxes.
        max_persons: MODEL.ROI_ACTION_HEAD.PROPOSAL_PER_CLIP.

    Raises:
        UserError: a name is neither in the catalog nor a file.
    """
    findings = Findings()
    sources = named_sources(list(train), findings, ["train"] * len(train))
    # A test set that nobody opens may be one that is not here.
    for name in dict.fromkeys(name for name in test if name in train):
        note_same_set(name, "DATASETS.TRAIN and DATASETS.TEST both name it", findings)
    tested = [name for name in test if name not in train and (name in DatasetCatalog.DATASETS or Path(name).is_file())]
    sources += [
        source
        for source in named_sources(tested, Findings(), ["test"] * len(tested))
        if Path(source.files.ground_truth_file).is_file()
    ]
    options = CheckOptions(threshold, max_persons, is_quick=True)
    return _examine(sources, options, findings, looks_for_videos=False).findings


def log_quick_check(train: Sequence[str], test: Sequence[str], *, threshold: BoxThreshold, max_persons: int) -> None:
    """Logs what :func:`quick_check` finds, errors at the level of errors; it refuses nothing."""
    findings = quick_check(train, test, threshold=threshold, max_persons=max_persons)
    notable = [finding for finding in findings if finding.level != "info"]
    for finding in notable:
        logger.log(_LOG_LEVELS[finding.level], "[%s] %s %s", finding.level, finding.text, finding.remedy)
    if notable:
        num_errors = sum(finding.level == "error" for finding in notable)
        logger.log(
            _LOG_LEVELS["error" if num_errors else "warning"],
            "The data has %s and %s: python tools/check_dataset.py %s tells more, reads videos and can repair files.",
            counted(num_errors, "error"),
            counted(len(notable) - num_errors, "warning"),
            shlex.join([*train, *test]),
        )


def _examine(
    sources: Sequence[SplitSource], options: CheckOptions, findings: Findings, *, looks_for_videos: bool = True
) -> Examination:
    splits = tuple(open_split(source, options.threshold, findings, is_quick=options.is_quick) for source in sources)
    places: dict[str, Place] = {}
    for split in splits:
        check_split(split, options.max_persons, findings)
        if split.truth is not None and looks_for_videos:
            found = find_places(split.truth, split.source.files.video_root, findings)
            check_clip_seconds(split.truth, found, findings, is_quick=options.is_quick)
            places |= found
    check_halves(splits, findings)
    opened = OpenedVideos()
    if not options.is_quick:
        tables = [split.truth for split in splits if split.truth is not None]
        opened = check_videos(tables, places, findings, workers=options.workers, seconds=options.seconds)
    return Examination(splits, tuple(findings.sorted()), places, opened)
