"""A folder of movies prepared: processes, skipped movies, interrupted runs."""

import os

import pytest
from unusual_videos import write_grey

from alphaction.dataset.preparation import clips
from alphaction.dataset.preparation.clips import ClipSettings
from alphaction.dataset.preparation.pool import run_jobs
from alphaction.dataset.preparation.run import prepare_clips
from alphaction.utils.errors import DataError, UserError


def prepare(folder, out, num_processes=0, progress=lambda done, total: None):
    settings = ClipSettings(out / "clips", out / "kframes", first=0, last=None)
    return prepare_clips(folder, settings, num_processes=num_processes, progress=progress)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def movies(tmp_path):
    write_grey(tmp_path / "movies/one.mp4", 50)
    write_grey(tmp_path / "movies/two.avi", 60, codec="mpeg4")
    return tmp_path / "movies"


def test_several_processes_write_what_one_writes(movies, tmp_path):
    seen = []
    alone = prepare(movies, tmp_path / "a", progress=lambda *numbers: seen.append(numbers))
    together = prepare(movies, tmp_path / "b", num_processes=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") and len(contents(tmp_path / "a")) == 12
    assert alone.num_written == together.num_written == 5 and seen == [(2, 5), (5, 5)]


def test_unreadable_movies_are_skipped_counted_and_named(movies, tmp_path):
    (movies / "bad.mp4").write_bytes(b"no video" * 100)
    (movies / "empty.mkv").touch()
    (movies / "list.txt").touch()
    done = prepare(movies, tmp_path / "out", num_processes=2)
    assert done.num_movies == 4 and done.num_written == 5 and list(sorted(done.unread)) == ["bad.mp4", "empty.mkv"]
    text = done.describe()
    assert "4 videos: 5 one-second clips written, 0 there before." in text
    assert "Skipped, or left before its end: 2 videos:" in text and "empty.mkv: the file is empty (0 bytes)" in text
    assert "Not a video by its name: 1 file (list.txt)." in text


def test_an_interrupted_run_leaves_whole_files_and_goes_on(movies, tmp_path, monkeypatch):
    write_video, calls = clips.write_video, []

    def stopped(path, frames, **arguments):
        calls.append(path)
        if len(calls) == 4:
            path.with_name(f".{path.name}.partial").write_bytes(b"half")  # what a kill would leave
            raise KeyboardInterrupt
        return write_video(path, frames, **arguments)

    monkeypatch.setattr(clips, "write_video", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(movies, tmp_path / "out")
    monkeypatch.undo()
    done = prepare(movies, tmp_path / "out")
    assert (done.num_there, done.num_written) == (2, 3)
    assert dict(done.anew) == {"the run before was stopped at this part": 1}
    prepare(movies, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_is_not_looked_at_is_named(movies, tmp_path):
    write_grey(movies / "day two/three.mp4", 25)
    (movies / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    done = prepare(movies, movies / "out")
    assert "Not looked into: 1 subfolder (day two)." in done.describe()
    assert "the file they point to is gone: 1 link (gone.mp4)." in done.describe()
    assert done.num_movies == 2 and not done.is_complete


def test_many_names_are_cut_short(movies, tmp_path):
    for i in range(8):
        (movies / f"note{i}.txt").touch()
    said = "8 files (note0.txt, note1.txt, note2.txt, note3.txt, note4.txt, ...)"
    assert said in prepare(movies, tmp_path / "out").describe()


def test_videos_in_subfolders_alone_are_named_in_the_error(tmp_path):
    write_grey(tmp_path / "sub/one.mp4", 5)
    with pytest.raises(DataError, match=r"holds no video; .* Not looked into: 1 subfolder \(sub\)\."):
        prepare(tmp_path, tmp_path / "out")


def test_a_folder_of_unreadable_movies_is_an_error(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"The only video of .* cannot be used:\n  bad\.mp4: corrupt, or not a video"):
        prepare(tmp_path, tmp_path / "out")


def test_a_folder_without_movies_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no video"):
        prepare(tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match="is not a folder"):
        prepare(tmp_path / "none", tmp_path / "out")


def test_two_movies_of_one_name_are_an_error(movies, tmp_path):
    write_grey(movies / "one.mkv", 25)
    with pytest.raises(DataError, match=r"one\.mkv, one\.mp4"):
        prepare(movies, tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_an_error_and_no_skipped_movie(movies, tmp_path):
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"Cannot write .*Finished files are kept"):
        prepare(movies, tmp_path / "out")


def test_a_process_that_dies_is_an_error(tmp_path):
    with pytest.raises(UserError, match="ended from outside, or by a fault of a decoder"):
        list(run_jobs(os._exit, [1], num_processes=1))
