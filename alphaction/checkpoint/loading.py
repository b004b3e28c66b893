"""Weights into a model, all or nothing."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from alphaction.checkpoint.matching import match
from alphaction.checkpoint.reading import read_tensors
from alphaction.checkpoint.report import LoadReport, Shape, Units, has_prefix
from alphaction.utils.errors import CheckpointError

logger = logging.getLogger(__name__)


def load_weights(
    model: nn.Module,
    path: str | Path,
    *,
    head_prefixes: Collection[str] = (),
    no_head: bool = False,
    units: Units = (),
    required_units: Collection[str] | None = None,
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

    Raises:
        CheckpointError: unreadable file, ambiguous keys, nothing fits, or a required unit is not complete.
    """
    tensors, not_tensors = read_tensors(path)
    try:
        report = match(
            _shapes(tensors), _shapes(_tensors_of(model)), head_prefixes=head_prefixes, no_head=no_head, units=units
        )
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit this model. {error}") from None
    report = replace(report, skipped=report.skipped + not_tensors)
    if required_units is None:
        required_units = [
            name for name, prefixes in units if not all(has_prefix(prefix, head_prefixes) for prefix in prefixes)
        ]
    _check_fit(report, path, required_units)
    _copy(model, {key: tensors[file_key] for key, file_key in report.loaded})
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
        'weights that belong to this config; MODEL.WEIGHT "" starts without any.'
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
