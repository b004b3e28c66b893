"""An examination as text: tables of what is there, then what was found."""

from collections.abc import Sequence

from alphaction.dataset.doctor.check import Examination
from alphaction.dataset.doctor.finding import Finding
from alphaction.dataset.doctor.split import Split
from alphaction.dataset.doctor.split_checks import count_labels
from alphaction.dataset.doctor.video_checks import OpenedVideos
from alphaction.utils.logger import format_table
from alphaction.utils.words import counted

_SHOWN_VIDEOS = 40
_LEVEL_NAMES = (("error", "error"), ("warning", "warning"), ("info", "note"))


def format_examination(result: Examination) -> str:
    """Returns the report of a check."""
    parts = [_halves(result.splits), _classes(result.splits), _videos(result), format_findings(result.findings)]
    return "\n\n".join(part for part in parts if part)


def format_findings(findings: Sequence[Finding]) -> str:
    """Returns one paragraph a finding, errors first, and their numbers."""
    lines = []
    for finding in findings:
        lines += [f"{finding.level}: {finding.text}", f"    {finding.remedy}"]
    counts = {name: sum(finding.level == level for finding in findings) for level, name in _LEVEL_NAMES}
    named = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items())
    lines.append(f"{named}: " + ("the data set cannot be used as it is." if counts["error"] else "it can be used."))
    return "\n".join(lines)


def _halves(splits: Sequence[Split]) -> str:
    rows = []
    for split in splits:
        truth, boxes, excluded = split.truth, split.boxes, split.excluded
        rows.append(
            (
                split.title,
                split.source.role,
                len(truth.rows.videos) if truth else "-",
                len(truth.rows.keyframes) if truth else "-",
                len(truth.rows) if truth else "-",
                len(boxes.rows) if boxes else "-",
                int((boxes.rows.score >= split.threshold.score).sum()) if boxes else "-",
                len(excluded.rows.frames_without_boxes) if excluded else "-",
            )
        )
    header = ("data set", "for", "videos", "key frames", "labels", "detected boxes", "of good score", "excluded")
    return format_table(header, rows) if rows else ""


def _classes(splits: Sequence[Split]) -> str:
    labels = next((split.classes.labels for split in splits if split.classes), None)
    shown = [split for split in splits if split.classes and split.classes.labels == labels]
    if labels is None:
        return ""
    counts = [count_labels(split) for split in shown]
    rows: list[tuple[object, ...]] = []
    for column, (class_id, name) in enumerate(zip(labels.ids, labels.names, strict=True)):
        rows.append((class_id, name, *(int(count[column]) if len(count) else "-" for count in counts)))
    return format_table(("id", "class", *(f"labels of {split.title}" for split in shown)), rows)


def _videos(result: Examination) -> str:
    rows = []
    for video, facts in list(result.facts.items())[:_SHOWN_VIDEOS]:
        info = facts.info
        rate = f"{info.fps:g}" + (" (variable)" if facts.is_variable else "")
        rows.append((video, f"{info.width} x {info.height}", rate, f"{info.duration:.2f}", facts.num_frames))
    if not rows:
        return ""
    more = f"\n... and {len(result.facts) - _SHOWN_VIDEOS} more" if len(result.facts) > _SHOWN_VIDEOS else ""
    table = format_table(("video", "size", "frames a second", "seconds", "frames"), rows) + more
    return f"{table}\n{_coverage(result.opened)}"


def _coverage(opened: OpenedVideos) -> str:
    """Returns how much of the videos was looked at, as a sentence."""
    if opened.num_read == opened.num_times:
        return f"The frames of all {counted(opened.num_times, 'annotated second')} were read."
    return (
        f"The frames of {opened.num_read} of {counted(opened.num_times, 'annotated second')} were read, about "
        f"{opened.most} of each video; --seconds NUMBER reads more."
    )
