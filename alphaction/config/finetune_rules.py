"""Rules between the values of FINETUNE."""

import math
from collections.abc import Iterator
from typing import Any

_NORM_MODES = ("eval", "batch", "track", "affine", "train")
_CHOICES = {
    "RESTART_SCHEDULE": ("none", "released", "all"),
    "BN_OF_FROZEN": _NORM_MODES,
    "BN_OF_TRAINED": _NORM_MODES,
    "EARLY_GRADUAL.TARGET_MODE": ("reach", "not_exceed", "closest"),
    "BACKBONE_AT_EPOCH.LR": ("rule", "schedule"),
}
_ABOVE_0 = (
    "HEAD_LR_FACTOR",
    "BACKBONE_LR_FACTOR",
    "LAYER_LR_DECAY",
    "FIXED.PHASE2_BACKBONE_LR_SCALE_FACTOR",
    "FIXED.PHASE2_HEAD_LR_RATIO",
    "FIXED.PHASE1_PLATEAU_FACTOR",
    "BACKBONE_AT_EPOCH.INITIAL_RATIO_LR",
    "BACKBONE_AT_EPOCH.MULTIPLIER",
)
_AT_LEAST = {
    "EPOCH_ITERS": 0,
    "FIXED.PHASE1_EPOCHS": 1,
    "FIXED.PHASE2_EPOCHS": 0,
    "FIXED.UNFREEZE_BLOCKS": 1,
    "FIXED.PHASE1_PLATEAU_PATIENCE": -1,
    "PROGRESSIVE.EVERY_N_EPOCHS": 1,
    "PROGRESSIVE.MAX_UNITS": 0,
    "EARLY_GRADUAL.FREEZE_EPOCHS": 0,
    "EARLY_GRADUAL.BLOCKS_PER_EPOCH": 1,
    "ADAPTIVE.PATIENCE": 1,
    "ADAPTIVE.MIN_IMPROVEMENT": 0,
    "ADAPTIVE.FIRST_EPOCH": 0,
    "ADAPTIVE.MAX_UNITS": 0,
    "BACKBONE_AT_EPOCH.EPOCH": 0,
    "BACKBONE_AT_EPOCH.INITIAL_LR": 0,
}
_PHASE_TYPES: dict[str, tuple[type, ...]] = {
    "epochs": (int,),
    "train": (list, tuple),
    "lr_factor": (int, float),
    "unit_lr_factors": (list, tuple),
    "restart": (bool,),
}


def finetune_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yields one line for each value that cannot be used.

    Args:
        values: of the whole config, by dotted key.
    """
    for key, choices in _CHOICES.items():
        if values[f"FINETUNE.{key}"] not in choices:
            yield f'FINETUNE.{key} is "{values[f"FINETUNE.{key}"]}"; choose one of {", ".join(choices)}.'
    for key in _ABOVE_0:
        if not 0 < values[f"FINETUNE.{key}"] < math.inf:
            yield f"FINETUNE.{key} is {values[f'FINETUNE.{key}']}; it must be above 0, and a number."
    for key, least in _AT_LEAST.items():
        if not least <= values[f"FINETUNE.{key}"] < math.inf:
            yield f"FINETUNE.{key} is {values[f'FINETUNE.{key}']}; it must be at least {least}."
    if not 0 <= values["FINETUNE.EARLY_GRADUAL.TARGET_RATIO"] <= 1:
        ratio = values["FINETUNE.EARLY_GRADUAL.TARGET_RATIO"]
        yield f"FINETUNE.EARLY_GRADUAL.TARGET_RATIO is {ratio}; it must lie between 0 and 1."
    if values["FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR"] and not values["SOLVER.BASE_LR"]:
        yield "FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR needs a SOLVER.BASE_LR above 0, which all rates are multiples of."
    epochs = values["FINETUNE.PROGRESSIVE.EPOCHS"]
    if not all(type(epoch) is int and epoch >= 0 for epoch in epochs):
        yield f"FINETUNE.PROGRESSIVE.EPOCHS is {epochs}; it takes epochs, counted from 0: [2, 5, 9]."
    for key in ("FINETUNE.STATIC.TRAIN", "FINETUNE.BACKBONE_AT_EPOCH.UNITS"):
        yield from _name_problems(key, values[key])
    yield from _factor_problems("FINETUNE.UNIT_LR_FACTORS", values["FINETUNE.UNIT_LR_FACTORS"])
    if values["FINETUNE.STRATEGY"] == "phases":
        yield from _phase_problems(values["FINETUNE.PHASES"])


def _name_problems(key: str, names: Any) -> Iterator[str]:
    for name in names:
        if not isinstance(name, str):
            yield f'{key} has the entry {name!r}; it takes names of units or layers: ["layer4", "head"].'


def _factor_problems(key: str, pairs: Any) -> Iterator[str]:
    seen = set()
    for pair in pairs:
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
        if not (is_pair and type(pair[1]) in (int, float) and 0 < pair[1] < math.inf):
            yield f'{key} has the entry {pair!r}; an entry is a unit or layer and a factor above 0: ["layer4", 0.5].'
        elif pair[0] in seen:
            yield f'{key} names "{pair[0]}" twice, and factors multiply; keep one of the two entries.'
        else:
            seen.add(pair[0])


def _phase_problems(phases: Any) -> Iterator[str]:
    if not phases:
        yield (
            'FINETUNE.STRATEGY is "phases" and FINETUNE.PHASES lists none: [{"epochs": 10, "train": ["head"]}, '
            '{"epochs": 0, "train": ["all"], "lr_factor": 0.1}].'
        )
    for index, phase in enumerate(phases):
        where = f"FINETUNE.PHASES[{index}]"
        if not isinstance(phase, dict) or not {"epochs", "train"} <= phase.keys():
            yield f'{where} is {phase!r}; it takes at least "epochs" and "train".'
            continue
        yield from _entry_problems(where, phase)
        is_last = index == len(phases) - 1
        if isinstance(phase["epochs"], int) and phase["epochs"] < (0 if is_last else 1):
            yield f"{where}.epochs is {phase['epochs']}; only the last phase may have 0, which lasts to the end."


def _entry_problems(where: str, phase: dict[str, Any]) -> Iterator[str]:
    for name, value in phase.items():
        types = _PHASE_TYPES.get(name)
        if types is None:
            yield f'{where} has the unknown key "{name}"; it takes {", ".join(_PHASE_TYPES)}.'
        elif not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{where}.{name} is {value!r}; it takes {' or '.join(kind.__name__ for kind in types)}."
    if isinstance(phase.get("lr_factor", 1.0), int | float) and not 0 < phase.get("lr_factor", 1.0) < math.inf:
        yield f"{where}.lr_factor is {phase['lr_factor']}; it must be above 0, and a number."
    if isinstance(phase.get("train"), list | tuple):
        yield from _name_problems(f"{where}.train", phase["train"])
    if isinstance(phase.get("unit_lr_factors", []), list | tuple):
        yield from _factor_problems(f"{where}.unit_lr_factors", phase.get("unit_lr_factors", []))
