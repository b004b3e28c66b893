"""Frames of generated videos say their number: which ones come out is checked against the definition of time."""

import json
import pickle
from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import GOLDEN, frame_number, write_sound, write_video

from alphaction.dataset.decode import decode_at_times, decode_positions, probe
from alphaction.dataset.frames import Window
from alphaction.dataset.sources import ClipFolder
from alphaction.dataset.video_file import VideoError, as_fraction
from alphaction.utils.errors import DataError

CLIPS = GOLDEN / "data_files/clips/trainval"


def decode_all(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("rate", [10, 24, 25, Fraction(30000, 1001)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_frame_at_a_time_is_the_last_that_began_by_then(tmp_path, rate, suffix):
    path = write_video(tmp_path / f"movie{suffix}", 60, rate)
    info = probe(path)
    assert info.fps == pytest.approx(float(rate), rel=1e-3)
    assert info.duration == pytest.approx(60 / rate, abs=0.05)
    times = [Fraction(1) + Fraction(i - 8, 25) for i in range(16)]
    decoded = decode_at_times(path, times, info.start)
    numbers = [frame_number(decoded.frames[i]) for i in decoded.index]
    assert numbers == [int(t * Fraction(rate) + Fraction(rate) / 2000) for t in times]


@pytest.mark.parametrize("rate", [24, 25, Fraction(30000, 1001)])
def test_at_its_own_rate_every_frame_comes_once(tmp_path, rate):
    path = write_video(tmp_path / "movie.mkv", 60, rate)
    info = probe(path)
    times = Window(frame_num=16, sample_rate=1, fps=0).seconds(range(16), 1000, info.fps)
    decoded = decode_at_times(path, times, info.start)
    numbers = [frame_number(decoded.frames[i]) for i in decoded.index]
    assert np.diff(numbers).tolist() == [1] * 15
    assert numbers[8] == int(rate)


def test_times_beyond_an_end_give_the_edge_frame_once(tmp_path):
    path = write_video(tmp_path / "movie.mp4", 30)
    decoded = decode_at_times(path, [Fraction(t) for t in (-1, -Fraction(1, 25), 0)], Fraction(0))
    assert decoded.index.tolist() == [0, 0, 0] and frame_number(decoded.frames[0]) == 0
    decoded = decode_at_times(path, [Fraction(t) for t in (1, 2, 500)], Fraction(0))
    assert [frame_number(decoded.frames[i]) for i in decoded.index] == [25, 29, 29]
    assert len(decoded.frames) == 2


def test_a_video_without_a_steady_rate_is_read_by_its_times(tmp_path):
    path = tmp_path / "movie.mkv"
    shown_ms = [0, 40, 500, 540, 580, 1900]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(shown_ms):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    times = [Fraction(t, 1000) for t in (0, 39, 40, 499, 500, 1000, 1899, 1900)]
    decoded = decode_at_times(path, times, probe(path).start)
    assert [frame_number(decoded.frames[i]) for i in decoded.index] == [0, 0, 1, 1, 2, 4, 4, 5]


def test_mpeg4_in_avi_whose_times_are_mixed_up_is_counted(tmp_path):
    path = write_video(tmp_path / "movie.avi", 40, codec="mpeg4")
    decoded = decode_at_times(path, [Fraction(i, 25) for i in range(20, 30, 2)], probe(path).start)
    assert [frame_number(image) for image in decoded.frames] == [20, 22, 24, 26, 28]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("movie.ts", "mpeg2video"),
        ("movie.mkv", "mpeg2video"),
        ("movie.avi", "mpeg4"),
        ("movie.mp4", "mpeg4"),
        ("movie.avi", "libx264"),
    ],
)
def test_pictures_before_the_key_frame_of_a_seek_do_not_count(tmp_path, name, codec):
    path = write_video(tmp_path / name, 120, codec=codec)
    decoded = decode_at_times(path, [Fraction(i, 25) for i in range(75, 90, 3)], probe(path).start)
    assert [frame_number(image) for image in decoded.frames] == [15, 18, 21, 24, 27]  # modulo 60


def test_a_video_that_does_not_begin_at_zero_is_whole(tmp_path):
    path = write_video(tmp_path / "late.mkv", 50, first_seconds=1.5)
    info = probe(path)
    assert float(info.start) == pytest.approx(1.5, abs=0.03) and info.duration == pytest.approx(2.0, abs=0.05)


def test_a_rotated_video_is_turned_as_players_show_it(tmp_path):
    path = tmp_path / "phone.mp4"
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32] = 255  # top left
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(90)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    info = probe(path)
    assert (info.width, info.height) == (48, 64)
    turned = decode_at_times(path, [Fraction(0)], info.start).frames[0]
    assert turned.shape == (64, 48, 3)
    assert turned[-5, 5, 0] > 200 > 50 > turned[5, 5, 0]  # a quarter to the left: now at the bottom left


def test_clips_hold_the_frames_of_the_golden_decoding():
    golden = json.loads((GOLDEN / "data.json").read_text())["decode_raw"]
    files = [CLIPS / "movA_-1" / f"{second}.mp4" for second in (5, 6, 7, 8)]
    images = np.stack([image for path in files for image in decode_positions(path, range(25))[0].values()])
    assert list(images.shape) == golden["shape"]
    assert int(images.sum(dtype=np.int64)) == golden["sum"]
    assert images[0, 0, 0].tolist() == golden["pixel_0_0_frame0"]
    assert images[50, 100, 200].tolist() == golden["pixel_100_200_frame50"]
    sub = np.load(GOLDEN / "data.npz")["decode_raw_frame50_sub8"]
    np.testing.assert_array_equal(images[50, ::8, ::8], sub)


@pytest.mark.parametrize("positions", [[3], [0, 5, 24], [-1, -25, 7], list(range(1, 25, 3))])
def test_frames_left_undecoded_do_not_change_the_others(positions):
    path = CLIPS / "movB/7.mp4"
    everything = decode_all(path)
    images, count = decode_positions(path, positions)
    assert count == 25
    for position in positions:
        np.testing.assert_array_equal(images[position], everything[position])


def test_positions_outside_a_file_are_left_out_or_clamped():
    path = CLIPS / "movB/7.mp4"
    assert sorted(decode_positions(path, [-26, 3, 25])[0]) == [3]
    images, _ = decode_positions(path, [-26, 25, 0, 24], clamp=True)
    np.testing.assert_array_equal(images[-26], images[0])
    np.testing.assert_array_equal(images[25], images[24])


@pytest.fixture(scope="module")
def cut_movie(tmp_path_factory):
    """Seconds 3, 4, 5 of a movie: frame i of all has grey number i."""
    folder = tmp_path_factory.mktemp("root") / "movie"
    for second in range(3):
        write_video(folder / f"{second + 3}.mp4", 10, 10, first_grey=40 * second)
    return ClipFolder(str(folder), 3, 5)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (4, [2, 4, 6, 8, 10, 12, 14, 16]),
        (3, [0, 0, 0, 0, 0, 2, 4, 6]),
        (5, [12, 14, 16, 18, 20, 22, 24, 26]),
    ],
)
def test_a_window_runs_over_neighbouring_clips_and_repeats_the_movies_edges(cut_movie, second, expected):
    window = Window(frame_num=8, sample_rate=2, fps=25)
    decoded = cut_movie.read(second * 1000, np.arange(8), window)
    assert [frame_number(decoded.frames[i]) for i in decoded.index] == expected
    assert len(decoded.frames) == len(set(expected))


def test_a_long_window_repeats_both_edges(cut_movie):
    decoded = cut_movie.read(4000, np.array([0, 63]), Window(frame_num=64, sample_rate=1, fps=25))
    assert [frame_number(image) for image in decoded.frames] == [0, 29]


def test_a_clip_missing_between_others_is_an_error_that_names_it(tmp_path):
    for second in (3, 5):
        write_video(tmp_path / f"{second}.mp4", 10, 10)
    with pytest.raises(VideoError, match=r"4\.mp4: there is no such file"):
        ClipFolder(str(tmp_path), 3, 5).read(5000, np.arange(8), Window(8, 1, 25))


def test_clip_names_may_be_filled_with_zeros(tmp_path):
    write_video(tmp_path / "0902.mp4", 10, 10)
    decoded = ClipFolder(str(tmp_path), 902, 902, digits=4).read(902000, np.arange(4), Window(4, 1, 25))
    assert [frame_number(decoded.frames[i]) for i in decoded.index] == [0, 0, 0, 1]


def broken_file(kind, folder):
    path = folder / f"{kind}.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "sound":
        write_sound(path)
    elif kind == "headless":  # cut before the table at its end
        whole = write_video(folder / "whole.mp4", 100).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "cut":  # the table comes first, half of the pictures are gone
        whole = write_video(folder / "whole.mp4", 250, movflags="faststart").read_bytes()
        path.write_bytes(whole[: len(whole) * 7 // 10])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "there is no such file"),
        ("empty", "the file is empty"),
        ("noise", "corrupt, or not a video"),
        ("sound", "has no picture stream, it holds audio only"),
        ("headless", "corrupt, or not a video"),
        ("cut", "truncated: its header promises 10.0 s"),
    ],
)
def test_a_file_that_cannot_be_used_says_which_and_why(tmp_path, kind, reason):
    path = broken_file(kind, tmp_path)
    with pytest.raises(VideoError, match=reason) as caught:
        probe(path)
    assert str(path) in str(caught.value)


def test_a_cut_clip_is_an_error_not_a_shorter_clip(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", 25, movflags="faststart").read_bytes()
    (tmp_path / "3.mp4").write_bytes(whole[:-800])
    with pytest.raises(VideoError, match=r"3\.mp4: (truncated|corrupt)"):
        decode_positions(tmp_path / "3.mp4", [0, 24])


def test_a_video_error_crosses_processes():
    error = pickle.loads(pickle.dumps(VideoError("/a.mp4", "broken")))
    assert isinstance(error, DataError) and str(error) == "/a.mp4: broken"


def test_a_rational_that_is_no_fraction_becomes_one() -> None:
    class Rational:  # as later versions of PyAV have it
        numerator, denominator = 1001, 30000

    assert as_fraction(Rational()) == Fraction(1001, 30000)


def test_tags_of_another_encoding_do_no_harm(tmp_path):
    path = tmp_path / "movie.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Äpfel"
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    assert content.count("Ä".encode()) == 1
    path.write_bytes(content.replace("Ä".encode(), "ÄÄ".encode("latin-1")))
    assert probe(path).width == 64
