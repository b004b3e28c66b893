"""Is the config a run is resumed with the config it was started with?"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from alphaction.config import get_cfg
from alphaction.utils.errors import CheckpointError
from alphaction.utils.logger import format_table

_SECTIONS = ("MODEL", "DATASETS", "INPUT", "SOLVER", "FINETUNE", "TEST")
# Of the loader, what decides which clips come in which batch.
_OF_LOADER = ("SAMPLING", "REPEAT_THRESHOLD", "ASPECT_RATIO_GROUPING")
# What a resumed run may set anew: it decides when something is written or shown, not what is learnt. The weights
# of MODEL.WEIGHT were replaced by the checkpoint's.
_FREE = {
    "MODEL.WEIGHT",
    "MODEL.WEIGHT_LABELS",
    "MODEL.WEIGHT_RENAME",
    "MODEL.INFLATE",
    "MODEL.INPUT_CHANNELS",
    "SOLVER.CHECKPOINT_PERIOD",
    "SOLVER.EVAL_PERIOD",
    "SOLVER.LOG_PERIOD",
    "SOLVER.CHECKPOINTS_KEPT",
    "SOLVER.SAVE_BEST",
    "SOLVER.EARLY_STOP_PATIENCE",
    "SOLVER.EARLY_STOP_MIN_DELTA",
}
# Free as well, unless schedule or strategy follow the metric, as is how the test is made then.
_METRIC = {"SOLVER.MONITOR", "SOLVER.MONITOR_MODE"}
_FREE_OF_TEST = {"TEST.VIDEOS_PER_BATCH"}
# A schedule of this name counts the evaluations.
_METRIC_SCHEDULES = {"plateau"}
_MAY_GROW = {"SOLVER.MAX_ITER", "SOLVER.MAX_EPOCHS", "FINETUNE.FIXED.PHASE2_EPOCHS"}
# A schedule of this name stretches over the whole run: a longer run means other rates from the start.
_WHOLE_RUN_SCHEDULES = {"half_period_cosine", "polynomial", "one_cycle"}
# What --adjust-lr lets differ, and what not even then: one optimizer cannot go on with the state of another.
_ADJUSTABLE = ("SOLVER.", "FINETUNE.", "TEST.")
_NOT_ADJUSTABLE = {"SOLVER.OPTIMIZER"}
_ABSENT = "(not set)"


def compare_configs(saved_text: str, current_text: str, *, follows_metric: bool = False) -> list[tuple[str, Any, Any]]:
    """Returns (key, saved value, current value) of the keys that would make a resumed run another run.

    Compared are MODEL, DATASETS, INPUT, SOLVER, FINETUNE and the loader's sampling of two dumped configs (YAML), and
    TEST where something is learnt from its outcome. MODEL.WEIGHT and how it is read may differ, and what decides only
    when something is written, kept or ended; the length of the run may grow, unless the schedule depends on it. A key
    that did not exist yet when the run was saved had the default of today.

    Args:
        saved_text: the config of the run to continue.
        current_text: the config of this start.
        follows_metric: what is learnt depends on the monitored metric, which may not change then; nor may the way in
            which it is found.
    """
    current, defaults = _flat(current_text), _flat(get_cfg().dump())
    saved = {key: defaults[key] for key in current.keys() & defaults.keys()} | _flat(saved_text)
    free = (_FREE | _FREE_OF_TEST) if follows_metric else _FREE | _METRIC
    if current.get("SOLVER.SCHEDULER") in _METRIC_SCHEDULES:
        free = free - {"SOLVER.EVAL_PERIOD"}
    return [
        (key, saved.get(key, _ABSENT), current.get(key, _ABSENT))
        for key in sorted(saved.keys() | current.keys())
        if saved.get(key, _ABSENT) != current.get(key, _ABSENT)
        and key not in free
        and (follows_metric or not key.startswith("TEST."))
        and not _may_grow(key, saved, current)
    ]


def check_same_run(
    saved_text: str,
    current_text: str,
    source: str | Path,
    *,
    adjust_lr: bool = False,
    follows_metric: bool = False,
) -> None:
    """Refuses to resume a run under another config.

    Args:
        saved_text: the checkpoint's ``config``.
        current_text: the dumped config of this start.
        source: its folder, or the weight file that holds it, for the message.
        adjust_lr: SOLVER and FINETUNE may differ, because rates, schedule and strategy are to come from the current
            config, and TEST; SOLVER.OPTIMIZER may not.
        follows_metric: see :func:`compare_configs`.

    Raises:
        CheckpointError: the configs differ; the message lists the keys and what to do.
    """
    rows = compare_configs(saved_text, current_text, follows_metric=follows_metric)
    differing = [row for row in rows if not (adjust_lr and _is_adjustable(row[0]))]
    if not differing:
        return
    anew = "start a new run in another OUTPUT_DIR"
    if Path(source).is_file():
        anew = "add --transfer to start a new run from its weights alone"
    ways = [anew, "or resume with the saved values"]
    if all(_is_adjustable(key) for key, _, _ in differing):
        ways.insert(0, "add --adjust-lr to go on with the new rates, schedule and fine-tuning")
    raise CheckpointError(
        f"{source} holds a run with another config; resuming it would mix the two:\n"
        f"{format_table(['key', 'saved', 'now'], differing)}\n"
        f"What to do: {', '.join(ways)}."
    )


def _flat(text: str) -> dict[str, Any]:
    content = yaml.safe_load(text) or {}
    loader = content.get("DATALOADER", {})
    chosen = {f"DATALOADER.{key}": loader[key] for key in _OF_LOADER if key in loader}
    return chosen | {
        f"{section}{key}": value for section in _SECTIONS for key, value in _leaves(content.get(section, {}))
    }


def _leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields (".A.B", leaf) of nested mappings; ("", value) of a leaf itself."""
    if not isinstance(value, Mapping):
        yield "", value
        return
    for name, entry in value.items():
        yield from ((f".{name}{key}", leaf) for key, leaf in _leaves(entry))


def _is_adjustable(key: str) -> bool:
    return key.startswith(_ADJUSTABLE) and key not in _NOT_ADJUSTABLE


def _may_grow(key: str, saved: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    if key not in _MAY_GROW or current.get("SOLVER.SCHEDULER") in _WHOLE_RUN_SCHEDULES:
        return False
    before, now = saved.get(key, 0), current.get(key, 0)
    return bool(0 < before <= now)
