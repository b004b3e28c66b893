"""Mistakes in data sets: what makes each in a copy of the generated one, and what must be said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from odd_videos import write_odd_video, write_sound_only

SIX_SECONDS = [40] * 150
VIDEO = "videos/train_01"


@dataclass(frozen=True)
class Mistake:
    """A kind of finding, how it is made, and texts that its sentence holds: file, place and what it is."""

    code: str
    make: Callable[[Path], object]
    said: tuple[str, ...]
    level: str = "error"


def edit(name: str, row: int, old: str, new: str) -> Callable[[Path], None]:
    """Returns what replaces a text in a row of a file."""

    def make(data: Path) -> None:
        lines = (data / name).read_text().splitlines()
        assert old in lines[row - 1]
        lines[row - 1] = lines[row - 1].replace(old, new)
        (data / name).write_text("\n".join(lines) + "\n")

    return make


def rewrite(name: str, change: Callable[[str], str], encoding: str = "utf-8") -> Callable[[Path], object]:
    """Returns what changes the whole text of a file."""
    return lambda data: (data / name).write_text(change((data / name).read_text()), encoding=encoding)


def odd_video(suffix: str, steps_ms: list[int], rate: int = 25, *, sound_first: bool = False) -> Callable[[Path], None]:
    """Returns what puts another video in the place of one."""

    def make(data: Path) -> None:
        (data / f"{VIDEO}.mp4").unlink()
        write_odd_video(data / f"{VIDEO}{suffix}", steps_ms, rate, sound_first=sound_first)

    return make


def halve_video(data: Path) -> None:
    """Cuts a Matroska file, whose header is at its beginning, in two."""
    odd_video(".mkv", SIX_SECONDS)(data)
    path = data / f"{VIDEO}.mkv"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def boxes_of_xywh(text: str) -> str:
    """Returns detector rows with a box far from every person."""
    return "".join(",".join([*line.split(",")[:2], "0.0,0.0,0.05,0.05,,0.9"]) + "\n" for line in text.splitlines())


def second_person(text: str) -> str:
    return text + "val_00,0001,0.400,0.010,0.450,0.100,5,0\n"


def crowd(text: str) -> str:
    rows = [f"val_00,0005,0.{i}0,0.1,0.{i}9,0.9,5,{i + 10}" for i in range(1, 9)]
    return text + "\n".join(rows + [row.replace("0.1,", "0.3,") for row in rows]).replace(",1", ",1") + "\n"


MISTAKES = (
    Mistake("box-mixed", edit("train.csv", 3, "0.911,0.903", "175,116"), ("train.csv, row 3", "looks like pixels")),
    Mistake(
        "box-pixels",
        rewrite("val_boxes.csv", lambda text: text.replace(",0.", ",10")),
        ("val_boxes.csv, row 1", "pixels, as all do"),
    ),
    Mistake(
        "box-outside", edit("train.csv", 3, "0.911", "1.020"), ("train.csv, row 3", "outside the frame"), "warning"
    ),
    Mistake("box-far-outside", edit("train.csv", 3, "0.911", "1.611"), ("train.csv, row 3", "far outside")),
    Mistake("box-degenerate", edit("train.csv", 3, "0.911", "0.584"), ("train.csv, row 3", "no width"), "warning"),
    Mistake("box-inverted", edit("train.csv", 3, "0.911", "0.311"), ("train.csv, row 3", "x2 < x1")),
    Mistake(
        "row-repeated",
        rewrite("train.csv", lambda text: text + text.splitlines()[1] + "\n"),
        ("train.csv, row 14", "there twice"),
        "warning",
    ),
    Mistake(
        "action-unknown", edit("train.csv", 3, ",7,1", ",77,1"), ("train.csv, row 3", "the action 77 is not one of")
    ),
    Mistake("time-outside", edit("train.csv", 3, "0001", "0099"), ("train.csv, row 3", "the video lasts 6.00 s")),
    Mistake("row-7", edit("val_boxes.csv", 2, ",,", ","), ("val_boxes.csv, row 2", "has 7 columns")),
    Mistake("row-x1", edit("train.csv", 3, "0.584", "left"), ("train.csv, row 3", "column x1 that is not a number")),
    Mistake("row-action", edit("train.csv", 3, ",7,1", ",,1"), ("train.csv, row 3", "no action in column 7")),
    Mistake("csv-tabs", rewrite("train.csv", lambda text: text.replace(",", "\t")), ("train.csv, row 1", "by tabs")),
    Mistake(
        "csv-semicolons",
        rewrite("val.csv", lambda text: text.replace(",", ";").replace("0.", "0,")),
        ("val.csv, row 1", "by semicolons"),
    ),
    Mistake(
        "csv-header",
        rewrite("train.csv", lambda text: "video,second,x1,y1,x2,y2,action,person\n" + text),
        ("train.csv, row 1", "header line"),
    ),
    Mistake("csv-bom", rewrite("val.csv", str, "utf-8-sig"), ("val.csv, row 1", "byte order mark"), "warning"),
    Mistake("csv-utf16", rewrite("val.csv", str, "utf-16"), ("val.csv", "UTF-16")),
    Mistake(
        "csv-encoding",
        rewrite("val.csv", lambda text: text + "vidéo,0001,0.1,0.1,0.2,0.2,1,0\n", "latin-1"),
        ("val.csv, row 9", "not UTF-8"),
    ),
    Mistake("truth-empty", rewrite("val.csv", lambda text: ""), ("val.csv", "holds no row")),
    Mistake(
        "exclusions-empty", rewrite("val_excluded.csv", lambda text: ""), ("val_excluded.csv", "no row"), "warning"
    ),
    Mistake(
        "label-id-twice", edit("labels.pbtxt", 7, "id: 2", "id: 1"), ("labels.pbtxt, row 7", "id 1 is given to two")
    ),
    Mistake(
        "label-name-twice",
        edit("labels.pbtxt", 6, "walk right", "walk left"),
        ("labels.pbtxt, id 2", 'same name "walk left"'),
        "warning",
    ),
    Mistake(
        "splits-share-frames",
        rewrite("val.csv", lambda text: text + "train_00,0003,0.1,0.1,0.2,0.2,1,0\n"),
        ("val.csv, row 9", "train_00@3s", "train.csv too"),
    ),
    Mistake(
        "splits-share-videos",
        rewrite("val.csv", lambda text: text + "train_00,0002,0.1,0.1,0.2,0.2,1,0\n"),
        ("val.csv, row 9", '"train_00"'),
        "warning",
    ),
    Mistake(
        "class-untrained",
        rewrite("train.csv", lambda text: text.replace(",9,1", ",8,1")),
        ("train.csv", "no training row: 9 sway"),
        "warning",
    ),
    Mistake(
        "person-twice", rewrite("val.csv", second_person), ("val.csv, row 9", "person 0 is in two places"), "warning"
    ),
    Mistake("frame-crowded", rewrite("val.csv", crowd), ("val.csv, row", "val_00@5s has", "persons"), "info"),
    Mistake(
        "score-threshold",
        rewrite("val_boxes.csv", lambda text: text.replace(",,0.", ",,0.0")),
        ("val_boxes.csv, row", "no box reaches the score 0.8"),
    ),
    Mistake("boxes-elsewhere", rewrite("val_boxes.csv", boxes_of_xywh), ("val_boxes.csv", "val.csv, row 1", "never")),
    Mistake(
        "boxes-other-times",
        rewrite("val_boxes.csv", lambda text: text.replace(",000", ",010")),
        ("val_boxes.csv, row 1", "no box is at a key frame"),
    ),
    Mistake(
        "boxes-other-video",
        rewrite("val_boxes.csv", lambda text: text.replace("val_00", "val_00.mp4")),
        ("val_boxes.csv, row 1", '"val_00.mp4" has no labelled person'),
    ),
    Mistake(
        "videos-missing",
        lambda data: (data / f"{VIDEO}.mp4").unlink(),
        ("train.csv, row 8", "1 of 2 videos", "train_01 (row 8)"),
    ),
    Mistake(
        "video-empty", lambda data: (data / f"{VIDEO}.mp4").write_bytes(b""), (VIDEO, "train.csv, row 8", "0 bytes")
    ),
    Mistake(
        "video-corrupt",
        lambda data: (data / f"{VIDEO}.mp4").write_bytes(b"no video at all"),
        (VIDEO, "train.csv, row 8", "corrupt"),
    ),
    Mistake("video-truncated", halve_video, (VIDEO, "train.csv, row 8", "truncated")),
    Mistake(
        "video-no-picture",
        lambda data: write_sound_only(data / f"{VIDEO}.mp4"),
        (VIDEO, "train.csv, row 8", "no picture stream"),
    ),
    Mistake(
        "video-high-fps", odd_video(".mkv", SIX_SECONDS, 1000), (VIDEO, "row 8", "1000 frames a second"), "warning"
    ),
    Mistake("video-low-fps", odd_video(".mp4", [500] * 12, 2), (VIDEO, "row 8", "2 frames a second"), "warning"),
    Mistake("video-variable-fps", odd_video(".mp4", [20, 60] * 75), (VIDEO, "row 8", "unequally long"), "warning"),
    Mistake(
        "video-audio-first",
        odd_video(".mp4", SIX_SECONDS, sound_first=True),
        (VIDEO, "row 8", "first stream is audio"),
        "info",
    ),
    Mistake(
        "entry-unusable",
        rewrite("val.yaml", lambda text: text + "lable_file: x\n"),
        ("val.yaml", 'unknown entry "lable_file"', "label_file"),
    ),
    Mistake("file-missing", lambda data: (data / "val_boxes.csv").unlink(), ("val_boxes.csv", "the box_file of")),
    Mistake(
        "class-unknown",
        rewrite("val.yaml", lambda text: text.replace("AVAVideoDataset", "AVADataset")),
        ("val.yaml", '"AVADataset"'),
    ),
    Mistake(
        "videos-root",
        rewrite("val.yaml", lambda text: text.replace("videos", "vidoes")),
        ("val.csv", "is not a folder", "val_00 (row 1)"),
    ),
)
