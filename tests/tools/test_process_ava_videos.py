"""The tool that cuts movies, run as a user runs it, and killed."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

TOOL = Path(__file__).parents[2] / "tools/process_ava_videos.py"


def write_movie(path, seconds, size=(128, 96)):
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = *size, "yuv420p", {"preset": "ultrafast"}
        for _ in range(25 * seconds):
            image = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def main():
    return runpy.run_path(str(TOOL))["main"]


def words(tmp_path, *more):
    return ["--movie_root", str(tmp_path / "movies"), "--clip_root", str(tmp_path / "clips"), "--process_num", *more]


def test_clips_and_key_frames_go_where_alphaction_puts_them(tmp_path, main, capsys):
    write_movie(tmp_path / "movies/film.mp4", 2)
    assert main([*words(tmp_path, "0"), "--kframe_root", str(tmp_path / "kframes"), "--whole"]) == 0
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("film/*"))
    assert found == ["clips/film/0.mp4", "clips/film/1.mp4", "kframes/film/0.jpg", "kframes/film/1.jpg"]
    assert "1 video: 2 one-second clips written, 0 there before." in capsys.readouterr().out


def test_a_skipped_movie_shows_in_the_exit_code(tmp_path, main, capsys):
    write_movie(tmp_path / "movies/film.mp4", 2)
    (tmp_path / "movies/bad.mp4").write_bytes(b"no video")
    assert main([*words(tmp_path, "0"), "--start_second", "1", "--end_second", "1"]) == 1
    assert "bad.mp4: corrupt, or not a video" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "clips/film").iterdir()] == ["1.mp4"]


def test_a_movie_shorter_than_avas_range_is_named_with_the_remedy(tmp_path, main, capsys):
    write_movie(tmp_path / "movies/film.mp4", 1)
    assert main(words(tmp_path, "0")) == 2
    assert "nothing from second 900 on; --whole cuts every second" in capsys.readouterr().err


def test_whole_videos_are_written_anew(tmp_path, main):
    write_movie(tmp_path / "movies/film.mp4", 1)
    words = ["--movie_root", str(tmp_path / "movies"), "--reencode_root", str(tmp_path / "new"), "--process_num", "0"]
    assert main(words) == 0 and (tmp_path / "new/film.mp4").exists()


@pytest.mark.parametrize("form", [["--reencode_root"], ["--whole", "--clip_root"]])
def test_a_video_with_a_damaged_middle_shows_in_the_exit_code(tmp_path, main, capsys, form):
    write_movie(tmp_path / "movies/cam-B.mp4", 10)
    content = bytearray((tmp_path / "movies/cam-B.mp4").read_bytes())
    first, stop = len(content) * 4 // 10, len(content) * 6 // 10
    content[first:stop] = np.random.default_rng(0).bytes(stop - first)
    (tmp_path / "movies/cam-B.mp4").write_bytes(content)
    words = ["--movie_root", str(tmp_path / "movies"), "--process_num", "0", *form, str(tmp_path / "new")]
    for _ in range(2):  # the second time the files are there, and still not whole
        assert main(words) == 1
        assert re.search(r"  cam-B\.mp4: .* s to .* s cannot be decoded \(.* s\)", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "give --clip_root"),
        (["--clip_root", "a", "--reencode_root", "b"], "give one of the two, not both"),
        (["--clip_root", "a", "--end_second", "1"], "or above --end_second 1"),
        (["--clip_root", "a", "--process_num", "-3"], "give 1 or more processes"),
        (["--reencode_root", "a", "--start_second", "3"], "leave out --start_second, or give --clip_root"),
        (["--reencode_root", "a", "--start_second", "3", "--end_second", "9"], "out --start_second and --end_second,"),
        (["--reencode_root", "a", "--whole"], "leave out --whole"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(main, capsys, more, said):
    with pytest.raises(SystemExit) as stop:
        main(["--movie_root", "movies", *more])
    assert stop.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.smoke
def test_a_killed_run_goes_on_and_never_leaves_a_half_written_clip(tmp_path):
    for name in ("one", "two"):
        write_movie(tmp_path / f"movies/{name}.mp4", 30)
    command = [sys.executable, str(TOOL), *words(tmp_path, "2"), "--whole"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("clips/*/*.mp4"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not group_lives(process.pid), "its workers have ended too"
    cut = list(tmp_path.glob("clips/*/*.mp4"))
    assert cut and all(num_frames(path) == 25 for path in cut)
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
    clips = list(tmp_path.glob("clips/*/*.mp4"))
    assert len(clips) == 60 and all(num_frames(path) == 25 for path in clips)
    assert not list(tmp_path.glob("clips/*/.*"))


def group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def num_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
