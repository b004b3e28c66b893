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
_LENGTHS = (
    "SOLVER.MAX_ITER",
    "SOLVER.STEPS",
    "SOLVER.WARMUP_ITERS",
    "SOLVER.DECAY_ITERS",
    "SOLVER.CHECKPOINT_PERIOD",
    "SOLVER.EVAL_PERIOD",
    "FINETUNE.EPOCH_ITERS",
)
_INITIAL_LR = "FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR"  # the one rate besides BASE_LR that is no factor on it
_ALWAYS_SHOWN = ("SOLVER.REFERENCE_VIDEOS_PER_BATCH", "SOLVER.VIDEOS_PER_BATCH", "SOLVER.BASE_LR")


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
    """Returns the scaled config; of what is scaled, a key that was typed is meant as typed."""
    ratio = cfg.SOLVER.VIDEOS_PER_BATCH / cfg.SOLVER.REFERENCE_VIDEOS_PER_BATCH
    scaled = cfg.clone()
    scaled.SOLVER.BASE_LR = cfg.SOLVER.BASE_LR * ratio
    if _INITIAL_LR not in typed_keys:
        scaled.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR = cfg.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR * ratio
    for key in _LENGTHS:
        if key in typed_keys:
            continue
        section, name = key.split(".")
        value = cfg[section][name]
        is_list = isinstance(value, tuple)
        scaled[section][name] = tuple(_divided(entry, ratio) for entry in value) if is_list else _divided(value, ratio)
    return scaled


def _divided(length: int, ratio: float) -> int:
    return max(1, round(length / ratio)) if length else 0


def _table(before: CfgNode, after: CfgNode, last_column: str) -> str:
    old, new = flat_keys(before), flat_keys(after)
    shown = [*_ALWAYS_SHOWN, *(key for key in (_INITIAL_LR, *_LENGTHS) if old[key])]
    return format_table(("key", "given", last_column), [(key, str(old[key]), str(new[key])) for key in shown])
