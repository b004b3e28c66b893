import argparse

import pytest

from alphaction.benchmark import data
from alphaction.dataset.decode import decode_positions
from alphaction.utils.errors import DataError


@pytest.fixture(scope="module")
def movie_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("movies")
    data.write_movie(root / "movie", seconds=4)
    return root


def test_the_made_movie_moves(movie_root):
    images, count = decode_positions(movie_root / "movie/2.mp4", [0, 5])
    assert count == 25 and images[0].shape == (360, 640, 3)
    assert abs(images[0].astype(int) - images[5]).mean() > 5


def test_a_clip_is_fewer_bytes_than_the_plain_way(movie_root):
    decoding, transforms, size = data.measure(movie_root, repeats=1)
    assert size.ratio <= data.BYTES_LIMIT
    assert min(decoding.ours, decoding.plain, transforms.ours, transforms.plain) > 0


def test_the_report_has_a_line_for_each_cost(movie_root):
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    report = data.run(parser.parse_args(["--video-root", str(movie_root), "--repeats", "1"]))
    assert [line.split()[0] for line in report.splitlines()[2:]] == ["decoding,", "resize,", "bytes"]


def test_a_folder_without_four_seconds_in_a_row_is_an_error(tmp_path):
    (tmp_path / "movie").mkdir()
    with pytest.raises(DataError):
        data.measure(tmp_path, repeats=1)
