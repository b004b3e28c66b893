"""What fine-tuning does, as text: parameters that train, and the epochs of a whole run."""

from collections.abc import Collection

import torch

from alphaction.finetune import FineTuning
from alphaction.solver import FactorScheduler
from alphaction.structures.unit import Unit
from alphaction.utils.logger import format_table


def parameter_counts(fine_tuning: FineTuning) -> dict[str, int]:
    """Returns the parameters of the model, the backbone and the heads, how many of each train, and the frozen ones."""
    layout = fine_tuning.layout
    counts = {}
    for name, units in (("total", layout.names), ("backbone", layout.backbone), ("heads", layout.heads)):
        counts[name] = _count(layout.units, units)
        counts[f"{name}_trainable"] = _count(layout.units, units, trained_only=True)
    return {**counts, "frozen": counts["total"] - counts["total_trainable"]}


def parameter_line(fine_tuning: FineTuning) -> str:
    """Returns the sums of :func:`parameter_table` in one line."""
    counts = parameter_counts(fine_tuning)
    parts = [f"{name} {counts[f'{name}_trainable']:,}/{counts[name]:,}" for name in ("total", "backbone", "heads")]
    return f"{', '.join(parts)} trainable, {counts['frozen']:,} frozen"


def parameter_table(fine_tuning: FineTuning, scheduler: FactorScheduler, base_lr: float) -> str:
    """Returns a row for each unit (parameters, how many train, learning rate) and the sums below."""
    rows: list[tuple[str, str, str, str, str]] = []
    for unit in fine_tuning.layout.units:
        total, trained = (_count([unit], [unit.name], trained_only=only) for only in (False, True))
        rate = f"{unit_lr(scheduler, unit.name, base_lr):.3g}" if trained else "frozen"
        rows.append(_row(unit.name, total, trained, rate))
    counts = parameter_counts(fine_tuning)
    rows += [_row(name, counts[name], counts[f"{name}_trainable"], "") for name in ("backbone", "heads", "total")]
    rows.append(("frozen", f"{counts['frozen']:,}", "", "", ""))
    return format_table(("unit", "parameters", "trainable", "share", "learning rate"), rows)


def unit_lr(scheduler: FactorScheduler, unit: str, base_lr: float) -> float:
    """Returns the learning rate now in force for the ordinary weights of a unit."""
    return base_lr * scheduler.unit_rate(unit)


def _row(name: str, total: int, trained: int, rate: str) -> tuple[str, str, str, str, str]:
    return name, f"{total:,}", f"{trained:,}", f"{trained / total:.1%}" if total else "-", rate


def _count(units: Collection[Unit], names: Collection[str], *, trained_only: bool = False) -> int:
    found: dict[int, torch.nn.Parameter] = {id(p): p for unit in units if unit.name in names for p in unit.parameters()}
    return sum(p.numel() for p in found.values() if p.requires_grad or not trained_only)
