"""The files of a generated data set: movies, and text in the formats of real ones."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from alphaction.dataset.synthetic_scene import Scene
from alphaction.utils.errors import DataError

# What a folder of ours holds; only such a folder is written over.
MARKER = "synthetic.json"
_SMALL = {"preset": "veryfast", "crf": "20", "g": "12"}
_LOSSLESS = {"preset": "veryfast", "qp": "0", "g": "25"}


def claim_folder(root: Path, videos: Sequence[Path], arguments: Mapping[str, object]) -> None:
    """Creates the folder, or empties one of ours of its old movies, and notes in it how it is filled.

    Raises:
        DataError: it holds files of someone else.
    """
    marker = root / MARKER
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file; give a folder to write the generated data set to.")
    if marker.exists():
        for pattern in ("train_[0-9][0-9].mp4", "val_[0-9][0-9].mp4"):
            for old in (root / "videos").glob(pattern):
                old.unlink()
    elif root.exists() and any(root.iterdir()):
        raise DataError(
            f"{root} is not empty and was not written by this generator (it has no {MARKER}); "
            "give a new folder, so that nothing of yours is written over."
        )
    (root / "videos").mkdir(parents=True, exist_ok=True)
    names = [path.name for path in videos]
    marker.write_text(json.dumps({**arguments, "videos": names}, indent=1) + "\n", encoding="utf-8")


def encode_movie(
    path: Path, scene: Scene, *, seconds: int, fps: int, size: tuple[int, int], lossless: bool = False
) -> None:
    """Writes H.264 with one thread and no look-ahead, whose timing shows in the bytes: a seed gives one data set.

    Args:
        path: the file.
        scene: what it shows.
        seconds: its length.
        fps: frames a second.
        size: (width, height) of the scene in pixels.
        lossless: keep every pixel, so that what moves at one place leaves no trace of coding at another.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {**(_LOSSLESS if lossless else _SMALL), "threads": "1", "tune": "zerolatency"}
        for index in range(seconds * fps):
            frame = av.VideoFrame.from_ndarray(scene.render(index / fps), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def loosen_box(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the box [4] as a good detector might give it: each edge moved by some percent of the box's extent."""
    extent = np.tile(box[2:] - box[:2], 2)
    return box + extent * rng.normal(0, 0.025, 4).clip(-0.06, 0.06)


def format_truth(movie: str, second: int, box: np.ndarray, class_id: int, person_id: int) -> str:
    """Returns a row of the true actions; the box [4] is in shares of the frame."""
    return f"{_place(movie, second, box)},{class_id},{person_id}"


def format_detection(movie: str, second: int, box: np.ndarray, score: float) -> str:
    """Returns a row of the detected persons; the box [4] is in shares of the frame."""
    return f"{_place(movie, second, box)},,{score:.6f}"


def write_labels(path: Path, names: Sequence[str]) -> None:
    """Writes the classes; they get the ids 1, 2, ..."""
    write_rows(path, (f'item {{\n  name: "{name}"\n  id: {number}\n}}' for number, name in enumerate(names, 1)))


def write_dataset_yaml(path: Path, truth: Path, *, boxes: Path | None = None, excluded: Path | None = None) -> None:
    """Writes a dataset file that names the files beside it."""
    lines = ["dataset: AVAVideoDataset", "video_root: videos", f"csv_gt_file: {truth.name}"]
    lines += [f"box_file: {boxes.name}"] if boxes is not None else []
    lines += ["label_file: labels.pbtxt", "labelmap_file: labels.pbtxt"]
    lines += [f"exclusion_file: {excluded.name}"] if excluded is not None else []
    write_rows(path, lines)


def write_rows(path: Path, rows: Iterable[str]) -> None:
    """Writes one row a line, with the same bytes on every system."""
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8", newline="\n")


def _place(movie: str, second: int, box: np.ndarray) -> str:
    coordinates = ",".join(f"{value:.3f}" for value in np.clip(box, 0, 1))
    return f"{movie},{second:04d},{coordinates}"
