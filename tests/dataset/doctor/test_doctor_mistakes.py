"""Data sets broken on purpose: each mistake is named with its file and row, and nothing ends the check."""

import shutil
from pathlib import Path

import pytest
from mistakes import MISTAKES, Mistake

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.doctor.check import CheckOptions, Examination, examine

# What the generated data set itself is told, because it is so small.
USUAL = {"class-untested", "boxes-recall", "video-mixed-fps"}


@pytest.fixture
def data(tiny_data: SyntheticFiles, tmp_path: Path) -> Path:
    """A copy of the data set that a test may break."""
    return Path(shutil.copytree(tiny_data.root, tmp_path / "data"))


def check(data: Path) -> Examination:
    return examine([str(data)], CheckOptions(workers=1))


def test_the_whole_data_set_has_no_error(tiny_data: SyntheticFiles) -> None:
    result = check(tiny_data.root)
    assert {finding.code for finding in result.findings} <= USUAL
    assert result.count("error") == 0


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.code for mistake in MISTAKES])
def test_a_mistake_is_named_with_its_file_and_row(data: Path, mistake: Mistake) -> None:
    mistake.make(data)
    found = [finding for finding in check(data).findings if finding.code == mistake.code]
    assert len(found) == 1, [finding.text for finding in found]
    assert found[0].level == mistake.level
    assert [text for text in mistake.said if text not in found[0].text] == [], found[0].text
    assert found[0].remedy.endswith((".", "?"))


def test_every_mistake_is_told_in_its_own_words() -> None:
    assert len({mistake.code for mistake in MISTAKES}) == len(MISTAKES) >= 20


def test_many_mistakes_are_named_together(data: Path) -> None:
    chosen = [
        mistake
        for mistake in MISTAKES
        if mistake.code in ("box-inverted", "csv-bom", "exclusions-empty", "score-threshold", "video-corrupt")
    ]
    for mistake in chosen:
        mistake.make(data)
    codes = {finding.code for finding in check(data).findings}
    assert {mistake.code for mistake in chosen} <= codes


def test_a_damaged_header_does_not_end_the_check(data: Path) -> None:
    path = data / "videos/train_01.mp4"
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xff\xfe\xfa\xfb").replace(b"avc1", b"\0\1\2\3"))
    result = check(data)
    assert "train_01" not in result.facts and "train_00" in result.facts
    assert any("train_01" in finding.file and "train.csv, row 8" in finding.text for finding in result.findings)


def test_mistakes_of_one_kind_are_counted_and_their_first_places_given(data: Path) -> None:
    text = (data / "train.csv").read_text()
    (data / "train.csv").write_text(text + "train_00,0001,0.1,0.1,0.1,0.9,1,9\n" * 30)
    (finding,) = [finding for finding in check(data).findings if finding.code == "box-degenerate"]
    assert finding.count == 30 and finding.places == tuple(f"row {row}" for row in range(14, 19))
    assert "30 such; also row 15, row 16, row 17, row 18, ..." in finding.text
