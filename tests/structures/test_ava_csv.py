import gzip
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from alphaction.structures import ava_csv
from alphaction.structures.ava_csv import (
    AvaRows,
    load_exclusions,
    load_ground_truth_csv,
    load_person_boxes_csv,
    load_results_csv,
    write_results_csv,
)
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import DataError

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "eval"
GOOD = "vid,0902,0.1,0.2,0.3,0.4,12,1"


def write(folder: Path, *lines: str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


def make_rows(**columns) -> AvaRows:
    n = len(list(columns.values())[-1])
    given = {
        "videos": ("vid",),
        "video": np.zeros(n, np.int32),
        "timestamp_ms": np.full(n, 902_000),
        "xyxy": np.tile([0.1, 0.2, 0.3, 0.4], (n, 1)),
        "action": np.ones(n, np.int64),
        "score": np.ones(n),
        "person_id": np.full(n, -1),
        **columns,
    }
    return AvaRows(**given)


def test_ground_truth_is_read_into_columns(tmp_path):
    rows = load_ground_truth_csv(write(tmp_path, GOOD, "-5K,1798,0,0,1,1,80,7", "vid,0902,.5,.5,.6,.6,3,2"))
    assert rows.videos == ("vid", "-5K")
    assert rows.video.tolist() == [0, 1, 0] and rows.video.dtype == np.int32
    assert rows.timestamp_ms.tolist() == [902_000, 1_798_000, 902_000]
    assert rows.xyxy[0].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert rows.action.tolist() == [12, 80, 3]
    assert rows.person_id.tolist() == [1, 7, 2]
    assert rows.score.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0902", 902_000), ("902", 902_000), ("7", 7_000), ("0902.5", 902_500), ("902.0334", 902_033), ("0", 0)],
)
def test_seconds_may_have_zeros_and_fractions(tmp_path, text, milliseconds):
    path = write(tmp_path, f"_a-b,{text},0.1,0.2,0.3,0.4,12,1")
    assert load_ground_truth_csv(path).keyframes == (ClipKey("_a-b", milliseconds),)


@pytest.mark.parametrize("empty", ["other,0005", "other,0005,,,,,", "other,0005,,,,,,"])
def test_a_key_frame_without_boxes_is_kept(tmp_path, empty):
    rows = load_ground_truth_csv(write(tmp_path, empty, GOOD))
    assert len(rows) == 1
    assert rows.frames_without_boxes == (ClipKey("other", 5000),)
    assert rows.keyframes == (ClipKey("vid", 902_000), ClipKey("other", 5000))


def test_a_missing_person_id_is_minus_one(tmp_path):
    rows = load_ground_truth_csv(write(tmp_path, "vid,1,0.1,0.2,0.3,0.4,12", "vid,1,0.1,0.2,0.3,0.4,12,"))
    assert rows.person_id.tolist() == [-1, -1]


def test_results_have_scores(tmp_path):
    rows = load_results_csv(write(tmp_path, "vid,0902,0.1,0.2,0.3,0.4,12,0.99321"))
    assert rows.score.tolist() == [0.99321]
    assert rows.person_id.tolist() == [-1]


def test_person_boxes_have_an_empty_seventh_column(tmp_path):
    rows = load_person_boxes_csv(write(tmp_path, "vtest,0001,0.608,0.293,0.656,0.422,,0.991057"))
    assert (rows.score.tolist(), rows.action.tolist()) == ([0.991057], [-1])


def test_exclusions_are_key_frames(tmp_path):
    path = write(tmp_path, "-FLn,0913", "72M,1184", "72M,1184")
    assert load_exclusions(path) == {ClipKey("-FLn", 913_000), ClipKey("72M", 1_184_000)}


def test_a_byte_order_mark_windows_line_ends_quotes_and_blank_lines_are_read(tmp_path):
    path = tmp_path / "gt.csv"
    path.write_bytes(('\ufeff"vid",0902,0.1,0.2,0.3,0.4,12,1\r\n\r\n"a,b",0903,0.1,0.2,0.3,0.4,12,1').encode())
    rows = load_ground_truth_csv(path)
    assert rows.keyframes == (ClipKey("vid", 902_000), ClipKey("a,b", 903_000))


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "gt.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))
    assert len(load_ground_truth_csv(path)) == 1


def test_an_empty_ground_truth_is_an_error_but_empty_results_are_none(tmp_path):
    path = write(tmp_path)
    with pytest.raises(DataError, match=r"file\.csv holds no row; expected video,second"):
        load_ground_truth_csv(path)
    assert len(load_results_csv(path)) == 0
    assert load_results_csv(path).keyframes == ()
    assert load_exclusions(path) == set()


BAD_ROWS = [
    ("vid,0902,0.1,0.2,0.3,0.4", "has 6 columns; expected video,second,x1,y1,x2,y2,action,person_id"),
    ("vid", "has 1 column; expected video,second"),
    ("vid,0902,0.1,0.2,0.3,0.4,12,1,9", "has 9 columns"),
    ("vid,0902,0.1,0.2,abc,0.4,12,1", "x2 that is not a number.*'abc'.*expected video,second"),
    ("vid,0902,0.1,nan,0.3,0.4,12,1", "y1 that is not a finite number"),
    ("vid,0902,0.1,0.2,0.3,0.4,walk,1", "action that is not a whole number"),
    ("vid,0902,0.1,0.2,0.3,0.4,,1", "no action in column 7; is this a file of predicted person boxes"),
    ("vid,0902,0.1,0.2,0.3,0.4,-2,1", "negative action id"),
    ("vid,0902,0.1,0.2,0.3,0.4,12,0.87", "person_id that is not a whole number.*is this a result file"),
    ("vid,soon,0.1,0.2,0.3,0.4,12,1", "second that is not a number"),
    ("vid,-3,0.1,0.2,0.3,0.4,12,1", "not a second of a video"),
    (",0902,0.1,0.2,0.3,0.4,12,1", "no video name"),
    ("vid,0902,0.3,0.2,0.1,0.4,12,1", "x2 < x1 or y2 < y1"),
    ("vid,0902,0.1,0.4,0.3,0.2,12,1", "x2 < x1 or y2 < y1"),
    ("vid,0902,12,20,130,140,12,1", "these look like pixels; AVA CSV boxes are fractions of the frame"),
    ("vid,0902,-0.5,0.2,0.3,0.4,12,1", "these look like pixels"),
    ('vid,0902,0.1,0.2,0.3,0.4,12,"1', "quote that is not closed; expected"),
]


@pytest.mark.parametrize(("bad", "problem"), BAD_ROWS)
@pytest.mark.parametrize("position", [1, 2])
def test_a_bad_row_is_named_with_file_number_and_text(tmp_path, bad, problem, position):
    lines = [GOOD] * (position - 1) + [bad] + [GOOD] * 3 + [bad]
    with pytest.raises(DataError, match=problem) as caught:
        load_ground_truth_csv(write(tmp_path, *lines))
    message = str(caught.value)
    assert message.startswith(f'{tmp_path / "file.csv"}, row {position}: "{bad}" ')
    assert "\n" not in message


def test_the_first_bad_row_of_a_large_file_is_found(tmp_path):
    lines = [GOOD, ""] * 30_000 + ["vid,0902,0.1,oops,0.3,0.4,12,1"] + [GOOD] * 9 + ["vid"]
    with pytest.raises(DataError, match=r"row 60001: .*y1 that is not a number"):
        load_ground_truth_csv(write(tmp_path, *lines))


def test_slightly_outside_is_no_mistake(tmp_path):
    rows = load_ground_truth_csv(write(tmp_path, "vid,0902,-0.02,0,1.02,1,12,1"))
    assert rows.xyxy[0].tolist() == [-0.02, 0, 1.02, 1]


def test_results_without_area_are_left_to_the_evaluator(tmp_path):
    assert len(load_results_csv(write(tmp_path, "vid,0902,0.3,0.2,0.1,0.4,12,0.5"))) == 1


@pytest.mark.parametrize(
    ("loader", "row", "problem"),
    [
        (load_results_csv, "vid,0902,0.1,0.2,0.3,0.4,12", "7 columns; expected video,second,.*,action,score"),
        (load_results_csv, "vid,0902,0.1,0.2,0.3,0.4,12,inf", "score that is not a finite number"),
        (load_person_boxes_csv, "vid,0902,0.1,0.2,0.3,0.4,12,0.5", "column 7, which must be empty"),
        (load_exclusions, GOOD, "8 columns; expected video,second"),
    ],
)
def test_each_kind_of_file_says_what_it_expects(tmp_path, loader, row, problem):
    with pytest.raises(DataError, match=problem):
        loader(write(tmp_path, row))


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    for name in ("missing.csv", "binary.csv", "broken.csv.gz", ""):
        with pytest.raises(DataError, match=f"Cannot read the CSV file {tmp_path / name}"):
            load_ground_truth_csv(tmp_path / name)


def test_what_was_written_is_read_again(tmp_path):
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((200, 2, 2)), axis=1).reshape(-1, 4).round(5)
    rows = make_rows(
        videos=('-a"b', "c,d"),
        video=np.arange(200, dtype=np.int32) % 2,
        timestamp_ms=rng.integers(0, 10_000_000, 200),
        xyxy=corners,
        action=rng.integers(1, 81, 200),
        score=rng.random(200).astype(np.float32).astype(np.float64),
    )
    write_results_csv(tmp_path / "r.csv", [rows.select(slice(0, 50)), rows.select(np.arange(50, 200))])
    again = load_results_csv(tmp_path / "r.csv")
    assert again.videos == rows.videos
    for name in ("video", "timestamp_ms", "xyxy", "action"):
        assert np.array_equal(getattr(again, name), getattr(rows, name)), name
    assert np.array_equal(again.score.astype(np.float32), rows.score.astype(np.float32))


def test_scores_that_differ_are_written_differently(tmp_path):
    close = np.array([0.5, np.nextafter(np.float32(0.5), np.float32(1))], np.float32)
    write_results_csv(tmp_path / "r.csv", make_rows(score=close.astype(np.float64)))
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert lines[0] == "vid,0902,0.10000,0.20000,0.30000,0.40000,1,0.5"
    assert lines[0] != lines[1]


def test_seconds_are_written_with_four_digits_and_only_needed_decimals(tmp_path):
    write_results_csv(tmp_path / "r.csv", make_rows(timestamp_ms=np.array([902_000, 5_000, 12_345_500, 33])))
    seconds = [line.split(",")[1] for line in (tmp_path / "r.csv").read_text().splitlines()]
    assert seconds == ["0902", "0005", "12345.5", "0000.033"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "r.csv"
    path.write_text("old")

    def broken():
        yield make_rows(score=np.ones(1))
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError):
        write_results_csv(path, broken())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["r.csv"]


def test_rows_of_a_key_frame_need_not_be_neighbours(tmp_path):
    lines = [GOOD, "b,0001,0.1,0.2,0.3,0.4,1,1", GOOD, "vid,0901,0.1,0.2,0.3,0.4,1,1"]
    keys, frame = load_ground_truth_csv(write(tmp_path, *lines)).frame_index()
    assert [keys[number] for number in frame] == [
        ("vid", 902_000),
        ("b", 1000),
        ("vid", 902_000),
        ("vid", 901_000),
    ]
    assert len(keys) == 3


def test_parts_of_a_large_file_share_video_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(ava_csv, "_LINES_AT_ONCE", 3)
    lines = [f"v{i % 4},{i},0.1,0.2,0.3,0.4,1,1" for i in range(10)]
    rows = load_ground_truth_csv(write(tmp_path, *lines))
    assert [rows.videos[i] for i in rows.video] == [f"v{i % 4}" for i in range(10)]
    assert rows.timestamp_ms.tolist() == [i * 1000 for i in range(10)]


def test_golden_files_are_read_whole():
    truth = load_ground_truth_csv(GOLDEN / "gt.csv")
    results = load_results_csv(GOLDEN / "det.csv.gz")
    assert (len(truth), len(results), len(load_exclusions(GOLDEN / "excluded.csv"))) == (7050, 22296, 27)
    assert results.score[:2].tolist() == [0.39, 0.04393]


def test_published_files_are_read():
    folder = os.environ.get("ALPHACTION_TEST_DATA")
    if not folder:
        pytest.skip("ALPHACTION_TEST_DATA names no folder of real data")
    ava, pets = Path(folder) / "ava_v2.2", Path(folder) / "pets"
    assert len(load_ground_truth_csv(ava / "ava_val_v2.2_sample_rows.csv")) == 41
    assert len(load_person_boxes_csv(ava / "ava_val_predicted_boxes_sample_rows.csv")) == 21
    assert ClipKey("5BDj0ow5hnA", 1_038_000) in load_exclusions(ava / "ava_val_excluded_timestamps_v2.2.csv")
    assert len(load_ground_truth_csv(pets / "pets_val.csv")) == 145
    assert load_person_boxes_csv(pets / "pets_predicted_boxes.csv").score[0] == 0.991057


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("video,second,x1,y1,x2,y2,action,person\n", "looks like a header"),
        ("m\t1\t0.1\t0.1\t0.2\t0.2\t1\t0\n", "seems to use tabs"),
        ("m;1;0.1;0.1;0.2;0.2;1;0\n", "seems to use semicolons"),
    ],
)
def test_a_line_of_another_form_is_recognised(tmp_path, text, hint):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=hint):
        load_ground_truth_csv(tmp_path / "a.csv")


def test_rows_that_are_there_twice_are_counted_and_named(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("m,1,0.1,0.1,0.2,0.2,1,0\nm,1,0.1,0.1,0.2,0.2,2,0\nm,1,0.1,0.1,0.2,0.2,1,0\n")
    with caplog.at_level(logging.WARNING):
        assert load_ground_truth_csv(tmp_path / "a.csv").num_repeated() == 1
    assert "1 rows of" in caplog.text and "twice" in caplog.text


def test_a_file_that_is_not_utf8_says_so(tmp_path):
    (tmp_path / "a.csv").write_bytes("m,1,0.1,0.1,0.2,0.2,1,0\n".encode("utf-16"))
    with pytest.raises(DataError, match="not UTF-8"):
        load_ground_truth_csv(tmp_path / "a.csv")
