"""The report page: everything is in it, and it needs nothing from elsewhere."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from alphaction.utils.errors import DataError
from alphaction.visualization.charts import draw_training_curves, load_metrics_log
from alphaction.visualization.contact_sheet import encode_png
from alphaction.visualization.report import ClassScore, ReportContent, write_report

CLASSES = (ClassScore("walk <left>", 0.75, 12, 40), ClassScore("wave", None, 0, 3))


def write_log(path: Path) -> Path:
    lines = [
        {
            "kind": "train",
            "iteration": n,
            "lr": 0.1 / n,
            "total_loss": 3 / n,
            "loss_pose_action": 1 / n,
            "loss_x": 2 / n,
        }
        for n in range(1, 9)
    ]
    lines.append({"kind": "eval", "iteration": 4, "mAP@0.5": 0.4})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_page(folder: Path, **content: object) -> str:
    defaults = {"title": "Demo run", "metrics": {"mAP@0.5": 0.8123456, "mAP@0.75": None}, "classes": CLASSES}
    return write_report(folder, ReportContent(**{**defaults, **content})).read_text()  # type: ignore[arg-type]


def test_the_page_names_every_class_and_the_metric(tmp_path: Path) -> None:
    page = write_page(tmp_path / "new")
    assert "Demo run" in page and "mAP@0.5" in page and "0.8123" in page
    assert "walk &lt;left&gt;" in page and "wave" in page and "0.7500" in page
    assert page.count("&ndash;") == 2  # the metric and the class that have no value


def test_the_page_holds_its_pictures_and_fetches_nothing(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    page = write_page(tmp_path, contact_sheet=sheet, metrics_log=write_log(tmp_path / "metrics.jsonl"))
    assert page.count('src="data:image/png;base64,') == 2
    assert not re.search(r"(src|href)=\"(?!data:)|https?://|@import|url\(", page)


def test_links_are_relative_to_the_page(tmp_path: Path) -> None:
    links = {"video": tmp_path / "videos" / "a b.mp4", "log": tmp_path / "run" / "log.txt"}
    page = write_page(tmp_path / "run", links=links)
    assert 'href="../videos/a%20b.mp4"' in page and 'href="log.txt"' in page


def test_commands_and_config_are_shown_as_text(tmp_path: Path) -> None:
    page = write_page(tmp_path, commands=["python train.py <file>", "python test.py"], config_text="MODEL:\n  A: 1\n")
    assert "python train.py &lt;file&gt;\npython test.py" in page and "MODEL:\n  A: 1" in page


def test_what_is_not_given_has_no_section(tmp_path: Path) -> None:
    page = write_page(tmp_path, classes=())
    assert "<section>" not in page


def test_a_missing_contact_sheet_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contact sheet"):
        write_page(tmp_path, contact_sheet=tmp_path / "nothing.png")


def test_curves_are_a_picture_with_a_panel_more_where_a_metric_was_measured(tmp_path: Path) -> None:
    records = load_metrics_log(write_log(tmp_path / "metrics.jsonl"))
    without, with_metric = (draw_training_curves(records, metric=name) for name in (None, "mAP@0.5"))
    assert without and with_metric
    widths = [
        cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR).shape[1] for image in (without, with_metric)
    ]
    assert widths[1] == pytest.approx(widths[0] * 1.5, rel=0.01)


def test_a_run_without_a_logged_step_has_no_curves() -> None:
    assert draw_training_curves([{"kind": "eval", "iteration": 1, "mAP@0.5": 0.1}]) is None


def test_a_last_line_cut_off_by_a_kill_is_left_out_and_any_other_is_an_error(tmp_path: Path) -> None:
    path = write_log(tmp_path / "metrics.jsonl")
    path.write_text(path.read_text() + '{"kind": "tra')
    assert len(load_metrics_log(path)) == 9
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(DataError, match="line 1"):
        load_metrics_log(path)
