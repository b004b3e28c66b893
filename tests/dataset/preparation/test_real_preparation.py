"""Real videos written anew and cut: what was shown before is shown after."""

import random
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from alphaction.dataset.decode import decode_at_times, decode_positions
from alphaction.dataset.preparation.clips import ClipSettings, cut_clips, plan_movie
from alphaction.dataset.preparation.damage import Damage, DamageWatch
from alphaction.dataset.preparation.reencode import ReencodeJob, ReencodeSettings, reencode_video
from alphaction.dataset.preparation.stream import frames_from
from alphaction.dataset.video_file import probe

# Packed B-frames in AVI, a picture of few frames a second with long gaps, sound behind the picture in Matroska.
NAMES = ("v_ApplyEyeMakeup_g01_c01.avi", "classroom.gif", "flipping_a_pancake.mkv")

HEARD_RATE = 16000


@pytest.mark.parametrize("name", NAMES)
def test_a_real_video_shows_the_same_after_it_was_written_anew(real_data: Path, tmp_path: Path, name: str) -> None:
    old, settings = real_data / "video" / name, ReencodeSettings(tmp_path)
    reencode_video(ReencodeJob(old, settings))
    before, after = probe(old), probe(settings.output(old))
    assert after.duration == pytest.approx(before.duration, abs=0.02)
    times = [Fraction(t).limit_denominator(1000) for t in np.random.default_rng(0).uniform(0, before.duration, 12)]
    for time in times:
        one = decode_at_times(old, [time], before.start).frames[0]
        two = decode_at_times(settings.output(old), [time], after.start).frames[0]
        assert difference(one, two) < 6


def test_a_real_movie_is_cut_to_what_it_shows(real_data: Path, tmp_path: Path) -> None:
    movie = real_data / "video" / NAMES[0]
    settings = ClipSettings(tmp_path, first=2, last=3)
    for job in plan_movie(movie, settings).jobs:
        cut_clips(job)
    images, count = decode_positions(settings.clip(movie.stem, 3), [0, 12])
    shown = decode_at_times(movie, [Fraction(3), Fraction(3) + Fraction(12, 25)], probe(movie).start).frames
    assert count == 25 and difference(shown[0], images[0]) < 6 and difference(shown[1], images[12]) < 6


@pytest.mark.parametrize("name", ["v_ApplyEyeMakeup_g01_c01.avi", "flipping_a_pancake.mkv", "bigbuckbunny.mp4"])
def test_a_real_video_sounds_the_same_at_the_same_times(real_data: Path, tmp_path: Path, name: str) -> None:
    old, settings = real_data / "video" / name, ReencodeSettings(tmp_path)
    assert reencode_video(ReencodeJob(old, settings)).sound_fault is None
    one, two = (hear(path) for path in (old, settings.output(old)))
    length = min(len(one), len(two))
    assert abs(len(one) - len(two)) < 0.05 * HEARD_RATE
    assert np.corrcoef(one[:length], two[:length])[0, 1] > 0.99


@pytest.mark.parametrize("name", [*NAMES, "bigbuckbunny.mp4", "store-aisle-detection.gif"])
def test_a_real_video_has_no_damage(real_data: Path, name: str) -> None:
    assert damage_of(real_data / "video" / name) == Damage()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bigbuckbunny.mp4", "1.7 s to 2.9 s cannot be decoded"),
        ("flipping_a_pancake.mkv", "4.0 s to 10.0 s cannot be decoded"),
        ("classroom.gif", "what follows 1.0 s cannot be read"),
        ("vtest.avi", "17.2 s are missing at 31.4 s, and all that follows comes so much too early"),
    ],
)
def test_the_damage_of_a_real_video_is_told(real_data: Path, tmp_path: Path, name: str, said: str) -> None:
    content = bytearray((real_data / ("pets" if name == "vtest.avi" else "video") / name).read_bytes())
    first, stop = int(0.4 * len(content)), int(0.6 * len(content))
    content[first:stop] = random.Random(3).randbytes(stop - first)
    (tmp_path / name).write_bytes(content)
    assert said in damage_of(tmp_path / name).describe()


def damage_of(path: Path) -> Damage:
    info = probe(path)
    watch = DamageWatch(info)
    for _ in frames_from(path, info.start, watch):
        pass
    return watch.found()


def hear(path: Path) -> np.ndarray:
    """Returns the sound from the first picture on, mixed to one channel."""
    start, resampler, parts = probe(path).start, av.AudioResampler(format="fltp", layout="mono", rate=HEARD_RATE), []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            if not parts:
                parts.append(np.zeros(max(round((frame.pts * frame.time_base - start) * HEARD_RATE), 0)))
                early = max(round((start - frame.pts * frame.time_base) * HEARD_RATE), 0)
            frame.pts = None
            parts += [block.to_ndarray()[0] for block in resampler.resample(frame)]
    return np.concatenate(parts)[early:]


def difference(one: np.ndarray, two: np.ndarray) -> float:
    resized = cv2.resize(one, two.shape[1::-1], interpolation=cv2.INTER_AREA)
    return float(np.abs(resized.astype(int) - two).mean())
