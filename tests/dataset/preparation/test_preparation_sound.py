"""The sound of videos written anew: all of it, and in time with the pictures."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from unusual_videos import grey_image, write_grey

from alphaction.dataset.preparation.reencode import ReencodeJob, ReencodeSettings, reencode_video
from alphaction.dataset.preparation.run import reencode_videos
from alphaction.dataset.video_file import probe

SECONDS, BEEP, HERTZ = 3, (1.0, 1.5), 440
# Half of the time that a picture is shown.
IN_TIME = 0.02


def write_beep(path, *, codec="aac", rate=44100, layout="stereo", picture_at=0.0, sound_at=0.0, jump=0):
    """Writes grey pictures and a tone from 1.0 to 1.5 seconds of the file; each stream may begin later than 0.

    From second 2 on the times of the sound are ``jump`` seconds later.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = np.arange(rate * SECONDS) / rate
    tone = np.where((seconds >= BEEP[0]) & (seconds < BEEP[1]), 0.5 * np.sin(2 * np.pi * HERTZ * seconds), 0)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=25)
        sound = container.add_stream(codec, rate=rate, layout=layout)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for tenth in range(10 * SECONDS):
            for i in range(25 * tenth // 10, 25 * (tenth + 1) // 10):
                if i >= 25 * picture_at:
                    frame = av.VideoFrame.from_ndarray(grey_image(i, (64, 48)), format="rgb24")
                    frame.time_base, frame.pts = Fraction(1, 25), i
                    container.mux(picture.encode(frame))
            first, stop = rate * tenth // 10, rate * (tenth + 1) // 10
            if first >= rate * sound_at:
                block = np.tile(tone[first:stop].astype(np.float32), (1 if layout == "mono" else 2, 1))
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
                frame.pts += rate * (jump if first >= 2 * rate else 0)
                container.mux(sound.encode(frame))
        container.mux([*picture.encode(), *sound.encode()])
    return path


def listen(path):
    """Returns the samples of the first channel from the first picture on, and their rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    rate = frames[0].sample_rate
    place = round((frames[0].pts * frames[0].time_base - probe(path).start) * rate)
    assert all(one.pts + one.samples == two.pts for one, two in pairwise(frames))
    heard = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return (np.concatenate([np.zeros(place), heard]) if place > 0 else heard[-place:]), rate


def beep_of(samples, rate):
    """Returns when the tone begins and ends, in seconds, and its frequency."""
    loud = np.flatnonzero(np.abs(samples) > 0.25)
    first, last = loud[0], loud[-1]
    spectrum = np.abs(np.fft.rfft(samples[first:last]))
    return first / rate, last / rate, spectrum.argmax() * rate / (last - first)


def reencode(path, tmp_path):
    settings = ReencodeSettings(tmp_path / "new")
    return settings.output(path), reencode_video(ReencodeJob(path, settings))


@pytest.mark.parametrize(
    ("name", "form", "rate"),
    [
        ("film.mp4", {}, 44100),
        ("film.mkv", {"rate": 16000, "layout": "mono"}, 16000),
        ("film.ts", {"rate": 48000}, 48000),
        ("film.mov", {"codec": "pcm_s16le", "rate": 18900}, 48000),
        ("late_picture.mp4", {"picture_at": 0.4}, 44100),
        ("late_sound.mp4", {"sound_at": 0.6}, 44100),
        ("low.avi", {"codec": "pcm_s16le", "rate": 8000, "layout": "mono"}, 8000),
    ],
)
def test_the_sound_is_there_in_time_and_to_its_end(tmp_path, name, form, rate):
    new, done = reencode(write_beep(tmp_path / name, **form), tmp_path)
    samples, own_rate = listen(new)
    begin, end, hertz = beep_of(samples, own_rate)
    late = form.get("picture_at", 0.0)
    assert done.sound_fault is None and own_rate == rate
    assert begin == pytest.approx(BEEP[0] - late, abs=IN_TIME) and end == pytest.approx(BEEP[1] - late, abs=IN_TIME)
    assert hertz == pytest.approx(HERTZ, rel=0.02)
    assert len(samples) / rate == pytest.approx(SECONDS - late, abs=3 * 1024 / rate)
    assert probe(new).start == 0 and done.num_frames == 25 * (SECONDS - late)
    with av.open(str(new)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]


def test_damaged_sound_is_silent_and_what_follows_stays_in_time(tmp_path):
    movie = write_beep(tmp_path / "film.mp4")
    with av.open(str(movie)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    content = bytearray(movie.read_bytes())
    for place, size in packets[5:15]:
        content[place : place + size] = b"\xff" * size
    movie.write_bytes(content)
    new, done = reencode(movie, tmp_path)
    begin, end, _ = beep_of(*listen(new))
    assert begin == pytest.approx(BEEP[0], abs=IN_TIME) and end == pytest.approx(BEEP[1], abs=IN_TIME)
    assert "parts of its sound could not be decoded, silent instead" in done.sound_fault and done.num_frames == 75


def test_sound_that_cannot_be_decoded_is_named_and_the_picture_kept(tmp_path):
    movie = write_beep(tmp_path / "old" / "film.mkv")
    movie.write_bytes(movie.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    write_beep(tmp_path / "old" / "good.mp4")
    settings = ReencodeSettings(tmp_path / "new")
    done = reencode_videos(tmp_path / "old", settings, num_processes=2, progress=lambda done, total: None)
    assert (done.num_written, done.unread) == (2, {})
    assert "sound of 1 video, the picture is whole:\n  film.mkv: its sound cannot be decoded" in done.describe()
    assert probe(settings.output(movie)).duration == pytest.approx(SECONDS)
    with av.open(str(settings.output(movie))) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_a_video_without_sound_stays_without(tmp_path):
    new, done = reencode(write_grey(tmp_path / "film.mp4", 10), tmp_path)
    with av.open(str(new)) as container:
        assert [stream.type for stream in container.streams] == ["video"] and done.sound_fault is None


def test_sound_far_behind_the_last_picture_makes_no_hours_of_silence(tmp_path):
    movie = write_beep(tmp_path / "film.mkv", codec="pcm_s16le", jump=3600)
    new, done = reencode(movie, tmp_path)
    samples, rate = listen(new)
    assert "lay behind the last picture" in done.sound_fault and len(samples) / rate == pytest.approx(2, abs=0.1)
