"""Draws the curves of a training run from its ``metrics.jsonl``."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alphaction.utils.errors import DataError

_COLOURS = ("#1f77b4", "#d64541", "#278c46", "#8e44ad", "#c4700a")


def load_metrics_log(path: str | Path) -> list[dict[str, Any]]:
    """Returns the lines of a ``metrics.jsonl``; a last line cut off by a kill is left out.

    Raises:
        DataError: the file cannot be read, or a line before the last is not a JSON object.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"Cannot read the metrics {path}: {error}") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            if number < len(lines):
                raise DataError(f"{path}, line {number} is not a JSON object: {line[:80]}") from error
    return records


def draw_training_curves(records: Sequence[dict[str, Any]], *, metric: str | None = None) -> bytes | None:
    """Returns a PNG of total loss and its terms, learning rate and, where it was measured, ``metric``.

    Args:
        records: lines of a ``metrics.jsonl``, see :func:`load_metrics_log`.
        metric: name of a value of the "eval" lines.

    Returns:
        The bytes of the PNG, None when no training step was logged.
    """
    steps = [record for record in records if record.get("kind") == "train"]
    if not steps:
        return None
    evaluations = [
        record for record in records if record.get("kind") == "eval" and record.get(metric or "") is not None
    ]
    figure = Figure(figsize=(4.6 * (3 if evaluations else 2), 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3 if evaluations else 2, squeeze=False)[0]
    _draw_losses(axes[0], steps)
    _draw_line(axes[1], steps, "lr", _COLOURS[2], "lr")
    _finish(axes[1], "learning rate")
    if evaluations and metric:
        axes[2].plot(*_points(evaluations, metric), marker="o", markersize=4, color=_COLOURS[3])
        axes[2].set_ylim(0, 1)
        _finish(axes[2], metric)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _draw_losses(axes: Axes, steps: Sequence[dict[str, Any]]) -> None:
    terms = sorted({name for record in steps for name in record if name.startswith("loss_")})
    if len(terms) > 1:
        for index, name in enumerate(terms):
            _draw_line(axes, steps, name, _COLOURS[(index + 1) % len(_COLOURS)], name, width=1.0)
    _draw_line(axes, steps, "total_loss", _COLOURS[0], "total_loss", width=1.8)
    axes.set_ylim(bottom=0)
    _finish(axes, "training loss")
    if len(terms) > 1:
        axes.legend(frameon=False, fontsize=8)


def _draw_line(
    axes: Axes, records: Sequence[dict[str, Any]], name: str, colour: str, label: str, width: float = 1.6
) -> None:
    iterations, values = _points(records, name)
    # A single point has no line to draw.
    marker = "o" if len(values) == 1 else ""
    axes.plot(iterations, values, color=colour, label=label, linewidth=width, marker=marker)


def _points(records: Sequence[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    known = [record for record in records if isinstance(record.get(name), int | float)]
    return [int(record["iteration"]) for record in known], [float(record[name]) for record in known]


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("iteration", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
