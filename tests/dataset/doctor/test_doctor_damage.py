"""Videos damaged inside: what training could not read is named, with its seconds and rows."""

import shutil
from pathlib import Path

import pytest
from damaged_videos import overwrite, write_noise
from made_videos import write_text, write_video
from odd_videos import write_odd_video

from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.finding import Finding
from alphaction.dataset.doctor.fix import write_repaired
from alphaction.dataset.doctor.read_checks import choose_times, seconds_of_each
from alphaction.dataset.doctor.report import format_examination
from alphaction.dataset.doctor.video_facts import inspect_video
from alphaction.dataset.sources import ClipFolder


def write_data(folder: Path, seconds: range) -> Path:
    """Writes a data set with one row a second of the video "movie"."""
    (folder / "videos").mkdir()
    rows = [f"movie,{second:04d},0.1,0.1,0.5,0.9,1,1" for second in seconds]
    write_text(folder / "train.csv", *rows)
    write_text(folder / "labels.pbtxt", 'item { name: "act" id: 1 }')
    return write_text(folder / "train.yaml", "video_root: videos", "csv_gt_file: train.csv", "label_file: labels.pbtxt")


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_noise(tmp_path_factory.mktemp("noise") / "movie.mp4", 500)


@pytest.fixture
def damaged(tmp_path: Path, noise: Path) -> Path:
    """A data set of a video of 20 s whose seconds 8 to 12 are overwritten."""
    entry = write_data(tmp_path, range(1, 20))
    overwrite(Path(shutil.copy(noise, tmp_path / "videos/movie.mp4")), 0.4, 0.6)
    return entry


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A data set of a movie cut to 12 seconds, all of them annotated."""
    entry = write_data(tmp_path, range(12))
    for second in range(12):
        write_video(tmp_path / f"videos/movie/{second}.mp4", 25)
    return entry


def check(entry: Path, seconds: int | None = None) -> Examination:
    return examine([str(entry)], CheckOptions(workers=1, seconds=seconds))


def only(result: Examination, code: str) -> Finding:
    (found,) = [finding for finding in result.findings if finding.code == code]
    return found


def test_each_second_of_a_damaged_middle_is_named_with_its_row(damaged: Path) -> None:
    result = check(damaged)
    found = only(result, "second-unreadable")
    assert found.level == "error" and found.file.endswith("videos/movie.mp4")
    assert "cannot be decoded" in found.problem and "of the 19 key frames read cannot be used" in found.problem
    assert f"cannot be used: {damaged.parent}/train.csv, row " in found.problem
    for second in (8, 9, 10, 11):
        assert f"row {second} ({second} s)" in found.problem
    assert "(5 s)" not in found.problem and "(15 s)" not in found.problem
    assert "all 19 annotated seconds were read" in format_examination(result)


def test_seconds_beside_one_that_cannot_be_read_are_looked_at_too(damaged: Path) -> None:
    few, all_of_them = check(damaged, seconds=5), check(damaged)
    assert few.opened.failed == all_of_them.opened.failed and few.opened.num_read < 19
    said = format_examination(few)
    assert f"The frames of {few.opened.num_read} of 19 annotated seconds were read, about 5 of each video" in said


def test_rows_of_unreadable_seconds_can_be_left_out(damaged: Path, tmp_path: Path) -> None:
    result = check(damaged)
    assert write_repaired(result, tmp_path / "kept") == []
    changes = write_repaired(result, tmp_path / "out", ["videos"])
    assert {change.text for change in changes} == {"left out, its frames cannot be read"}
    assert len(changes) == len(result.opened.failed)
    assert check(tmp_path / "out/train.yaml").count("error") == 0


def test_a_clip_cut_short_is_named_with_the_rows_that_need_it(clips: Path) -> None:
    path = clips.parent / "videos/movie/7.mp4"
    path.write_bytes(path.read_bytes()[:1500])
    found = only(check(clips), "second-unreadable")
    assert found.level == "error" and found.file == str(path)
    assert f"cannot be used: {clips.parent}/train.csv, row " in found.problem and "row 8 (7 s)" in found.problem
    assert "(6 s)" in found.problem and "(3 s)" not in found.problem
    assert found.remedy.startswith("Delete the file and cut the movie again (tools/process_ava_videos.py), or leave")


def test_a_movie_stays_when_only_its_first_clips_are_broken(clips: Path, tmp_path: Path) -> None:
    for second in range(2):
        path = clips.parent / f"videos/movie/{second}.mp4"
        path.write_bytes(path.read_bytes()[:1500])
    (clips.parent / "videos/movie/notes.txt").symlink_to("gone.txt")
    result = check(clips, seconds=2)  # of which the first one is broken
    assert not result.facts
    changes = write_repaired(result, tmp_path / "out", ["videos"])
    assert {change.text for change in changes} == {"left out, its frames cannot be read"} and len(changes) == 4
    assert check(tmp_path / "out/train.yaml").count("error") == 0


def test_an_empty_clip_is_named_once_with_a_row_and_what_helps(clips: Path) -> None:
    (clips.parent / "videos/movie/7.mp4").write_bytes(b"")
    result = check(clips)
    (found,) = [finding for finding in result.findings if finding.level == "error"]
    assert "second 7: the file 7.mp4 is empty (0 bytes); it is read for" in found.text and "row 7" in found.text
    assert found.remedy.startswith("Delete the file and cut the movie again (tools/process_ava_videos.py), or leave")


def test_seconds_to_read_are_spread_and_the_smallest_clips_are_among_them(clips: Path) -> None:
    times = [second * 1000 for second in range(12)]
    assert choose_times(None, times, 3) == [0, 6000, 11000]
    folder = clips.parent / "videos/movie"
    for second in (2, 3):
        (folder / f"{second}.mp4").write_bytes(b"short")
    assert {2000, 3000} <= set(choose_times(ClipFolder(str(folder), 0, 11), times, 2))
    assert choose_times(None, [], 3) == []


@pytest.mark.parametrize(("videos", "wanted", "most"), [(1, None, 20), (100, None, 12), (5000, None, 4), (100, 50, 50)])
def test_of_many_videos_fewer_seconds_are_read(videos: int, wanted: int | None, most: int) -> None:
    assert seconds_of_each(videos, wanted) == most


def test_a_hole_in_a_video_is_told_with_its_numbers(tmp_path: Path) -> None:
    entry = write_data(tmp_path, range(1, 9))
    write_odd_video(tmp_path / "videos/movie.mp4", [40] * 100 + [40 * 51] + [40] * 99)
    found = only(check(entry), "video-gap")
    assert found.level == "warning"
    assert "it holds 200 where 250 are expected by its rate, and none from 4.00 s to 6.04 s" in found.text


@pytest.mark.parametrize("steps", [[40] * 200, [40] * 100 + [200] + [40] * 99, [500] * 12, [20, 60, 900] * 40])
def test_a_video_without_a_clear_hole_is_not_accused(tmp_path: Path, steps: list[int]) -> None:
    assert inspect_video(str(write_odd_video(tmp_path / "v.mp4", steps))).gap is None
