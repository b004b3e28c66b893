"""The annotated video and its timeline: which boxes show when, and that the film stays the film."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, ClipPrediction
from alphaction.structures.labels import ClassGroups, LabelMap
from alphaction.utils.errors import DataError
from alphaction.visualization.draw import PALETTE
from alphaction.visualization.timeline import Timeline
from alphaction.visualization.video import read_frame, write_annotated_video

LABELS = LabelMap((1, 2), ("walk", "wave"), ClassGroups(object=(0, 1)))
SIZE = (96, 64)


def predict(milliseconds: int, corners: list[list[float]], video: str = "movie") -> ClipPrediction:
    xyxy = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)
    return ClipPrediction(ClipKey(video, milliseconds), Boxes(xyxy, SIZE, scores=torch.ones(len(xyxy), 2)))


def write_movie(path: Path, *, fps: int = 10, times: list[int] | None = None) -> Path:
    """Writes three seconds of frames that get brighter; ``times`` in milliseconds makes the rate vary."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10"}
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(len(times or range(3 * fps))):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 20 + 6 * index, np.uint8), format="rgb24")
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_movie(path: Path) -> tuple[list[np.ndarray], list[float], tuple[int, int]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
        return pictures, [frame.time or 0.0 for frame in frames], (stream.width, stream.height)


def is_coloured(picture: np.ndarray) -> bool:
    """Returns whether something was drawn: the films of these tests are grey."""
    return bool((picture.max(axis=2).astype(int) - picture.min(axis=2) > 60).any())


def test_the_written_video_has_the_frames_times_and_size_of_its_source(tmp_path: Path) -> None:
    source, target = write_movie(tmp_path / "movie.mp4"), tmp_path / "new" / "annotated.mp4"
    count = write_annotated_video(source, [predict(1000, [[20, 10, 50, 50]])], LABELS, target, short_side=64)
    pictures, times, size = read_movie(target)
    assert count == len(pictures) == 30 and size == SIZE
    np.testing.assert_allclose(times, np.arange(30) / 10, atol=1e-3)
    assert [path.name for path in target.parent.iterdir()] == ["annotated.mp4"]


def test_a_prediction_shows_from_its_key_frame_for_the_time_it_holds(tmp_path: Path) -> None:
    source, target = write_movie(tmp_path / "movie.mp4"), tmp_path / "annotated.mp4"
    predictions = [predict(1000, [[20, 10, 50, 50]])]
    write_annotated_video(source, predictions, LABELS, target, hold_seconds=0.55, short_side=64)
    pictures, times, _ = read_movie(target)
    shown = [round(time, 1) for picture, time in zip(pictures, times, strict=True) if is_coloured(picture)]
    assert shown == [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]


def test_small_videos_are_enlarged(tmp_path: Path) -> None:
    source = write_movie(tmp_path / "movie.mp4")
    write_annotated_video(source, [], LABELS, tmp_path / "annotated.mp4", short_side=160)
    assert read_movie(tmp_path / "annotated.mp4")[2] == (240, 160)


def test_a_varying_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 80, 500, 540, 1200]
    source = write_movie(tmp_path / "movie.mp4", fps=25, times=times)
    write_annotated_video(source, [], LABELS, tmp_path / "annotated.mp4", short_side=64)
    np.testing.assert_allclose(read_movie(tmp_path / "annotated.mp4")[1], np.array(times) / 1000, atol=2e-3)


def test_a_video_that_is_missing_or_broken_is_one_clear_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    for path in (broken, tmp_path / "missing.mp4"):
        with pytest.raises(DataError, match=path.name):
            write_annotated_video(path, [], LABELS, tmp_path / "annotated.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


def test_a_frame_is_the_one_shown_at_its_second(tmp_path: Path) -> None:
    source = write_movie(tmp_path / "movie.mp4")
    for second, brightness in ((0.0, 20), (1.0, 80), (1.05, 80), (2.9, 194), (99.0, 194)):
        assert abs(float(read_frame(source, second).mean()) - brightness) < 3


def test_nothing_shows_before_the_first_prediction_or_long_after_the_last() -> None:
    timeline = Timeline([predict(1000, [[0, 0, 9, 9]])], hold_seconds=1.0)
    assert timeline.at(0.9) is None and timeline.at(2.1) is None
    assert timeline.at(1.0) is not None and timeline.at(0.9999) is not None


def test_a_box_moves_in_a_straight_line_to_the_next_key_frame() -> None:
    timeline = Timeline([predict(2000, [[20, 0, 50, 30]]), predict(1000, [[10, 0, 40, 30]])], hold_seconds=2.0)
    shown = timeline.at(1.5)
    assert shown is not None
    torch.testing.assert_close(shown[0].xyxy, torch.tensor([[15.0, 0.0, 45.0, 30.0]]))


def test_a_box_stays_where_the_next_key_frame_is_too_late() -> None:
    timeline = Timeline([predict(1000, [[10, 0, 40, 30]]), predict(9000, [[20, 0, 50, 30]])], hold_seconds=2.0)
    shown = timeline.at(2.5)
    assert shown is not None
    torch.testing.assert_close(shown[0].xyxy, torch.tensor([[10.0, 0.0, 40.0, 30.0]]))
    assert timeline.at(4.0) is None


def test_a_person_keeps_its_number_where_boxes_overlap_and_a_new_one_gets_a_new_number() -> None:
    first = predict(1000, [[0, 0, 30, 30], [60, 0, 90, 30]])
    second = predict(2000, [[58, 0, 88, 30], [5, 30, 20, 60], [2, 0, 32, 30]])
    timeline = Timeline([first, second], hold_seconds=2.0)
    assert timeline.at(1.0)[1] == (0, 1)  # type: ignore[index]
    assert timeline.at(2.0)[1] == (1, 2, 0)  # type: ignore[index]
    assert len(PALETTE) >= 3


def test_a_key_frame_without_persons_shows_none() -> None:
    timeline = Timeline(
        [predict(1000, [[0, 0, 9, 9]]), predict(2000, []), predict(3000, [[0, 0, 9, 9]])], hold_seconds=2
    )
    assert [len(timeline.at(second)[0]) for second in (1.5, 2.5, 3.5)] == [1, 0, 1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([predict(0, [], "a"), predict(0, [], "b")], "one video, got a, b"),
        ([predict(0, []), predict(0, [])], "two predictions of movie@0s"),
        ([ClipPrediction(ClipKey("movie", 0), scores=torch.zeros(2))], "no boxes"),
    ],
)
def test_predictions_that_make_no_timeline_are_refused(predictions: list[ClipPrediction], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Timeline(predictions, hold_seconds=1.0)
