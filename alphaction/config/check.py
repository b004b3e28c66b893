"""Rules between configuration values; every broken one is found before any data is opened."""

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

from yacs.config import CfgNode

from alphaction.config.defaults import _C
from alphaction.config.finetune_rules import finetune_problems
from alphaction.config.load import flat_keys
from alphaction.config.renames import rename_problems
from alphaction.config.solver_rules import schedule_problems, solver_problems
from alphaction.utils.errors import ConfigError

_CHOICES = {
    "MODEL.INFLATE": ("", "mean", "centre"),
    "MODEL.INPUT_CHANNELS": ("", "preserve", "repeat"),
    "MODEL.ROI_ACTION_HEAD.POOLER_TYPE": ("align3d", "pooling3d"),
    "MODEL.IA_STRUCTURE.STRUCTURE": ("serial", "dense", "parallel"),
    "MODEL.IA_STRUCTURE.FUSION": ("add", "concat"),
    "MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING": ("none", "inverse_frequency", "given"),
    "DATALOADER.SAMPLING": ("uniform", "repeat_factor", "class_balanced"),
    "DATALOADER.START_METHOD": ("", "fork", "spawn", "forkserver"),
    "SOLVER.WARMUP_METHOD": ("linear", "constant"),
    "SOLVER.AMP": ("off", "bf16", "fp16"),
    "SOLVER.MONITOR_MODE": ("max", "min"),
}
_AT_LEAST_ONE = (
    "INPUT.FRAME_NUM",
    "INPUT.FRAME_SAMPLE_RATE",
    "INPUT.TAU",
    "INPUT.ALPHA",
    "INPUT.MIN_SIZE_TRAIN",
    "INPUT.MAX_SIZE_TRAIN",
    "INPUT.MIN_SIZE_TEST",
    "INPUT.MAX_SIZE_TEST",
    "MODEL.ROI_ACTION_HEAD.NUM_CLASSES",
    "MODEL.ROI_ACTION_HEAD.POOLER_RESOLUTION",
    "MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM",
    "MODEL.ROI_ACTION_HEAD.PROPOSAL_PER_CLIP",
    "SOLVER.MAX_ITER",
    "SOLVER.VIDEOS_PER_BATCH",
    "SOLVER.CHECKPOINT_PERIOD",
    "SOLVER.EVAL_PERIOD",
    "SOLVER.LOG_PERIOD",
    "TEST.VIDEOS_PER_BATCH",
)
_NOT_NEGATIVE = (
    "INPUT.FPS",
    "DATALOADER.NUM_WORKERS",
    "DATALOADER.SIZE_DIVISIBILITY",
    "DATALOADER.MAX_BAD_VIDEOS",
    "DATALOADER.TIMEOUT",
    "SOLVER.MAX_EPOCHS",
    "SOLVER.REFERENCE_VIDEOS_PER_BATCH",
    "SOLVER.BASE_LR",
    "SOLVER.WARMUP_ITERS",
    "SOLVER.CLIP_GRAD_NORM",
    "SOLVER.CHECKPOINTS_KEPT",
)
_BETWEEN_0_AND_1 = (
    "INPUT.FLIP_PROB",
    "DATALOADER.REPEAT_THRESHOLD",
    "TEST.BOX_THRESH",
    "TEST.ACTION_THRESH",
    "MODEL.ROI_ACTION_HEAD.DROPOUT_RATE",
    "MODEL.IA_STRUCTURE.DROPOUT",
)
# Key -> the kind of block that needs it; "" is any.
_INTERACTION_SIZES = {
    "DIM_INNER": "",
    "DIM_OUT": "",
    "MAX_PERSON": "P",
    "MAX_OBJECT": "O",
    "MAX_PER_SEC": "M",
    "MEMORY_RATE": "M",
}
_MOST_PER_SECOND = 255  # a byte counts them
_LONGEST_MEMORY = 3600
_LENGTHS = {
    "INPUT.PIXEL_MEAN": 3,
    "INPUT.PIXEL_STD": 3,
    "INPUT.BOX_JITTER": 4,
    "TEST.EXTEND_SCALE": 2,
    "MODEL.IA_STRUCTURE.LENGTH": 2,
}


def check_cfg(cfg: CfgNode, world_size: int = 1, *, needs: Collection[str] = (), trains: bool = True) -> None:
    """Checks all rules between values.

    Args:
        cfg: the config.
        world_size: number of processes of the run.
        needs: lists of DATASETS that must not be empty.
        trains: False leaves out what matters in training alone.

    Raises:
        ConfigError: one line a problem: key, value, rule, remedy.
    """
    values = flat_keys(cfg)
    problems = rename_problems(values["MODEL.WEIGHT_RENAME"])
    problems += [*_datasets(values, needs), *_ranges(values), *_clip(values), *_classes(values), *_interaction(values)]
    problems += [*solver_problems(values), *(schedule_problems(values) if trains else ())]
    problems += [*finetune_problems(values), *_shares(values, world_size, trains)]
    if problems:
        raise ConfigError("The configuration cannot run:\n" + "\n".join(f"- {line}" for line in problems))


def class_count_keys() -> tuple[str, ...]:
    """Returns the keys that a label file decides: the total and the three groups."""
    head = "MODEL.ROI_ACTION_HEAD."
    groups = ("PERSON_MOVEMENT", "OBJECT_MANIPULATION", "PERSON_INTERACTION")
    return (head + "NUM_CLASSES", *(f"{head}NUM_{group}_CLASSES" for group in groups))


def loss_weight_advice(cfg: CfgNode) -> list[str]:
    """Returns a warning for each loss weight that still counts AVA's classes while the classes are others."""
    head, default = cfg.MODEL.ROI_ACTION_HEAD, _C.MODEL.ROI_ACTION_HEAD
    advice = []
    for group, weight in (("OBJECT_MANIPULATION", "OBJECT"), ("PERSON_INTERACTION", "PERSON")):
        count, key = head[f"NUM_{group}_CLASSES"], f"{weight}_LOSS_WEIGHT"
        if 0 < count != default[f"NUM_{group}_CLASSES"] and head[key] == default[key]:
            advice.append(
                f"MODEL.ROI_ACTION_HEAD.{key} is {head[key]:g}, AVA's number of classes in this group, and the "
                f"data set has {count}: {key} {count} gives each class the weight it has on AVA."
            )
    return advice


def _datasets(values: dict[str, Any], needs: Collection[str]) -> Iterator[str]:
    hint = {"TEST": "; or train with --skip-val-in-train --skip-final-test"}
    for name in needs:
        if not values[f"DATASETS.{name}"]:
            yield (
                f"DATASETS.{name} is empty: give a name of the catalog or the path of a data set YAML file"
                f"{hint.get(name, '')}."
            )


def _ranges(values: dict[str, Any]) -> Iterator[str]:
    for key, allowed in _CHOICES.items():
        if values[key] not in allowed:
            listed = ", ".join(choice or '""' for choice in allowed)
            yield f'{key} is "{values[key]}"; choose one of {listed}.'
    for key in _AT_LEAST_ONE:
        if not values[key] >= 1:
            yield f"{key} is {values[key]}; it must be at least 1."
    for key in _NOT_NEGATIVE:
        if not 0 <= values[key] < math.inf:
            yield f"{key} is {values[key]}; it must not be negative, and a number."
    for key in _BETWEEN_0_AND_1:
        if not 0 <= values[key] <= 1:
            yield f"{key} is {values[key]}; it must lie between 0 and 1."
    for key, length in _LENGTHS.items():
        if len(values[key]) != length:
            yield f"{key} is {values[key]}; it takes {length} numbers."
    if min(values["INPUT.PIXEL_STD"], default=0) <= 0:
        yield f"INPUT.PIXEL_STD is {values['INPUT.PIXEL_STD']}; each value must be above 0."


def _clip(values: dict[str, Any]) -> Iterator[str]:
    frames, tau, alpha = (values[f"INPUT.{name}"] for name in ("FRAME_NUM", "TAU", "ALPHA"))
    if min(frames, tau, alpha) < 1:
        return
    if frames % tau:
        yield f"INPUT.FRAME_NUM {frames} is not a multiple of INPUT.TAU {tau}; the slow pathway takes every TAU-th."
    if tau % alpha:
        yield f"INPUT.TAU {tau} is not a multiple of INPUT.ALPHA {alpha}; the fast pathway takes every TAU/ALPHA-th."
    for phase in ("TRAIN", "TEST"):
        low, high = values[f"INPUT.MIN_SIZE_{phase}"], values[f"INPUT.MAX_SIZE_{phase}"]
        if low > high:
            yield f"INPUT.MIN_SIZE_{phase} {low} is above INPUT.MAX_SIZE_{phase} {high}; raise the second."


def _classes(values: dict[str, Any]) -> Iterator[str]:
    total, *groups = (values[key] for key in class_count_keys())
    if sum(groups) != total or min(groups) < 0:
        yield (
            f"MODEL.ROI_ACTION_HEAD.NUM_CLASSES is {total}, but its groups (NUM_PERSON_MOVEMENT_CLASSES, "
            f"NUM_OBJECT_MANIPULATION_CLASSES, NUM_PERSON_INTERACTION_CLASSES) are "
            f"{' + '.join(map(str, groups))} = {sum(groups)}; set all four. For {total} classes that may occur "
            f"together: 0, {total}, 0; for exactly one class a person: {total}, 0, 0."
        )
    yield from _class_weights(values)


def _class_weights(values: dict[str, Any]) -> Iterator[str]:
    kind, weights = (values[f"MODEL.ROI_ACTION_HEAD.CLASS_{name}"] for name in ("WEIGHTING", "WEIGHTS"))
    if kind != "given" and tuple(weights) != _C.MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS:
        yield (
            f"MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS is {tuple(weights)}, which nobody reads while CLASS_WEIGHTING is "
            f'"{kind}"; set CLASS_WEIGHTING "given", or leave CLASS_WEIGHTS out.'
        )
    if not all(0 <= weight < math.inf for weight in weights):
        yield f"MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS is {tuple(weights)}; it takes numbers that are not negative."


def _shares(values: dict[str, Any], world_size: int, trains: bool) -> Iterator[str]:
    for key in ("SOLVER.VIDEOS_PER_BATCH", "TEST.VIDEOS_PER_BATCH")[0 if trains else 1 :]:
        if values[key] % world_size:
            yield (
                f"{key} is {values[key]}, the number over all processes, and does not divide by the "
                f"{world_size} processes; use a multiple of {world_size}."
            )


def _interaction(values: dict[str, Any]) -> Iterator[str]:
    blocks = values["MODEL.IA_STRUCTURE.I_BLOCK_LIST"]
    parallel = values["MODEL.IA_STRUCTURE.STRUCTURE"] == "parallel"
    if not values["MODEL.IA_STRUCTURE.ACTIVE"]:
        return
    if any(isinstance(block, list | tuple) != parallel for block in blocks):
        wanted = "a list of lists such as [['P','O','M'],['P','O','M']]" if parallel else "a flat list of P, O, M"
        yield f"MODEL.IA_STRUCTURE.I_BLOCK_LIST is {blocks}; this STRUCTURE takes {wanted}."
        return
    flat: Sequence[Any] = [name for layer in blocks for name in layer] if parallel else blocks
    unknown = sorted({str(name) for name in flat} - {"P", "O", "M"})
    if unknown or not flat:
        yield f"MODEL.IA_STRUCTURE.I_BLOCK_LIST is {blocks}; use P, O and M, at least one."
    if parallel and not all(blocks):
        yield f"MODEL.IA_STRUCTURE.I_BLOCK_LIST is {blocks}; a layer without blocks gives nothing: leave it out."
    if parallel and any(len(later) > len(layer) for layer, later in pairwise(blocks)):
        yield (
            f"MODEL.IA_STRUCTURE.I_BLOCK_LIST is {blocks}; a block takes the output at its place in the layer "
            "before, so no layer of a parallel structure may have more blocks than the one before."
        )
    for key, needs in _INTERACTION_SIZES.items():
        if (needs == "" or needs in flat) and not values[f"MODEL.IA_STRUCTURE.{key}"] >= 1:
            because = f" for the {needs} blocks of I_BLOCK_LIST" if needs else ""
            yield f"MODEL.IA_STRUCTURE.{key} is {values[f'MODEL.IA_STRUCTURE.{key}']}; it must be at least 1{because}."
    for key, most in (("MAX_PER_SEC", _MOST_PER_SECOND), ("LENGTH", _LONGEST_MEMORY)):
        given = values[f"MODEL.IA_STRUCTURE.{key}"]
        if max(given if isinstance(given, list | tuple) else [given], default=0) > most:
            yield f"MODEL.IA_STRUCTURE.{key} is {given}; the most is {most}."
    if min(values["MODEL.IA_STRUCTURE.LENGTH"], default=0) < 0:
        yield f"MODEL.IA_STRUCTURE.LENGTH is {values['MODEL.IA_STRUCTURE.LENGTH']}; neither number may be negative."
    if values["MODEL.IA_STRUCTURE.CONV_INIT_STD"] < 0:
        yield f"MODEL.IA_STRUCTURE.CONV_INIT_STD is {values['MODEL.IA_STRUCTURE.CONV_INIT_STD']}; use 0 or more."
