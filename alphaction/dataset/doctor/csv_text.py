"""The lines of a CSV file, whatever program wrote it: byte order mark, encoding, separator and header are noted."""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

from alphaction.dataset.doctor.finding import Findings

_SEPARATORS = {"\t": "tabs", ";": "semicolons"}
# So many lines decide which separator a file has.
_LOOKED_AT = 20
_SAVE_AS = "Save it as CSV (comma separated, UTF-8), or let --fix write a repaired copy."


@dataclass(frozen=True, slots=True)
class CsvText:
    """A file's lines as AVA CSV has them.

    Attributes:
        path: the file.
        lines: n texts with their line ends, separated by commas; a header line is blank, so that numbers stay.
        changes: what had to be changed for that, in words.
    """

    path: str
    lines: list[str]
    changes: tuple[str, ...] = ()


def read_csv_text(path: str, findings: Findings) -> CsvText | None:
    """Returns the lines of a file, or None (and a finding) when it cannot be read."""
    try:
        raw = gzip.decompress(Path(path).read_bytes()) if path.endswith(".gz") else Path(path).read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        findings.add(
            "error",
            "file-unreadable",
            path,
            f"the file cannot be read: {reason}",
            "Correct its name in the data set file.",
        )
        return None
    text, changes = _decode(raw, path, findings)
    lines = list(io.StringIO(text, newline=None))
    separator = _separator_of(lines)
    if separator:
        name = _SEPARATORS[separator]
        findings.add(
            "error", f"csv-{name}", path, f"columns are separated by {name}, not by commas", _SAVE_AS, places=["row 1"]
        )
        lines = [_with_commas(line, separator) for line in lines]
        changes.append(f"{name} to commas")
    if lines and _is_header(lines[0]):
        findings.add(
            "error",
            "csv-header",
            path,
            f'"{lines[0].strip()[:80]}" is a header line, AVA CSV files have none',
            "Delete the row, or let --fix do it.",
            places=["row 1"],
        )
        lines[0] = "\n"
        changes.append("header line removed")
    return CsvText(path, lines, tuple(changes))


def _decode(raw: bytes, path: str, findings: Findings) -> tuple[str, list[str]]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        findings.add("error", "csv-utf16", path, "the text is UTF-16, as spreadsheets save it, not UTF-8", _SAVE_AS)
        return raw.decode("utf-16", "replace"), ["UTF-16 to UTF-8"]
    has_mark = raw.startswith(b"\xef\xbb\xbf")
    if has_mark:
        findings.add(
            "warning",
            "csv-bom",
            path,
            "the file begins with a byte order mark, which other programs take for a part of the first video name",
            "Save it as UTF-8 without BOM, or let --fix do it.",
            places=["row 1"],
        )
    try:
        return raw.decode("utf-8-sig"), ["byte order mark removed"] * has_mark
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        findings.add("error", "csv-encoding", path, "the text is not UTF-8", _SAVE_AS, places=[f"row {row}"])
        return raw.decode("latin-1"), ["Latin-1 to UTF-8"]


def _separator_of(lines: list[str]) -> str:
    """Returns the separator that is not a comma, "" for a file that uses commas."""
    sample = [line for line in lines[:_LOOKED_AT] if line.strip()]
    for separator in _SEPARATORS:
        counts = [line.count(separator) for line in sample]
        if sample and min(counts) >= 1 and (min(counts) >= 5 or not any("," in line for line in sample)):
            return separator
    return ""


def _with_commas(line: str, separator: str) -> str:
    """Returns the line with commas; a comma within a number is its decimal point."""
    cells = next(csv.reader([line], delimiter=separator), [])
    cells = [cells[0], *(cell.replace(",", ".") for cell in cells[1:])] if cells else []
    return join_cells(cells)


def join_cells(cells: list[str]) -> str:
    """Returns a line of a CSV file, with its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _is_header(line: str) -> bool:
    cells = next(csv.reader([line]), [])
    return len(cells) > 1 and any(character.isalpha() for character in cells[1]) and not any(map(_is_number, cells[1:]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
