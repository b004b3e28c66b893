"""A folder as a data set: its data set files, or else files in AVA's names."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from alphaction.dataset.ava_files import AvaFiles
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.split import Role, SplitSource, named_sources, role_of
from alphaction.structures.labels import load_label_map
from alphaction.utils.errors import DataError, UserError

_ROLES: tuple[Role, ...] = ("train", "test")
_TEXT_FOLDERS = (".", "annotations", "boxes")
_VIDEO_FOLDERS = ("videos", "clips/trainval", "clips", "trainval", "movies")


def folder_sources(folder: str | Path, findings: Findings) -> list[SplitSource]:
    """Returns the halves that a folder holds.

    Data set files (``*.yaml`` with a ``video_root``) are taken first. Without them, CSV files are told apart by
    their names (``train``, ``val``, ``excluded``, ``boxes`` or ``predicted``), also in ``annotations/`` and ``boxes/``,
    and a finding says what was taken for what.

    Raises:
        UserError: there is neither.
    """
    folder = Path(folder)
    entries = [path for pattern in ("*.yaml", "*.yml") for path in sorted(folder.glob(pattern)) if _is_entry(path)]
    if entries:
        return named_sources([str(path) for path in entries], findings)
    sources = _sources_by_name(folder)
    if not sources:
        raise UserError(
            f"{folder} holds no data set: neither a data set file (*.yaml with video_root) nor a CSV file whose name "
            "has train or val in it. Give a folder that tools/import_dataset.py wrote, or data set files."
        )
    for source in sources:
        files = source.files
        given = ", ".join(
            f"{key} {Path(value).relative_to(folder)}"
            for key in ("csv_gt_file", "box_file", "label_file", "labelmap_file", "exclusion_file", "video_root")
            if (value := getattr(files, key))
        )
        remedy = "Write a data set file if that is not what you mean."
        findings.add("info", "folder-guess", str(folder), f"without a data set file, {source.name} is {given}", remedy)
    return sources


def _is_entry(path: Path) -> bool:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return role_of(path.name) is not None
    return isinstance(content, dict) and bool({"video_root", "csv_gt_file", "ann_file"} & content.keys())


def _sources_by_name(folder: Path) -> list[SplitSource]:
    tables = [path for name in _TEXT_FOLDERS for path in sorted((folder / name).glob("*.csv*"))]
    excluded = [path for path in tables if "exclu" in path.name.lower()]
    boxes = [path for path in tables if any(w in path.name.lower() for w in ("predict", "box", "det"))]
    labelled = [path for path in tables if path not in (*excluded, *boxes) and role_of(path.name)]
    labels = _label_files(folder)
    video_root = next((folder / name for name in _VIDEO_FOLDERS if (folder / name).is_dir()), folder)
    sources = []
    for role in _ROLES:
        truth = _of_role(labelled, role, or_any=False)
        if truth is not None:
            files = AvaFiles(
                video_root=str(video_root),
                csv_gt_file=str(truth),
                box_file=str(_of_role(boxes, role, or_any=role == "test") or ""),
                label_file=labels[0] if labels else "",
                labelmap_file=labels[-1] if len(labels) > 1 else "",
                exclusion_file=str(_of_role(excluded, role, or_any=False) or ""),
            )
            sources.append(SplitSource(role if role == "train" else "val", role, files))
    return sources


def _of_role(paths: Sequence[Path], role: Role, *, or_any: bool) -> Path | None:
    mine = [path for path in paths if role_of(path.name) == role]
    if or_any and not mine:
        mine = [path for path in paths if role_of(path.name) is None]
    # AVA has files for validation and for its test server; the former come with labels.
    return min(mine, key=lambda path: ("test" in path.name.lower(), path.name), default=None)


def _label_files(folder: Path) -> list[str]:
    """Returns the label files of a folder, that with the most classes first."""
    found: list[tuple[int, str]] = []
    for path in (path for name in _TEXT_FOLDERS for path in sorted((folder / name).glob("*.pbtxt"))):
        try:
            found.append((-len(load_label_map(path)), str(path)))
        except DataError:
            found.append((0, str(path)))
    return [path for _, path in sorted(found)]
