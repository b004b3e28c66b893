"""Videos with a damaged middle: what is lost is told, and what is meant to be shown long is not."""

import random
from fractions import Fraction

import av
import numpy as np
import pytest

from alphaction.dataset.preparation.clips import ClipSettings
from alphaction.dataset.preparation.damage import Damage, DamageWatch
from alphaction.dataset.preparation.reencode import ReencodeSettings
from alphaction.dataset.preparation.run import prepare_clips, reencode_videos
from alphaction.dataset.preparation.stream import frames_from
from alphaction.dataset.video_file import VideoInfo, packets_of, probe


def write_noise(path, num_frames=250, *, codec="libx264", times=None):
    """Writes noise at 25 frames a second, or at the given times (in 1/25 s); noise leaves no room beside pictures."""
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "rgb8" if codec == "gif" else "yuv420p"
        stream.options = {"g": "12", "preset": "ultrafast"} if codec == "libx264" else {}
        for stamp in range(num_frames) if times is None else times:
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (96, 128, 3), np.uint8), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.time_base, frame.pts = Fraction(1, 25), stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def spoil(path, begin=0.4, end=0.6):
    """Overwrites a stretch of the bytes with random ones."""
    content = bytearray(path.read_bytes())
    first, stop = int(begin * len(content)), int(end * len(content))
    content[first:stop] = random.Random(0).randbytes(stop - first)
    path.write_bytes(content)
    return path


def damage_of(path):
    info = probe(path)
    watch = DamageWatch(info)
    for _ in frames_from(path, info.start, watch):
        pass
    return watch.found()


def reencode(tmp_path):
    settings = ReencodeSettings(tmp_path / "new")
    return reencode_videos(tmp_path / "old", settings, num_processes=0, progress=lambda done, total: None)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts", "film.mov"])
def test_a_stretch_that_cannot_be_decoded_is_told(tmp_path, name):
    ((begin, end),) = damage_of(spoil(write_noise(tmp_path / name))).lost
    assert 3.4 < begin < 4.4 and 5.6 < end < 7


def test_in_a_file_without_times_it_is_told_that_the_rest_comes_too_early(tmp_path):
    movie = write_noise(tmp_path / "film.avi", 500, codec="mpeg4")
    assert "too early, as the file holds no times" in damage_of(spoil(movie)).describe()


def test_a_gif_that_breaks_off_is_told(tmp_path):
    movie = write_noise(tmp_path / "film.gif", 60, codec="gif")
    assert damage_of(movie) == Damage()
    assert "what follows" in damage_of(spoil(movie)).describe()


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.gif", "film.avi", "film.ts"])
def test_a_whole_video_has_no_damage(tmp_path, name):
    codec = {".gif": "gif", ".avi": "mpeg4"}.get(name[-4:], "libx264")
    assert damage_of(write_noise(tmp_path / name, 100, codec=codec)) == Damage()


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.gif"])
def test_pictures_that_are_meant_to_be_shown_long_are_no_damage(tmp_path, name):
    times = [*range(20), 120, 121, 300, *range(301, 330), 500]
    assert damage_of(write_noise(tmp_path / name, codec="gif" if name[-3:] == "gif" else "libx264", times=times)) == (
        Damage()
    )


@pytest.mark.parametrize("name", ["film.mp4", "film.ts", "film.mkv"])
def test_a_picture_that_a_camera_skipped_now_and_then_is_no_damage(tmp_path, name):
    """What MPEG-TS has beside its packets, bytes everywhere, speaks for nothing."""
    times = [time for time in range(400) if time % 50 != 20]
    assert damage_of(write_noise(tmp_path / name, times=times)) == Damage()


def test_a_part_of_a_whole_video_has_no_damage_either(tmp_path):
    times = [time for time in range(500) if time % 5 or time % 3]
    movie = write_noise(tmp_path / "film.ts", times=times)
    info = probe(movie)
    watch = DamageWatch(info)
    for _ in frames_from(movie, info.start, watch, Fraction(14)):
        pass
    assert watch.found() == Damage()


def test_a_damaged_video_is_written_and_named_each_time(tmp_path):
    spoil(write_noise(tmp_path / "old/cam.mp4"))
    done = reencode(tmp_path)
    assert done.num_written == 1 and not done.is_complete
    assert "Damaged: 1 video; the rest is written" in done.describe() and "s cannot be decoded" in done.describe()
    again = reencode(tmp_path)
    assert (again.num_written, again.num_there, again.damaged) == (0, 1, done.damaged)


@pytest.mark.parametrize("num_processes", [0, 2])
def test_the_clips_of_a_damaged_video_are_written_and_it_is_named(tmp_path, num_processes):
    spoil(write_noise(tmp_path / "old/cam.mp4"))
    settings = ClipSettings(tmp_path / "clips", first=0, last=None)
    done = prepare_clips(tmp_path / "old", settings, num_processes=num_processes, progress=lambda done, total: None)
    assert done.num_written == 10 and not done.is_complete and len(done.damaged["cam.mp4"].lost) == 1


def test_parts_of_a_video_have_their_damage_together():
    whole = Damage(lost=((50.0, 70.0),), faulty=(80.0,))
    parts = whole.within(0, 60), whole.within(60, 120)
    assert parts[0] == Damage(lost=((50.0, 60.0),)) and parts[0] | parts[1] == whole


def test_damage_is_said_in_words():
    damage = Damage(lost=((16.3, 24.7),), faulty=(30.0, 31.25))
    assert damage.describe() == (
        "16.3 s to 24.7 s cannot be decoded (8.4 s); 2 pictures are damaged, from 30.0 s to 31.2 s"
    )
    assert Damage(lost=((2.92, 2.96),)).describe() == "2.92 s to 2.96 s cannot be decoded (0.04 s)"
    many = Damage(lost=tuple((10.0 * i, 10.0 * i + 1) for i in range(5)))
    assert many.describe().endswith("20.0 s to 21.0 s and 2 more cannot be decoded (5.0 s)")


class Shown:
    duration, is_corrupt = 0, False
    time_base = Fraction(1, 25)


def test_a_gap_counts_only_with_a_trace_near_it():
    def lost(failed_at):
        watch = DamageWatch(VideoInfo(64, 48, 25.0, 40.0, Fraction(0)))
        watch.restart("matroska")
        for time in (0, 10, 20, 30):
            if time == failed_at:
                packet = av.Packet(10)
                packet.pts, packet.time_base = time, Fraction(1)
                watch.read(packet, is_picture=False)
                watch.failed()
            watch.shown(Fraction(time), Shown)
        return watch.found().lost

    assert lost(None) == () and lost(10) == ((0.04, 20.0),) and lost(30) == ((20.04, 30.0),)


def test_a_packet_that_gave_no_picture_is_such_a_trace():
    watch = DamageWatch(VideoInfo(64, 48, 25.0, 1.0, Fraction(0)))
    watch.restart("matroska")
    for number in range(25):
        packet = av.Packet(10)
        packet.pts, packet.time_base = number, Fraction(1, 25)
        watch.read(packet, is_picture=True)
        if not 10 <= number < 15:
            watch.shown(Fraction(number, 25), Shown)
    assert watch.found().lost == ((0.4, 0.6),)


def test_a_stream_that_a_damaged_file_shows_late_ends_no_run():
    class Container:
        def demux(self, *streams):
            yield from (1, 2)
            raise IndexError("list index out of range")  # as PyAV does when it looks for the end of such a stream

    assert list(packets_of(Container())) == [1, 2]
