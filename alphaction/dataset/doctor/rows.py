"""The rows of an annotation file, CSV or JSON."""

from alphaction.dataset.annotations import Images
from alphaction.dataset.doctor.csv_rows import parse_text
from alphaction.dataset.doctor.csv_text import read_csv_text
from alphaction.dataset.doctor.file_rows import FileRows
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.json_rows import read_json_rows
from alphaction.structures.ava_csv_parser import FileKind


def is_json(path: str) -> bool:
    """Returns whether a file is taken for JSON."""
    return path.lower().endswith((".json", ".json.gz"))


def read_rows(path: str, kind: FileKind, findings: Findings, images: Images | None = None) -> FileRows | None:
    """Returns the rows of an AVA CSV or a JSON file, or None (and a finding) when nothing of it can be used.

    Args:
        path: the file.
        kind: what its eighth column holds.
        findings: where rows that cannot be read are noted.
        images: of the annotation file, which the ids of a JSON file of boxes refer to.
    """
    if is_json(path) and kind != "none":
        return read_json_rows(path, kind == "box_score", findings, images)
    text = read_csv_text(path, findings)
    return None if text is None else parse_text(text, kind, findings)
