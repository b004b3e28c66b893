"""A search for persons that is stopped within a video and started again."""

from pathlib import Path

import numpy as np
import pytest
from made_videos import frame_number, write_video

from alphaction.detection.base import Detections
from alphaction.engine.detect_persons import Found, Look, detect_persons
from alphaction.engine.person_files import AVA_CSV, BoxFiles, write_boxes
from alphaction.engine.person_videos import list_videos

UNFINISHED = "keep/street.unfinished.jsonl"


class StoppingDetector:
    """Finds a box that depends on the frame and its place in the batch; fails at a batch it is told."""

    def __init__(self, fail_at: int | None = None, name: str = "stopping") -> None:
        self.seen: list[int] = []
        self._fail_at, self._num_batches, self._name = fail_at, 0, name

    def detect(self, images, keys):
        if self._num_batches == self._fail_at:
            raise KeyboardInterrupt
        self._num_batches += 1
        self.seen += [key.timestamp_ms for key in keys]
        lefts = [frame_number(image) / 3 + place / 7 for place, image in enumerate(images)]
        score, person = np.array([0.9], np.float32), np.ones(1, np.int64)
        return [Detections(np.array([[left, 1, left + 20, 40]], np.float32), score, person) for left in lefts]

    def describe(self):
        return self._name


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "street.mp4", 30, rate=10)


def run(video: Path, out: Path, detector: StoppingDetector, **look) -> Found:
    options = Look(**{"every": 0.2, "batch": 4, **look})
    found = detect_persons(list_videos([video]), detector, options, out / "keep")
    write_boxes(found.videos, AVA_CSV, BoxFiles.at(out / "boxes.csv", AVA_CSV), 0.5, None)
    return found


def stop(video: Path, out: Path, batches: int = 2, **look) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(video, out, StoppingDetector(batches), **look)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_run_stopped_within_a_video_ends_with_the_same_files_and_sees_no_frame_twice(video, tmp_path, batches):
    whole = StoppingDetector()
    run(video, tmp_path / "whole", whole)
    assert len(whole.seen) == 15
    stop(video, tmp_path / "stopped", batches)
    second = StoppingDetector()
    found = run(video, tmp_path / "stopped", second)
    assert second.seen == whole.seen[4 * batches :] and found.num_kept == 0
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert set(contents(tmp_path / "whole")) == {"boxes.csv", "keep/street.json"}


def test_a_line_cut_off_by_a_kill_is_looked_at_again_with_its_batch(video, tmp_path):
    run(video, tmp_path / "whole", StoppingDetector())
    stop(video, tmp_path / "stopped")
    unfinished = tmp_path / "stopped" / UNFINISHED
    unfinished.write_bytes(unfinished.read_bytes()[:-5])
    second = StoppingDetector()
    run(video, tmp_path / "stopped", second)
    assert second.seen[0] == 800  # the second batch holds the times 800 to 1400 ms
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["[[[1, 2, 3, 4]], [0.5]]", "[[1, 2, 3], [0.5], [1]]", "7", "\0\0\0"])
def test_a_damaged_line_and_all_behind_it_are_looked_at_again(video, tmp_path, damage):
    run(video, tmp_path / "whole", StoppingDetector())
    stop(video, tmp_path / "stopped")
    unfinished = tmp_path / "stopped" / UNFINISHED
    lines = unfinished.read_text().splitlines()
    lines[1] = damage
    unfinished.write_text("\n".join(lines) + "\n")
    second = StoppingDetector()
    run(video, tmp_path / "stopped", second)
    assert len(second.seen) == 15 and contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_all_that_is_left_is_to_finish_the_file(video, tmp_path):
    run(video, tmp_path, StoppingDetector())
    finished = contents(tmp_path)
    (tmp_path / "keep/street.json").unlink()
    stop(video, tmp_path, batches=3)
    with (tmp_path / UNFINISHED).open("a") as file:  # the last batch was kept, the whole file was not
        file.writelines(["[[[1.0, 1.0, 2.0, 2.0]], [0.75], [1]]\n"] * 3)
    second = StoppingDetector()
    run(video, tmp_path, second)
    assert second.seen == [] and contents(tmp_path).keys() == finished.keys()


def test_another_detector_other_times_or_another_file_begin_anew(video, tmp_path):
    stop(video, tmp_path)
    other = StoppingDetector(name="other")
    run(video, tmp_path, other)
    (tmp_path / "keep/street.json").unlink()
    stop(video, tmp_path)
    more = StoppingDetector()
    run(video, tmp_path, more, every=0.1)
    (tmp_path / "keep/street.json").unlink()
    stop(video, tmp_path)
    write_video(video, 31, rate=10)
    longer = StoppingDetector()
    run(video, tmp_path, longer)
    assert [len(detector.seen) for detector in (other, more, longer)] == [15, 30, 16]


def test_a_smaller_batch_goes_on_too(video, tmp_path):
    stop(video, tmp_path)
    second = StoppingDetector()
    run(video, tmp_path, second, batch=3)
    assert second.seen[0] == 1200 and len(second.seen) == 9  # of 8 frames, two batches of 3 are kept
