"""What came out of a comparison of fine-tuning, as a table."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alphaction.utils.files import write_text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run has come to.

    Attributes:
        strategy: how it was trained.
        seed: of its data and its initial head.
        test: mAP on the test set after the last iteration.
        validation: mAP on the validation set after the last iteration.
        cpu_seconds: of all processes of the training, without starting Python and without the test.
        trained: parameters that train at the end.
        releases: (epoch, units) of the epochs, from 1 on, that released something.
    """

    strategy: str
    seed: int
    test: float
    validation: float
    cpu_seconds: float
    trained: int
    releases: tuple[tuple[int, str], ...]

    def write(self, path: Path) -> None:
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")


def read_outcome(path: Path) -> Outcome:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Outcome(**{**values, "releases": tuple((epoch, units) for epoch, units in values["releases"])})


def read_training(metrics_file: Path, num_parameters: int) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Returns the parameters that train at the end of a run, and what its epochs after the first have released.

    Args:
        metrics_file: of the run; without lines about fine-tuning everything trains.
        num_parameters: of the whole model.
    """
    lines = [json.loads(line) for line in metrics_file.read_text(encoding="utf-8").splitlines()]
    epochs: list[dict[str, Any]] = [line for line in lines if line["kind"] == "finetune"]
    releases = [(int(line["epoch"]), str(line["released"])) for line in epochs if line["epoch"] and line["released"]]
    trained = int(epochs[-1]["parameters_total_trainable"]) if epochs else num_parameters
    return trained, tuple(releases)


def make_table(outcomes: Sequence[Outcome], reference: str) -> str:
    """Returns a Markdown table with a row for each strategy, in the order they come in.

    Args:
        outcomes: one for each strategy and seed.
        reference: the strategy that the others are compared with, seed by seed.
    """
    by_strategy: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.seed):
        by_strategy.setdefault(outcome.strategy, []).append(outcome)
    compared = {outcome.seed: outcome.test for outcome in by_strategy.get(reference, [])}
    header = ("strategy", "mAP@0.5", "of each seed", f"less {reference}", "trained at the end", "CPU s", "released")
    rows = [header, ("---",) * len(header)]
    for strategy in dict.fromkeys(outcome.strategy for outcome in outcomes):
        rows.append(_row(by_strategy[strategy], {} if strategy == reference else compared))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(runs: Sequence[Outcome], compared: dict[int, float]) -> tuple[str, ...]:
    differences = [run.test - compared[run.seed] for run in runs if run.seed in compared]
    sizes = list(dict.fromkeys(f"{run.trained:,}" for run in runs))
    return (
        runs[0].strategy,
        _mean_and_deviation([run.test for run in runs]),
        ", ".join(f"{run.test:.3f}" for run in runs),
        _mean_and_deviation(differences, sign="+") if differences else "",
        " / ".join(sizes),
        f"{statistics.mean(run.cpu_seconds for run in runs):.0f}",
        _releases(runs),
    )


def _mean_and_deviation(values: Sequence[float], sign: str = "") -> str:
    """Returns the mean and the standard deviation of a sample, which one value does not have."""
    mean = f"{statistics.mean(values):{sign}.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def _releases(runs: Sequence[Outcome]) -> str:
    """Returns the epochs and what they released: once where it is the same for all seeds, else for each."""
    texts = [", ".join(f"{units} in {epoch}" for epoch, units in run.releases) or "none" for run in runs]
    if len(set(texts)) == 1:
        return texts[0] if runs[0].releases else ""
    return "; ".join(f"seed {run.seed}: {text}" for run, text in zip(runs, texts, strict=True))
