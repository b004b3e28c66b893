"""Weights into a model, all or nothing."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.checkpoint.class_rows import ClassRows
from alphaction.checkpoint.conversion import Conversion, ShapeRules, find_conversion
from alphaction.checkpoint.matching import Convert, match
from alphaction.checkpoint.reading import read_tensors
from alphaction.checkpoint.renaming import RenameRules, rename_keys
from alphaction.checkpoint.report import ClassReport, LoadReport, Shape, Units, has_prefix
from alphaction.utils.errors import CheckpointError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportRules:
    """How a file that was not made for exactly this model is read.

    Attributes:
        renames: (regular expression, replacement) pairs for the file's keys.
        shapes: which conversions of shapes are allowed.
        class_rows: the head's rows by class name; None leaves them where they are.
    """

    renames: RenameRules = ()
    shapes: ShapeRules = field(default_factory=ShapeRules)
    class_rows: ClassRows | None = None


def build_import_rules(cfg: CfgNode) -> ImportRules:
    """Returns what MODEL.WEIGHT_RENAME, INFLATE and INPUT_CHANNELS say."""
    return ImportRules(cfg.MODEL.WEIGHT_RENAME, ShapeRules(cfg.MODEL.INFLATE, cfg.MODEL.INPUT_CHANNELS))


def load_weights(
    model: nn.Module,
    path: str | Path,
    *,
    head_prefixes: Collection[str] = (),
    no_head: bool = False,
    units: Units = (),
    required_units: Collection[str] | None = None,
    rules: ImportRules | None = None,
    check: Callable[[LoadReport], None] = lambda report: None,
) -> LoadReport:
    """Loads what fits of a weight file into ``model``, logs and returns the report.

    Args:
        model: is changed only if nothing is raised.
        path: a .pth, .pt, .pkl or .safetensors file; see :func:`~alphaction.checkpoint.reading.read_tensors`.
        head_prefixes: names of the modules that make up the head.
        no_head: leave out the head, the file's and the model's.
        units: (name, module names) of the model's parts from input to head.
        required_units: names of the units that must load completely. None requires all outside the head: a new head
            may stay as it was initialised. A test of a trained model requires every unit.
        rules: how the file's tensors are renamed and converted; None takes them as they are.
        check: called with the report before anything is changed; may raise.

    Raises:
        CheckpointError: unreadable file, ambiguous keys, nothing fits, or a required unit is not complete.
        ConfigError: a rename rule is no pair of an expression and a replacement.
    """
    rules = rules or ImportRules()
    tensors, not_tensors = read_tensors(path)
    targets = _tensors_of(model)
    convert = _converter(rules, targets, units)
    try:
        renamed = rename_keys(tensors, rules.renames)
        tensors = {renamed.names[key]: value for key, value in tensors.items()}
        found = match(
            _shapes(tensors),
            _shapes(targets),
            head_prefixes=head_prefixes,
            no_head=no_head,
            units=units,
            convert=convert,
        )
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit this model. {error}") from None
    report = replace(
        found,
        skipped=found.skipped + not_tensors,
        renamed=renamed.changed,
        idle_renames=renamed.idle,
        classes=_class_report(found, rules.class_rows),
    )
    if required_units is None:
        required_units = [
            name for name, prefixes in units if not all(has_prefix(prefix, head_prefixes) for prefix in prefixes)
        ]
    _check_fit(report, path, required_units)
    check(report)
    _copy(model, {key: _converted(key, tensors[file_key], targets[key], convert) for key, file_key in report.loaded})
    logger.info("Weights of %s:\n%s", path, report.table())
    return report


def restore_model(model: nn.Module, state: Mapping[str, Any], *, source: str | Path, units: Units = ()) -> LoadReport:
    """Loads the model part of a checkpoint of this program; every tensor must be there, by name, and fit.

    Args:
        model: is changed only if nothing is raised.
        state: the checkpoint's ``model``.
        source: where it comes from, for the message.
        units: the model's parts, for the report.

    Raises:
        CheckpointError: the checkpoint is of another architecture; the message holds the report.
    """
    targets = _tensors_of(model)
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    report = _match_names(_shapes(tensors), _shapes(targets), units)
    if not report.is_exact:
        raise CheckpointError(
            f"{source} was saved by a model of another architecture, so the run cannot go on from it.\n"
            f"{report.table()}\n"
            "Resume with the model settings of that run (its config.yaml), or start a new run in another OUTPUT_DIR; "
            "MODEL.WEIGHT with --transfer takes over the weights that fit."
        )
    _copy(model, tensors)
    return report


def _converter(rules: ImportRules, targets: Mapping[str, Tensor], units: Units) -> Convert:
    """Returns how single tensors of a file become those of the model."""
    first_unit = units[0][1] if units else ()
    first_convs = {key for key in targets if first_unit and has_prefix(key, first_unit)}
    rows = rules.class_rows

    def convert(key: str, file_shape: Shape, model_shape: Shape) -> Conversion | None:
        if rows and key in rows.keys:
            return rows.conversion(key, file_shape, model_shape)
        if file_shape == model_shape:
            return None
        return find_conversion(file_shape, model_shape, rules.shapes, is_first_conv=key in first_convs)

    return convert


@torch.no_grad()
def _converted(key: str, value: Tensor, target: Tensor, convert: Convert) -> Tensor:
    conversion = convert(key, tuple(value.shape), tuple(target.shape))
    return value if conversion is None else conversion.apply(value, target)


def _class_report(report: LoadReport, rows: ClassRows | None) -> ClassReport | None:
    """Returns what came over by class name; None where the file has no such tensor after all."""
    if rows is None or not any(key in rows.keys for key, _ in report.loaded):
        return None
    return rows.report()


def _match_names(file_shapes: Mapping[str, Shape], model_shapes: Mapping[str, Shape], units: Units) -> LoadReport:
    shared = [key for key in model_shapes if key in file_shapes]
    return LoadReport(
        loaded=tuple((key, key) for key in shared if file_shapes[key] == model_shapes[key]),
        missing=tuple(key for key in model_shapes if key not in file_shapes),
        unexpected=tuple(key for key in file_shapes if key not in model_shapes),
        wrong_shape=tuple(
            (key, file_shapes[key], model_shapes[key]) for key in shared if file_shapes[key] != model_shapes[key]
        ),
        units=tuple((name, tuple(prefixes)) for name, prefixes in units),
    )


def _check_fit(report: LoadReport, path: str | Path, required: Collection[str]) -> None:
    lacking = [name for name in report.incomplete_units() if name in required]
    if not report.loaded:
        problem = "none of its tensors fits"
    elif lacking:
        problem = f"it does not fill {', '.join(lacking)} completely"
    else:
        return
    raise CheckpointError(
        f"{path} does not fit this model: {problem}. Nothing was loaded.\n{report.table()}\n"
        "Choose the config these weights were made with (MODEL.BACKBONE.CONV_BODY and the keys beside it), or the "
        'weights that belong to this config; MODEL.WEIGHT "" starts without any. Other names and shapes of the same '
        "network: MODEL.WEIGHT_RENAME, MODEL.INFLATE, MODEL.INPUT_CHANNELS."
    )


def _tensors_of(model: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {key: tuple(value.shape) for key, value in tensors.items()}


@torch.no_grad()
def _copy(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Copies ``values`` over the model's tensors of the same names; all are converted before the first is copied."""
    targets = _tensors_of(model)
    converted = {key: value.to(targets[key].device, targets[key].dtype) for key, value in values.items()}
    for key, value in converted.items():
        targets[key].copy_(value)
