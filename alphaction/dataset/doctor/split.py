"""The files of one half of a data set (training or test), opened as far as they can be."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.ava_files import AvaFiles
from alphaction.dataset.box_threshold import BoxThreshold, ThresholdInForce
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.label_checks import Classes, check_labels
from alphaction.dataset.doctor.movie_checks import dangling
from alphaction.dataset.doctor.rows import is_json, read_rows
from alphaction.utils.errors import DataError, UserError
from alphaction.utils.registry import nearest

Role = Literal["train", "test"]
_CHECKED_CLASS = "AVAVideoDataset"
_ENDINGS = (".yaml", ".yml")
_TEST_WORDS = ("val", "test", "eval", "dev")


@dataclass(frozen=True, slots=True)
class SplitSource:
    """A half of a data set before it is opened: its name, what it is for, and its files."""

    name: str
    role: Role
    files: AvaFiles


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A half of a data set.

    Attributes:
        source: where it comes from.
        truth: the labelled persons, None when their file cannot be read.
        annotations: those of ann_file, where the labelled persons above are of another file; likewise.
        boxes: a detector's, None without or when they cannot be read.
        excluded: key frames to leave out, likewise.
        classes: None when the label file cannot be used.
        threshold: the score a detector's box needs.
    """

    source: SplitSource
    truth: FileRows | None
    annotations: FileRows | None
    boxes: FileRows | None
    excluded: FileRows | None
    classes: Classes | None
    threshold: ThresholdInForce

    @property
    def title(self) -> str:
        """Its name without folder and ending, for tables and captions."""
        name = self.source.name
        return Path(name).stem if name.endswith(_ENDINGS) else name


def named_sources(names: Sequence[str], findings: Findings, roles: Sequence[Role] = ()) -> list[SplitSource]:
    """Returns the halves that these data set files or catalog names are; unusable ones become findings.

    Args:
        names: data set files or catalog names.
        findings: where unusable ones are noted.
        roles: what each is for; without them, its name says so, and the first of several without a word is training.

    Raises:
        UserError: a name is neither in the catalog nor a file.
    """
    sources = []
    for name, role in zip(names, roles or _guess_roles(names), strict=True):
        is_file = Path(name).is_file()
        try:
            entry = DatasetCatalog.get(name)
            if entry.dataset != _CHECKED_CLASS:
                _note_class(name, entry.dataset, findings)
                continue
            sources.append(SplitSource(name, role, AvaFiles.from_arguments(name, entry.arguments)))
        except UserError as error:
            if is_file and not name.endswith(_ENDINGS):
                raise UserError(
                    f"{name} is no data set; give a folder, or a data set file (.yaml) that names it: "
                    f"python tools/check_dataset.py {Path(name).parent}"
                ) from error
            if not is_file and not isinstance(error, DataError):
                raise
            problem = str(error).removeprefix(f'Data set "{name}"').lstrip(": ").rstrip(".")
            findings.add("error", "entry-unusable", name, problem, "Correct the data set file.")
    return sources


def open_split(source: SplitSource, threshold: BoxThreshold, findings: Findings, *, is_quick: bool) -> Split:
    """Returns the half with its files read; what cannot be read is None and a finding.

    Where a half has two annotation files, a quick check reads the CSV alone.
    """
    files = _there(source, findings)
    truth = read_rows(files.ground_truth_file, "person_id", findings) if files.ground_truth_file else None
    annotations = truth
    if files.annotation_file != files.ground_truth_file and not is_quick:
        annotations = read_rows(files.annotation_file, "person_id", findings)
    own = None if annotations is truth else annotations
    images = annotations.images if annotations is not None else None
    boxes = None
    if files.box_file and not (is_json(files.box_file) and images is None):
        boxes = read_rows(files.box_file, "box_score", findings, images)
    elif is_json(files.box_file) and not source.files.ann_file:
        problem = "the file names images by id, which needs ann_file, the JSON with these images"
        findings.add("error", "boxes-images", files.box_file, problem, "Give ann_file, or the boxes as AVA CSV.")
    excluded = read_rows(files.exclusion_file, "none", findings) if files.exclusion_file else None
    classes = check_labels(source.name, files, findings) if files.label_file == source.files.label_file else None
    if images is not None and truth is not None and truth.images is None:
        truth = replace(truth, images=images)
    return Split(source, truth, own, boxes, excluded, classes, threshold.in_force(files.box_thresh))


def _there(source: SplitSource, findings: Findings) -> AvaFiles:
    """Returns the files without those that do not exist, which are noted."""
    names = [field.name for field in fields(AvaFiles) if field.name.endswith("_file")]
    missing = [name for name in names if (path := getattr(source.files, name)) and not Path(path).is_file()]
    for name in missing:
        path = getattr(source.files, name)
        problem = f"{dangling(Path(path)) or 'there is no such file'}; it is the {name} of {source.name}"
        findings.add("error", "file-missing", path, problem, "Correct the path; it is relative to the data set file.")
    empty: dict[str, Any] = dict.fromkeys(missing, "")
    return replace(source.files, **empty)


def role_of(name: str) -> Role | None:
    """Returns what a file is for by its name, None when it does not say."""
    words = Path(name).name.lower()
    if "train" in words.replace("trainval", ""):
        return "train"
    return "test" if any(word in words for word in _TEST_WORDS) else None


def _note_class(name: str, dataset: str, findings: Findings) -> None:
    guess = nearest(dataset, [_CHECKED_CLASS])
    if guess.startswith("did you mean"):
        problem, remedy = f'there is no class "{dataset}"', f"D{guess[1:]}"
        findings.add("error", "class-unknown", name, problem, remedy)
    else:
        problem = f"data sets of the class {dataset} are not checked"
        findings.add("info", "class-unchecked", name, problem, f"Only files of {_CHECKED_CLASS} can be checked.")


def _guess_roles(names: Sequence[str]) -> list[Role]:
    roles = [role_of(name) for name in names]
    guessed: list[Role] = []
    for position, role in enumerate(roles):
        is_first = position == 0 and "train" not in roles
        is_again = names[position] in names[:position]  # as in DATASETS.TRAIN and DATASETS.TEST
        guessed.append("test" if is_again else role or ("train" if is_first else "test"))
    return guessed
