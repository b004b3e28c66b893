"""Whole videos written anew: the same frames at the same times, soon decoded."""

from fractions import Fraction

import av
import pytest
from unusual_videos import frame_number, write_grey

from alphaction.benchmark import reading
from alphaction.dataset.decode import decode_at_times
from alphaction.dataset.preparation.reencode import ReencodeJob, ReencodeSettings, reencode_video
from alphaction.dataset.preparation.run import reencode_videos
from alphaction.dataset.video_file import probe
from alphaction.utils.errors import DataError


def reencode(path, tmp_path, **changes):
    settings = ReencodeSettings(tmp_path / "new", **changes)
    return settings.output(path), reencode_video(ReencodeJob(path, settings))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("film.mp4", {"rate": 30}),
        ("film.avi", {"codec": "mpeg4"}),
        ("film.mkv", {"rate": 24}),
        ("sound.mp4", {"sound_first": True}),
        ("odd.avi", {"codec": "mpeg4", "size": (65, 49)}),
    ],
)
def test_every_frame_is_there_at_its_time(tmp_path, name, changes):
    old = write_grey(tmp_path / name, 55, **changes)
    new, done = reencode(old, tmp_path)
    before, after = probe(old), probe(new)
    assert done.num_frames == 55 and after.duration == pytest.approx(before.duration, abs=0.002) and after.start == 0
    times = [Fraction(i, 25) + Fraction(1, 100) for i in range(50)]
    shown = [decode_at_times(path, times, info.start) for path, info in ((old, before), (new, after))]
    assert shown[0].index.tolist() == shown[1].index.tolist()
    one, two = ([frame_number(image) for image in decoded.frames] for decoded in shown)
    assert one == two and len(set(one)) > 40


def test_key_frames_come_every_twelve_frames_and_none_looks_ahead(tmp_path):
    new, _ = reencode(write_grey(tmp_path / "film.mp4", 50), tmp_path)
    with av.open(str(new)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [i for i, packet in enumerate(packets) if packet.is_keyframe] == [0, 12, 24, 36, 48]
    assert all(packet.pts == packet.dts for packet in packets)


def test_the_short_side_is_at_most_what_is_asked_for(tmp_path):
    new, _ = reencode(write_grey(tmp_path / "film.mp4", 5, rotation=90), tmp_path, short_side=24)
    assert (probe(new).width, probe(new).height) == (24, 32)


def test_videos_that_are_there_are_kept(tmp_path):
    write_grey(tmp_path / "old/one.mp4", 10)
    write_grey(tmp_path / "old/two.mp4", 10)
    settings = ReencodeSettings(tmp_path / "new")
    settings.root.mkdir()
    settings.output(tmp_path / "one.mp4").write_bytes(b"of an earlier run")
    done = reencode_videos(tmp_path / "old", settings, num_processes=2, progress=lambda done, total: None)
    assert (done.num_there, done.num_written) == (1, 1)
    assert settings.output(tmp_path / "one.mp4").read_bytes() == b"of an earlier run"
    assert probe(settings.output(tmp_path / "two.mp4")).duration == pytest.approx(0.4)


@pytest.mark.parametrize("num_processes", [0, 1])
def test_the_progress_is_told_within_a_video(tmp_path, num_processes):
    write_grey(tmp_path / "old/one.mp4", 250)
    seen = []
    settings = ReencodeSettings(tmp_path / "new")
    reencode_videos(
        tmp_path / "old", settings, num_processes=num_processes, progress=lambda *numbers: seen.append(numbers)
    )
    assert seen == sorted(seen) and seen[-1] == (10, 10)
    assert num_processes or seen[:3] == [(1, 10), (2, 10), (3, 10)]


def test_the_videos_themselves_are_never_written_over(tmp_path):
    write_grey(tmp_path / "one.mp4", 10)
    with pytest.raises(DataError, match="is the folder of the videos itself"):
        reencode_videos(tmp_path, ReencodeSettings(tmp_path), num_processes=0, progress=lambda done, total: None)


def test_the_benchmark_compares_both_forms(tmp_path):
    cost = reading.measure(write_grey(tmp_path / "film.mp4", 100), tmp_path / "new", repeats=2)
    assert min(*cost.decode, *cost.size, *cost.load) > 0 and cost.load[0] > cost.decode[0]
    assert "film.mp4" in reading.report([tmp_path / "film.mp4"], repeats=1)
