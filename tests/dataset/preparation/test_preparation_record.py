"""What outputs were made from: other settings, other files and cut-off outputs are made anew."""

import os

import pytest
from unusual_videos import write_grey

from alphaction.dataset.preparation.clips import ClipSettings
from alphaction.dataset.preparation.record import FOLDER
from alphaction.dataset.preparation.reencode import ReencodeSettings
from alphaction.dataset.preparation.run import prepare_clips, reencode_videos
from alphaction.dataset.video_file import probe
from alphaction.utils.errors import DataError


@pytest.fixture
def movie(tmp_path):
    return write_grey(tmp_path / "old/film.mp4", 50)


def reencode(tmp_path, **changes):
    settings = ReencodeSettings(tmp_path / "new", **changes)
    return reencode_videos(tmp_path / "old", settings, num_processes=0, progress=lambda done, total: None)


def cut(tmp_path, **changes):
    settings = ClipSettings(tmp_path / "new", tmp_path / "kframes", **({"first": 0, "last": None} | changes))
    return prepare_clips(tmp_path / "old", settings, num_processes=0, progress=lambda done, total: None)


def test_videos_of_other_settings_are_made_anew(movie, tmp_path):
    reencode(tmp_path)
    done = reencode(tmp_path, short_side=24)
    assert (done.num_written, done.num_there) == (1, 0) and probe(tmp_path / "new/film.mp4").height == 24
    assert "To be made anew: 1 video, short side was 256, is 24." in done.describe()
    assert reencode(tmp_path, short_side=24).num_there == 1


def test_clips_of_other_settings_are_made_anew(movie, tmp_path):
    cut(tmp_path)
    done = cut(tmp_path, short_side=24)
    assert (done.num_written, done.num_there, dict(done.anew)) == (2, 0, {"short side was 360, is 24": 2})
    assert probe(tmp_path / "new/film/1.mp4").height == 24 and cut(tmp_path, short_side=24).num_there == 2


@pytest.mark.parametrize(("work", "number"), [(reencode, 1), (cut, 2)])
def test_a_replaced_video_is_made_anew(movie, tmp_path, work, number):
    work(tmp_path)
    os.utime(write_grey(movie, 50, size=(128, 96)))
    done = work(tmp_path)
    assert (done.num_written, dict(done.anew)) == (number, {"the video was replaced or changed": number})
    assert work(tmp_path).num_there == number


@pytest.mark.parametrize(
    ("work", "name"), [(reencode, "film.mp4"), (cut, "film/1.mp4"), (cut, "../kframes/film/1.jpg")]
)
@pytest.mark.parametrize("rest", [0, 100])
def test_an_empty_or_cut_off_output_is_made_anew(movie, tmp_path, work, name, rest):
    work(tmp_path)
    output = tmp_path / "new" / name
    whole = output.read_bytes()
    output.write_bytes(whole[:rest])
    done = work(tmp_path)
    assert done.num_written == 1 and output.read_bytes() == whole
    assert ("empty (0 bytes)" if rest == 0 else "cut short or changed") in done.describe()


@pytest.mark.parametrize(("work", "number"), [(reencode, 1), (cut, 2)])
def test_outputs_without_a_record_count_as_they_are_unless_empty(movie, tmp_path, work, number):
    work(tmp_path)
    (tmp_path / "new" / FOLDER / "film.json").unlink()
    assert work(tmp_path, short_side=24).num_there == number
    next((tmp_path / "new").rglob("*.mp4")).write_bytes(b"")
    assert (done := work(tmp_path)).num_written == 1 and done.num_there == number - 1


def test_what_a_stopped_run_did_not_come_to_is_still_of_the_old_settings(movie, tmp_path, monkeypatch):
    cut(tmp_path)
    before = (tmp_path / "new/film/1.mp4").read_bytes()

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alphaction.dataset.preparation.clips.write_video", stop)
        with pytest.raises(KeyboardInterrupt):
            cut(tmp_path, short_side=24)
    assert (tmp_path / "new/film/1.mp4").read_bytes() == before
    assert cut(tmp_path, short_side=24).num_written == 2


def test_clips_of_a_longer_video_that_was_replaced_are_named(movie, tmp_path):
    cut(tmp_path)
    write_grey(movie, 20)
    said = "Outside of this run and left as they were: 1 one-second clip, the video was replaced or changed; delete"
    assert said in cut(tmp_path).describe()


def test_a_record_that_cannot_be_read_is_named_with_the_remedy(movie, tmp_path):
    reencode(tmp_path)
    (tmp_path / "new" / FOLDER / "film.json").write_text("{")
    with pytest.raises(DataError, match=r"film\.json cannot be read; .* Remove it"):
        reencode(tmp_path)


def test_a_replaced_video_that_cannot_be_read_leaves_what_there_was(movie, tmp_path):
    write_grey(tmp_path / "old/good.mp4", 25)
    reencode(tmp_path)
    movie.write_bytes(b"no video")
    done = reencode(tmp_path)
    assert probe(tmp_path / "new/film.mp4").duration == pytest.approx(2) and list(done.unread) == ["film.mp4"]
