"""Reading the rows of any file: nothing is dropped without a word, and good rows are those that training reads."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaction.dataset.doctor.csv_rows import parse_text
from alphaction.dataset.doctor.csv_text import CsvText, read_csv_text
from alphaction.dataset.doctor.finding import Findings
from alphaction.dataset.doctor.rows import read_rows
from alphaction.structures.ava_csv import load_ground_truth_csv
from alphaction.utils.errors import DataError

GOOD = "a,0001,0.1,0.2,0.3,0.4,3,7\n"
CELLS = st.sampled_from(["a", "0001", "0.5", "", "-1", "nan", "250", '"b,c"', '"', "1e9", "x1", " 3"])
LINES = st.lists(st.lists(CELLS, min_size=0, max_size=9).map(",".join), max_size=8)


def parse(text: str, findings: Findings | None = None):
    return parse_text(CsvText("made.csv", text.splitlines(keepends=True)), "person_id", findings or Findings())


def test_rows_keep_their_line_numbers_around_blank_and_wrong_ones() -> None:
    findings = Findings()
    table = parse("\n" + GOOD + "a,b\n" + "c,0005\n" + GOOD.replace("0.3", "200") + GOOD, findings)
    assert table.line.tolist() == [2, 5, 6] and table.bad_lines == (3,)
    assert table.rows.xyxy[1].tolist() == [0.1, 0.2, 200, 0.4]
    assert [str(key) for key in table.rows.frames_without_boxes] == ["c@5s"]
    assert [finding.places for finding in findings.sorted()] == [("row 3",)]


def test_a_file_of_pixels_is_read_whole() -> None:
    table = parse(GOOD.replace("0.", "10") * 3000)
    assert len(table.rows) == 3000 and table.line[-1] == 3000


def test_a_file_of_nonsense_is_given_up_and_said_so() -> None:
    findings = Findings()
    table = parse("no row\n" * 5000, findings)
    assert len(table.rows) == 0
    assert {finding.code for finding in findings.sorted()} == {"row-1", "row-too-many"}


def test_decimal_commas_of_spreadsheets_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('"b;c";1;0,1;0,2;0,3;0,4;3;7\n')
    table = read_rows(str(path), "person_id", Findings())
    assert table is not None and table.rows.videos == ("b;c",)
    assert table.rows.xyxy.tolist() == [[0.1, 0.2, 0.3, 0.4]]


@pytest.mark.parametrize("text", ["video\ttime\n", "a\t0001\n", "a;0001\n"])
def test_separators_of_files_with_two_columns(tmp_path: Path, text: str) -> None:
    path = tmp_path / "excluded.csv"
    path.write_text(text)
    read = read_csv_text(str(path), Findings())
    assert read is not None and read.lines[0] in ("\n", "a,0001\n")


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(LINES)
def test_every_line_is_a_row_a_finding_or_blank(lines: list[str]) -> None:
    findings = Findings()
    table = parse("".join(f"{line}\n" for line in lines), findings)
    told = {int(place.removeprefix("row ")) for finding in findings.sorted() for place in finding.places}
    assert set(table.bad_lines) >= told and bool(told) == bool(table.bad_lines)
    assert not set(table.bad_lines) & set(table.line.tolist())
    with_text = {number for number, line in enumerate(lines, 1) if line.replace(",", "").replace('"', "").strip()}
    assert with_text <= set(table.bad_lines) | set(table.line.tolist()) | empty_frames(lines)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(LINES)
def test_a_file_without_a_finding_is_one_that_training_reads(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    path.write_text("".join(f"{line}\n" for line in [GOOD.strip(), *lines]))
    findings = Findings()
    table = read_rows(str(path), "person_id", findings)
    assert table is not None
    try:
        rows = load_ground_truth_csv(path)
    except DataError:
        has_odd_box = bool(len(table.rows)) and (table.rows.xyxy.max() > 1.1 or table.rows.xyxy.min() < -0.1)
        has_odd_box |= bool((table.rows.xyxy[:, 2:] < table.rows.xyxy[:, :2]).any())
        assert findings.sorted() or has_odd_box
    else:
        assert findings.sorted() == [] and np.array_equal(table.rows.xyxy, rows.xyxy)


def empty_frames(lines: list[str]) -> set[int]:
    """Returns the lines that only name a key frame."""
    rows = {number: next(csv.reader([line]), []) for number, line in enumerate(lines, 1)}
    return {number for number, cells in rows.items() if len(cells) > 1 and not any(cells[2:])}
