"""Workers that hang, die or fail: the main process says which file it was."""

import os
import pickle
import time

import av
import numpy as np
import pytest
from made_videos import open_ava, small_cfg, write_text, write_video
from torch.utils.data import Dataset

from alphaction.dataset import decode
from alphaction.dataset.build import make_data_loader
from alphaction.dataset.loader import ClipLoader
from alphaction.dataset.reading_notes import reading
from alphaction.dataset.video_file import VideoError
from alphaction.utils.errors import DataError, LocalError, UserError


class Each(Dataset):
    """Items 0, 1, ...: what ``read`` gives for them."""

    def __init__(self, read):
        self.read = read

    def __getitem__(self, index):
        return self.read(index)


def load(read, num_workers=2, timeout=0.0, batches=2):
    loader = ClipLoader(
        Each(read), batch_sampler=[[i] for i in range(batches)], collate=list, num_workers=num_workers, timeout=timeout
    )
    return list(loader)


def every_class(base):
    return [base, *(other for child in base.__subclasses__() for other in every_class(child))]


def make_error(kind):
    return kind("film.mp4", "it is broken") if issubclass(kind, VideoError) else kind("it is broken")


def test_a_reader_that_waits_for_ever_is_named(tmp_path):
    pipe = tmp_path / "film.mp4"
    os.mkfifo(pipe)

    def read(index):
        with reading(pipe):
            return pipe.read_bytes() if index else b""

    with pytest.raises(
        LocalError, match=r"within DATALOADER\.TIMEOUT 1 s\. Being read: worker 1: .*film\.mp4, for 1 s"
    ):
        load(read, timeout=1.0)


def test_a_decoder_that_never_returns_is_named(tmp_path, monkeypatch):
    write_video(tmp_path / "film.mp4", 100)
    write_text(tmp_path / "set.csv", "film,1,0.1,0.1,0.9,0.9,1,0", "film,2,0.1,0.1,0.9,0.9,1,0")
    cfg = small_cfg("DATALOADER.NUM_WORKERS", 1, "DATALOADER.TIMEOUT", 1.0, "DATALOADER.START_METHOD", "fork")
    dataset = open_ava(True, cfg, video_root=tmp_path, csv_gt_file=tmp_path / "set.csv")
    monkeypatch.setattr(decode, "_decode", lambda *arguments: time.sleep(60))
    with pytest.raises(LocalError, match=r"worker 0: .*film\.mp4, for 1 s\. Look at the file"):
        next(iter(make_data_loader(dataset, cfg, is_train=True, seed=0)))


def test_a_worker_that_hangs_without_a_file_says_so():
    with pytest.raises(LocalError, match="No worker is reading a video"):
        load(lambda index: time.sleep(60), timeout=0.5)


def test_a_worker_that_dies_is_named_with_its_file():
    def read(index):
        with reading("bad.mkv"):
            os._exit(1)

    with pytest.raises(LocalError, match=r"by a fault of a decoder\. Being read: .*bad\.mkv"):
        load(read, num_workers=1)


def test_what_was_read_before_is_not_named():
    def read(index):
        with reading("one.mp4"), reading("two.mp4"):
            pass
        time.sleep(60)

    with pytest.raises(LocalError, match="No worker is reading a video"):
        load(read, num_workers=1, timeout=0.5)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", every_class(UserError), ids=lambda kind: kind.__name__)
def test_errors_of_users_come_out_of_a_worker_as_they_are(kind, num_workers):
    error = make_error(kind)

    def read(index):
        raise error

    with pytest.raises(kind) as found:
        load(read, num_workers=num_workers, batches=1)
    assert type(found.value) is kind and str(found.value) == str(error)


@pytest.mark.parametrize("kind", every_class(UserError), ids=lambda kind: kind.__name__)
def test_errors_of_users_can_be_pickled(kind):
    copy = pickle.loads(pickle.dumps(make_error(kind)))
    assert type(copy) is kind and str(copy) == str(make_error(kind))
    if isinstance(copy, VideoError):
        assert (copy.path, copy.reason) == ("film.mp4", "it is broken") and isinstance(copy, DataError)


def test_errors_of_the_decoder_come_out_of_a_worker():
    kinds = every_class(av.FFmpegError)
    found = [error for (error,) in load(lambda i: kinds[i](1, "it is broken", "film.mp4"), 1, batches=len(kinds))]
    assert [type(error) for error in found] == kinds and len(kinds) > 20
    assert all("it is broken" in str(error) for error in found)


def test_an_error_of_the_decoder_that_nobody_caught_is_no_hang():
    def read(index):
        raise av.error.InvalidDataError(1, "it is broken", "film.mp4")

    with pytest.raises(RuntimeError, match="it is broken"):
        load(read, num_workers=1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    write_video(root / "film.mp4", 100)
    write_text(root / "set.csv", *(f"film,{second},0.1,0.1,0.9,0.9,1,0" for second in (1, 2, 3)))
    return root


@pytest.mark.parametrize("method", ["spawn", pytest.param("forkserver", marks=pytest.mark.smoke)])
def test_workers_that_are_not_forked_give_the_same_batches(clips, method):
    found = {}
    for key in ("", method):
        cfg = small_cfg("DATALOADER.NUM_WORKERS", 1, "DATALOADER.START_METHOD", key, "INPUT.COLOR_JITTER", True)
        dataset = open_ava(True, cfg, video_root=clips, csv_gt_file=clips / "set.csv")
        found[key] = list(make_data_loader(dataset, cfg, is_train=True, seed=0, num_iterations=2))
    for one, two in zip(found[""], found[method], strict=True):
        assert one.keys == two.keys
        np.testing.assert_array_equal(one.media.frames.numpy(), two.media.frames.numpy())
