"""Movies cut to one-second clips: which frames, which sizes, which seconds."""

import av
import cv2
import pytest
from unusual_videos import frame_number, write_grey

from alphaction.dataset.decode import decode_positions
from alphaction.dataset.preparation.clips import ClipSettings, cut_clips, plan_movie
from alphaction.dataset.preparation.encode import fitted_size
from alphaction.dataset.sources import ClipFolder, find_movies
from alphaction.dataset.video_file import VideoError


def cut(path, out, **changes):
    """Cuts a whole movie and returns the settings."""
    settings = ClipSettings(out / "clips", out / "kframes", **({"first": 0, "last": None} | changes))
    for job in plan_movie(path, settings).jobs:
        assert cut_clips(job).num_seconds == len(job)
    return settings


def numbers(settings, movie, second):
    images, count = decode_positions(settings.clip(movie, second), range(25), clamp=True)
    return [frame_number(images[i]) for i in range(count)]


def test_a_clip_holds_the_frames_nearest_to_its_twenty_five_times(tmp_path):
    settings = cut(write_grey(tmp_path / "film.mp4", 60, rate=30), tmp_path)
    # Frame n begins at n / 30; slot k shows the last one that begins before (k + 1/2) / 25.
    nearest = [max(n for n in range(60) if n / 30 < (k + 0.5) / 25) for k in range(50)]
    assert numbers(settings, "film", 0) == nearest[:25] and numbers(settings, "film", 1) == nearest[25:]
    assert nearest[3:6] == [4, 5, 6] and nearest[:3] == [0, 1, 2]  # five of thirty are left out: 3, 9, ...


def test_a_slow_movie_repeats_its_frames(tmp_path):
    settings = cut(write_grey(tmp_path / "film.mp4", 20, rate=10), tmp_path)
    assert numbers(settings, "film", 1) == [max(n for n in range(20) if n / 10 < 1 + (k + 0.5) / 25) for k in range(25)]


@pytest.mark.parametrize(("name", "codec"), [("film.avi", "mpeg4"), ("film.mkv", "libx264"), ("film.mp4", "libx264")])
def test_seconds_in_the_middle_are_those_of_the_whole_movie(tmp_path, name, codec):
    movie = write_grey(tmp_path / name, 100, codec=codec)
    settings = cut(movie, tmp_path, first=1, last=2)
    assert sorted(path.name for path in (settings.clip_root / "film").iterdir()) == ["1.mp4", "2.mp4"]
    assert numbers(settings, "film", 1) == list(range(25, 50))
    assert numbers(settings, "film", 2) == [number % 60 for number in range(50, 75)]


def test_the_loader_reads_the_clips(tmp_path):
    settings = cut(write_grey(tmp_path / "film.mp4", 60), tmp_path)
    assert find_movies(settings.clip_root, ["film"]) == {
        "film": ClipFolder(str(settings.clip_root / "film"), first=0, last=2)
    }
    assert len(numbers(settings, "film", 2)) == 10  # the movie ends within its third second


def test_a_key_frame_is_the_first_of_its_clip(tmp_path):
    settings = cut(write_grey(tmp_path / "film.mp4", 50), tmp_path)
    image = cv2.imread(str(settings.key_frame("film", 1)))
    assert image.shape == (48, 64, 3) and frame_number(image) == 25


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((854, 480), (640, 360)),
        ((1920, 800), (864, 360)),
        ((360, 480), (360, 480)),
        ((1080, 1920), (360, 640)),
        ((355, 241), (354, 240)),
        ((361, 361), (360, 360)),
        ((1, 1), (2, 2)),
    ],
)
def test_sizes_are_even_and_short_sides_at_most_360(size, fitted):
    assert fitted_size(*size, 360) == fitted


def test_a_movie_of_odd_size_gives_readable_clips(tmp_path):
    settings = cut(write_grey(tmp_path / "film.avi", 25, size=(355, 241), codec="mpeg4"), tmp_path)
    assert decode_positions(settings.clip("film", 0), [0])[0][0].shape == (240, 354, 3)
    assert numbers(settings, "film", 0) == list(range(25))


def test_a_file_that_begins_with_sound_is_cut_by_its_pictures(tmp_path):
    settings = cut(write_grey(tmp_path / "film.mp4", 50, sound_first=True), tmp_path)
    assert numbers(settings, "film", 1) == list(range(25, 50))


@pytest.mark.parametrize(("rotation", "corner"), [(90, (-5, 4)), (180, (-5, -5)), (-90, (4, -5))])
def test_a_phones_rotation_is_applied(tmp_path, rotation, corner):
    settings = cut(write_grey(tmp_path / "film.mp4", 25, rotation=rotation), tmp_path)
    image = decode_positions(settings.clip("film", 0), [10])[0][10]
    assert image.shape == ((48, 64, 3) if rotation == 180 else (64, 48, 3))
    assert image[corner].mean() > 200 > image[4, 4].mean() and frame_number(image) == 10


def test_packets_that_cannot_be_decoded_are_left_out(tmp_path):
    movie = write_grey(tmp_path / "film.mp4", 75)
    with av.open(str(movie)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0)][30]
    content = bytearray(movie.read_bytes())
    content[place : place + size] = bytes(size)
    movie.write_bytes(content)
    settings = cut(movie, tmp_path)
    assert numbers(settings, "film", 0) == list(range(25)) and len(numbers(settings, "film", 2)) == 25


def test_a_movie_that_ends_before_the_first_second_says_so(tmp_path):
    movie = write_grey(tmp_path / "film.mp4", 25)
    with pytest.raises(VideoError, match=r"film\.mp4: it lasts 1\.0 s and has nothing from second 900 on; --whole"):
        plan_movie(movie, ClipSettings(tmp_path / "clips"))


def test_what_is_there_is_not_cut_again(tmp_path):
    movie = write_grey(tmp_path / "film.mp4", 100)
    settings = cut(movie, tmp_path)
    assert plan_movie(movie, settings).jobs == () and plan_movie(movie, settings).num_there == 4
    settings.clip("film", 1).unlink()
    settings.key_frame("film", 3).unlink()
    half = settings.clip_root / "film" / ".1.mp4.partial"
    half.write_bytes(b"half")
    plan = plan_movie(movie, settings)
    assert [(job.first, job.stop) for job in plan.jobs] == [(1, 2), (3, 4)] and plan.num_there == 2
    assert not half.exists()


def test_long_movies_are_shared_out_in_minutes(tmp_path):
    movie = write_grey(tmp_path / "film.mp4", 130, rate=1)
    plan = plan_movie(movie, ClipSettings(tmp_path / "clips", first=0, last=None))
    assert [(job.first, job.stop) for job in plan.jobs] == [(0, 60), (60, 120), (120, 130)]
