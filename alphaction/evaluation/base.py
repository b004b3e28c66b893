"""What every evaluator takes and gives."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alphaction.structures.clip import ClipPrediction
from alphaction.utils.errors import DataError
from alphaction.utils.files import write_text
from alphaction.utils.registry import Registry

EVALUATORS: "Registry[type[Evaluator]]" = Registry("evaluator")


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The numbers of one evaluation.

    Attributes:
        metrics: scalars by flat name (``mAP@0.5``, ``mAP@0.5/pose``); None where there is nothing to average.
        primary: the name in ``metrics`` that says which of two models is better; more is better.
        report: a table for people; its last line is ``<primary> = <value>``.
        details: numbers by class and counts, in types JSON knows.
        files: file name -> function that writes this file to a path.
    """

    metrics: dict[str, float | None]
    primary: str
    report: str
    details: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.primary not in self.metrics:
            raise ValueError(f'The primary metric "{self.primary}" is not one of {", ".join(self.metrics)}.')

    @property
    def value(self) -> float | None:
        """The primary metric."""
        return self.metrics[self.primary]

    def to_json(self) -> str:
        """Returns primary, metrics and details as JSON text; a number that does not exist is ``null``."""
        content = {"primary": self.primary, "metrics": dict(self.metrics), "details": dict(self.details)}
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def write(self, output_dir: str | Path) -> None:
        """Writes the evaluator's own files, then ``metrics.json``; each appears under its name when complete.

        Raises:
            DataError: the folder cannot be written.
        """
        folder = Path(output_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, write_file in self.files.items():
                write_file(folder / name)
            self.write_metrics(folder / "metrics.json")
        except OSError as error:
            raise DataError(f"Cannot write the evaluation to {folder}: {error}") from error

    def write_metrics(self, path: str | Path) -> None:
        """Writes :meth:`to_json` to a file that appears under its name when complete."""
        write_text(path, self.to_json())


class Evaluator:
    """Contract of an evaluator, which the task of a data set makes with the data set's ground truth.

    One evaluator may score many sets of predictions; a call of ``evaluate`` leaves no trace in it.
    """

    def evaluate(self, predictions: Sequence[ClipPrediction]) -> EvaluationResult:
        """Returns the metrics of predictions in any order; a clip is known by its key alone.

        Raises:
            DataError: two predictions have one key, or a prediction does not fit the ground truth's classes.
        """
        raise NotImplementedError

    def metric_names(self) -> tuple[str, ...]:
        """Returns the names of all metrics that ``evaluate`` gives, if they are known before; else nothing."""
        return ()


def format_primary(name: str, value: float | None) -> str:
    """Returns the last line of a report."""
    return f"{name} = {'none' if value is None else f'{value:.8f}'}"
