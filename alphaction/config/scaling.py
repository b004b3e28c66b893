"""The linear scaling rule: rates follow the batch, lengths go the other way.

"When the minibatch size is multiplied by k, multiply the learning rate by k": Goyal et al., Accurate, Large Minibatch
SGD, 2017. Lengths counted in iterations are divided by k, so that training sees the same number of clips.
"""

from collections.abc import Collection

from yacs.config import CfgNode

from alphaction.config.load import flat_keys
from alphaction.utils.logger import format_table

# Typing one of these says that the schedule is meant as typed.
TYPED_SCHEDULE_KEYS = ("SOLVER.BASE_LR", "SOLVER.MAX_ITER", "SOLVER.STEPS", "SOLVER.WARMUP_ITERS")
_LENGTHS = ("MAX_ITER", "STEPS", "WARMUP_ITERS", "CHECKPOINT_PERIOD", "EVAL_PERIOD")
_REPORTED = ("REFERENCE_VIDEOS_PER_BATCH", "VIDEOS_PER_BATCH", "BASE_LR", *_LENGTHS)


def scale_schedule(cfg: CfgNode, typed_keys: Collection[str] = ()) -> CfgNode:
    """Returns the config scaled from REFERENCE_VIDEOS_PER_BATCH to VIDEOS_PER_BATCH; applying it twice changes nothing.

    Args:
        cfg: config with ``SOLVER.REFERENCE_VIDEOS_PER_BATCH``; 0 leaves everything as it is.
        typed_keys: keys given on the command line; any of ``TYPED_SCHEDULE_KEYS`` among them switches the rule off.
    """
    if not cfg.SOLVER.REFERENCE_VIDEOS_PER_BATCH:
        return cfg
    scaled = cfg if is_typed(typed_keys) else _by_rule(cfg, typed_keys)
    scaled = scaled.clone()
    scaled.SOLVER.REFERENCE_VIDEOS_PER_BATCH = scaled.SOLVER.VIDEOS_PER_BATCH
    return scaled


def describe_scaling(before: CfgNode, after: CfgNode, typed_keys: Collection[str] = ()) -> str:
    """Returns a sentence and the table of schedule values before and after; "" when there was nothing to scale."""
    reference, batch = before.SOLVER.REFERENCE_VIDEOS_PER_BATCH, before.SOLVER.VIDEOS_PER_BATCH
    if reference in (0, batch):
        return ""
    if is_typed(typed_keys):
        named = ", ".join(key for key in TYPED_SCHEDULE_KEYS if key in typed_keys)
        sentence = f"Linear scaling is off because {named} is given; the rule would have set the last column."
        return f"{sentence}\n{_table(before, _by_rule(before, typed_keys), 'by the rule')}"
    sentence = f"Linear scaling from {reference} to {batch} clips per batch (factor {batch / reference:g})."
    return f"{sentence}\n{_table(before, after, 'in force')}"


def is_typed(typed_keys: Collection[str]) -> bool:
    """Returns whether the schedule was given by hand."""
    return any(key in typed_keys for key in TYPED_SCHEDULE_KEYS)


def _by_rule(cfg: CfgNode, typed_keys: Collection[str]) -> CfgNode:
    """Returns the scaled config; a period that was typed is meant as typed."""
    ratio = cfg.SOLVER.VIDEOS_PER_BATCH / cfg.SOLVER.REFERENCE_VIDEOS_PER_BATCH
    scaled = cfg.clone()
    scaled.SOLVER.BASE_LR = cfg.SOLVER.BASE_LR * ratio
    for name in _LENGTHS:
        if f"SOLVER.{name}" in typed_keys:
            continue
        value = cfg.SOLVER[name]
        is_list = isinstance(value, tuple)
        scaled.SOLVER[name] = tuple(_divided(entry, ratio) for entry in value) if is_list else _divided(value, ratio)
    return scaled


def _divided(length: int, ratio: float) -> int:
    return max(1, round(length / ratio)) if length else 0


def _table(before: CfgNode, after: CfgNode, last_column: str) -> str:
    old, new = flat_keys(before), flat_keys(after)
    rows = [(f"SOLVER.{name}", str(old[f"SOLVER.{name}"]), str(new[f"SOLVER.{name}"])) for name in _REPORTED]
    return format_table(("key", "given", last_column), rows)
