"""Where a run begins: from its own checkpoint, from a weight file, or from random weights."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn
from yacs.config import CfgNode

from alphaction.checkpoint import (
    Checkpointer,
    ImportRules,
    LoadReport,
    build_import_rules,
    check_same_run,
    load_weights,
    restore_model,
)
from alphaction.checkpoint.checkpointer import PARTS, WEIGHT_PARTS
from alphaction.checkpoint.class_rows import ClassRows, pair_class_rows
from alphaction.checkpoint.reading import MEAN, has_mean, read_file
from alphaction.engine.flags import Flags
from alphaction.engine.monitor import learning_follows_metric
from alphaction.structures.labels import load_label_map
from alphaction.tasks.base import Task
from alphaction.utils.errors import CheckpointError

logger = logging.getLogger(__name__)


def find_run(cfg: CfgNode, flags: Flags, checkpointer: Checkpointer) -> tuple[dict[str, Any] | None, Path]:
    """Returns the parts of the run to continue, or None to begin a new one, and the folder they are in.

    A run in OUTPUT_DIR goes first. Else MODEL.WEIGHT may hold a whole run, which is continued unless ``--transfer``
    or ``--no-head`` asks for its weights only.

    Raises:
        CheckpointError: the run was started with another config, or its training state is of another program.
    """
    parts, source, folder = checkpointer.load_last(), str(checkpointer.output_dir), checkpointer.output_dir
    if parts is not None:
        ignored = [flag for flag, given in (("--transfer", flags.transfer), ("--no-head", flags.no_head)) if given]
        if ignored:
            logger.info("%s have no effect: the run in %s is resumed whole.", " and ".join(ignored), source)
    elif cfg.MODEL.WEIGHT and not (flags.transfer or flags.no_head):
        parts, source, folder = _run_in(cfg.MODEL.WEIGHT), cfg.MODEL.WEIGHT, Path(cfg.MODEL.WEIGHT).parent
    if parts is not None:
        follows_metric = learning_follows_metric(cfg)
        check_same_run(parts["config"], cfg.dump(), source, adjust_lr=flags.adjust_lr, follows_metric=follows_metric)
        logger.info("Continuing %s after %d iterations.", source, parts["iteration"])
    return parts, folder


def load_start(
    cfg: CfgNode, flags: Flags, task: Task, model: nn.Module, parts: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """Fills the model from the run to continue, or from MODEL.WEIGHT, or leaves it as it was initialised.

    Returns:
        The names of the units of which something was left as it was initialised.

    Raises:
        CheckpointError: the weights do not fit; the message holds the report and the model is unchanged.
    """
    if parts is not None:
        task.load_state_dict(parts["task"])
        restore_model(model, parts["model"], source="The checkpoint", units=_units(task, model))
        return ()
    if cfg.MODEL.WEIGHT:
        saved = None if flags.no_head else _listed_classes(cfg) or _classes_in(read_file(Path(cfg.MODEL.WEIGHT)))
        rows = None if saved is None else _rows_of_classes(saved, cfg, flags, task, model)
        report = load_weights(
            model,
            cfg.MODEL.WEIGHT,
            head_prefixes=task.head_prefixes(model),
            no_head=flags.no_head,
            units=_units(task, model),
            rules=replace(build_import_rules(cfg), class_rows=rows),
            check=lambda report: _refuse_other_head(report, cfg.MODEL.WEIGHT),
        )
        if saved is None and {key for key, _ in report.loaded}.intersection(task.class_rows(model)):
            logger.warning(
                "%s does not say which classes its head has, so its rows were taken by position. MODEL.WEIGHT_LABELS, "
                "the label file of these weights, compares the classes by name.",
                cfg.MODEL.WEIGHT,
            )
        return tuple(report.incomplete_units())
    logger.info("MODEL.WEIGHT is empty: training starts from random weights.")
    return tuple(name for name, _ in _units(task, model))


def load_for_test(cfg: CfgNode, task: Task, model: nn.Module, *, is_typed: bool) -> Path:
    """Fills every tensor of the model and returns the file they came from.

    MODEL.WEIGHT given on the command line goes first, then the last checkpoint in OUTPUT_DIR, then the config's
    MODEL.WEIGHT.

    Raises:
        CheckpointError: there is no file, or it does not fill the model.
    """
    checkpointer = Checkpointer(cfg.OUTPUT_DIR)
    if not is_typed and (parts := checkpointer.load_last()) is not None:
        task.load_state_dict(parts["task"])
        weights, mean = (MEAN, ", with the running mean of its weights") if has_mean(parts) else ("model", "")
        restore_model(model, parts[weights], source=cfg.OUTPUT_DIR, units=_units(task, model))
        logger.info("Testing the run in %s after %d iterations%s.", cfg.OUTPUT_DIR, parts["iteration"], mean)
        return Path(cfg.OUTPUT_DIR)
    if not cfg.MODEL.WEIGHT:
        raise CheckpointError(
            f"Nothing to test: {cfg.OUTPUT_DIR} holds no checkpoint and MODEL.WEIGHT is empty. Train first, or give "
            "MODEL.WEIGHT a file."
        )
    path = Path(cfg.MODEL.WEIGHT)
    content = read_file(path)
    # The keys on foreign weights stay in the config of a run that began with some; a file of ours knows better.
    if (saved := _classes_in(content) or _listed_classes(cfg)) is not None:
        task.load_state_dict(saved)
    is_ours = all(part in content for part in WEIGHT_PARTS)
    units = _units(task, model)
    rules = ImportRules() if is_ours else build_import_rules(cfg)
    load_weights(model, path, units=units, required_units=[name for name, _ in units], rules=rules)
    return path


def _rows_of_classes(
    saved: dict[str, Any], cfg: CfgNode, flags: Flags, task: Task, model: nn.Module
) -> ClassRows | None:
    """Returns how the head's rows come over by class name; None where the classes are the same.

    Raises:
        UserError: the classes are others and ``--transfer`` is not given, or no row can be taken over.
    """
    if not flags.transfer:
        task.load_state_dict(saved)
    if list(saved["class_names"]) == list(task.labels.names):
        return None
    try:
        return pair_class_rows(task.class_rows(model), task.labels.names, saved["class_names"])
    except CheckpointError as error:
        raise CheckpointError(f"The head in {cfg.MODEL.WEIGHT} does not fit this run. {error}") from None


def _classes_in(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns what a file says about the classes of its weights, as a task's state has it."""
    saved = content.get("task")
    return saved if isinstance(saved, dict) and {"class_ids", "class_names"} <= saved.keys() else None


def _listed_classes(cfg: CfgNode) -> dict[str, Any] | None:
    """Returns what MODEL.WEIGHT_LABELS says about them."""
    if not cfg.MODEL.WEIGHT_LABELS:
        return None
    labels = load_label_map(cfg.MODEL.WEIGHT_LABELS)
    return {"class_ids": list(labels.ids), "class_names": list(labels.names)}


def _run_in(path: str) -> dict[str, Any] | None:
    """Returns the run a weight file holds, None when it holds weights alone."""
    content = read_file(Path(path))
    if "optimizer" not in content:
        return None
    if all(part in content for part in PARTS):
        return content
    raise CheckpointError(
        f"{path} holds a training state of another program beside its weights, which cannot be continued exactly. "
        "Add --transfer to start a new run from its weights."
    )


def _refuse_other_head(report: LoadReport, path: str) -> None:
    if report.wrong_shape:
        shapes = "; ".join(f"{key}: file {file}, model {model}" for key, file, model in report.wrong_shape)
        raise CheckpointError(
            f"The head in {path} has other shapes than this model's: {shapes}. Add --no-head to leave the file's head "
            "out and train a new one, or set the number of classes and MODEL.IA_STRUCTURE as they were. With "
            "--transfer and MODEL.WEIGHT_LABELS, their label file, rows of the same class name are taken over."
        )


def _units(task: Task, model: nn.Module) -> list[tuple[str, tuple[str, ...]]]:
    return [(unit.name, tuple(unit.modules)) for unit in task.stages(model)]
