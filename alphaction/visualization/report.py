"""Writes the result of a run as one web page that needs nothing but itself."""

import base64
import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from alphaction.utils.errors import DataError
from alphaction.visualization.charts import draw_training_curves, load_metrics_log

_STYLE = """
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: #1c2733; background: #f4f6f8; margin: 0; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0 0 12px; }
section { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; padding: 18px 20px; margin-top: 18px; }
.note { color: #5c6b7a; margin: 0 0 4px; }
.numbers { display: flex; flex-wrap: wrap; gap: 14px; margin-top: 18px; }
.number { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; padding: 12px 18px; }
.number b { display: block; font-size: 30px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.number.first { background: #1f5d8c; border-color: #1f5d8c; color: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid #edf0f3; white-space: nowrap; }
th { color: #5c6b7a; font-weight: 600; } td.right, th.right { text-align: right; font-variant-numeric: tabular-nums; }
td.bar { width: 45%; } .bar div { background: #e8edf1; border-radius: 3px; }
.bar i { display: block; height: 12px; border-radius: 3px; background: #2f86c1; }
img { max-width: 100%; display: block; border-radius: 4px; }
pre { background: #f4f6f8; border-radius: 6px; padding: 12px; overflow: auto; margin: 0; font-size: 13px; }
details > summary { cursor: pointer; font-weight: 600; }
a { color: #1f6aa5; }
"""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One row of the table of classes.

    Attributes:
        name: the class.
        average_precision: 0 .. 1, None for a class without ground truth.
        num_truth: its boxes in the ground truth.
        num_detections: boxes that were given a score for it, None to leave the column out.
    """

    name: str
    average_precision: float | None
    num_truth: int
    num_detections: int | None = None


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report shows; what is empty has no section.

    Attributes:
        title: head line of the page.
        metrics: numbers by name, 0 .. 1, the most important first; None is shown as a dash.
        classes: in the order of the table.
        metrics_log: a run's ``metrics.jsonl``.
        log_metric: the value of its "eval" lines to draw.
        contact_sheet: a PNG, put into the page.
        links: text -> file; written relative to the page.
        commands: what made the result, as one types it.
        config_text: the config of the run.
        note: a line below the title.
    """

    title: str
    metrics: Mapping[str, float | None]
    classes: Sequence[ClassScore] = ()
    metrics_log: Path | None = None
    log_metric: str | None = None
    contact_sheet: Path | None = None
    links: Mapping[str, Path] = field(default_factory=dict)
    commands: Sequence[str] = ()
    config_text: str = ""
    note: str = ""


def write_report(output_dir: str | Path, content: ReportContent) -> Path:
    """Writes ``report.html`` with all its pictures inside and returns its path.

    Raises:
        DataError: the contact sheet or the metrics log cannot be read.
    """
    path = Path(output_dir) / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    sections = [
        _numbers(content.metrics),
        _section("Average precision by class", _class_table(content.classes)),
        _section("Key frames (prediction in colour, truth in white)", _picture_of(content.contact_sheet)),
        _section("Training", _curves(content)),
        _section("Files", _links(content.links, path.parent)),
        _section("Made with", _preformatted("\n".join(content.commands))),
        _folded("Configuration", _preformatted(content.config_text)),
    ]
    title = html.escape(content.title)
    note = f'<p class="note">{html.escape(content.note)}</p>' if content.note else ""
    path.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><main>\n<h1>{title}</h1>{note}\n"
        + "\n".join(section for section in sections if section)
        + "\n</main></body></html>\n",
        encoding="utf-8",
    )
    return path


def _section(title: str, body: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>\n{body}\n</section>" if body else ""


def _folded(title: str, body: str) -> str:
    if not body:
        return ""
    return f"<section><details><summary>{html.escape(title)}</summary>\n{body}\n</details></section>"


def _numbers(metrics: Mapping[str, float | None]) -> str:
    if not metrics:
        return ""
    tiles = [
        f'<div class="number{"" if index else " first"}">{html.escape(name)}<b>{_number(value)}</b></div>'
        for index, (name, value) in enumerate(metrics.items())
    ]
    return f'<div class="numbers">{"".join(tiles)}</div>'


def _number(value: float | None) -> str:
    return "&ndash;" if value is None else f"{value:.4f}"


def _class_table(classes: Sequence[ClassScore]) -> str:
    if not classes:
        return ""
    has_detections = any(entry.num_detections is not None for entry in classes)
    heads = ["true boxes", *(["scored boxes"] if has_detections else []), "AP"]
    rows = ["<tr><th>class</th>" + "".join(f'<th class="right">{head}</th>' for head in heads) + "<th></th></tr>"]
    for entry in classes:
        counts = [entry.num_truth, *([entry.num_detections or 0] if has_detections else [])]
        width = 100 * min(1.0, max(0.0, entry.average_precision or 0.0))
        rows.append(
            f"<tr><td>{html.escape(entry.name)}</td>"
            + "".join(f'<td class="right">{count}</td>' for count in counts)
            + f'<td class="right">{_number(entry.average_precision)}</td>'
            + f'<td class="bar"><div><i style="width:{width:.1f}%"></i></div></td></tr>'
        )
    return f"<table>\n{chr(10).join(rows)}\n</table>"


def _curves(content: ReportContent) -> str:
    if content.metrics_log is None:
        return ""
    image = draw_training_curves(load_metrics_log(content.metrics_log), metric=content.log_metric)
    return _picture(image, "training curves") if image else ""


def _picture_of(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return _picture(path.read_bytes(), "key frames")
    except OSError as error:
        raise DataError(f"Cannot read the contact sheet {path}: {error}") from error


def _picture(image: bytes, text: str) -> str:
    return f'<img alt="{text}" src="data:image/png;base64,{base64.b64encode(image).decode()}">'


def _links(links: Mapping[str, Path], folder: Path) -> str:
    """Returns a list of links that work as long as page and files keep their places to each other."""
    items = []
    for text, path in links.items():
        target = quote(Path(os.path.relpath(Path(path).resolve(), folder.resolve())).as_posix())
        items.append(f'<li><a href="{html.escape(target)}">{html.escape(text)}</a></li>')
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _preformatted(text: str) -> str:
    return f"<pre>{html.escape(text.strip())}</pre>" if text.strip() else ""
