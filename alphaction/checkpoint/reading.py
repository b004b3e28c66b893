"""Tensors out of a file, and nothing that the file could make us run."""

import logging
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from alphaction.utils.errors import CheckpointError
from alphaction.utils.published import find_weights

logger = logging.getLogger(__name__)

# Where programs of this field put the weights inside what they save; a file may also be the bare dictionary.
_CONTAINERS = ("model", "state_dict", "model_state")
# The part of a checkpoint with the running mean of the weights (SOLVER.EMA_DECAY), by the names of ``model``.
MEAN = "ema"

# Classes that AlphAction pickled beside its weights (features of persons). They are never imported: a name in this
# list becomes an empty shell, so that the weights around it can be read.
_SHELLS = (
    "alphaction.structures.memory_pool.MemoryPool",
    "alphaction.structures.bounding_box.BoxList",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "builtins.dict",
    "builtins.list",
    "builtins.int",
    "builtins.float",
)


class _Shell:
    """Stands for an object of a class in ``_SHELLS``; takes anything and keeps nothing."""

    def __new__(cls, *values: Any) -> "_Shell":
        return super().__new__(cls)

    def __init__(self, *values: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _plain_dict(*factory: Any) -> dict[Any, Any]:
    return {}


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], tuple[tuple[str, str], ...]]:
    """Returns the weights of a .pth, .pt, .pkl or .safetensors file on the CPU, and (key, reason) of what is none.

    The weights are the bare dictionary, or stand under ``model``, ``state_dict`` or ``model_state``. Their running mean
    goes first, where a checkpoint has one beside them.

    Raises:
        CheckpointError: no such file, unreadable, holds objects other than tensors and plain values, or no tensor.
    """
    path = Path(path)
    content = read_file(path)
    inner = next((content[name] for name in _CONTAINERS if isinstance(content.get(name), Mapping)), content)
    if has_mean(content):
        inner = content[MEAN]
        logger.info('%s: taking the running mean of the weights (part "%s").', path, MEAN)
    reasons = {str(key): _why_unusable(value) for key, value in inner.items()}
    tensors = {str(key): value for key, value in inner.items() if not reasons[str(key)]}
    if not tensors:
        found = ", ".join(sorted(map(str, inner))[:8]) or "nothing"
        raise CheckpointError(
            f"{path} holds no weights: found {found}. Expected a dictionary of tensors by parameter name, bare or "
            f"under one of {', '.join(_CONTAINERS)}. Convert other formats (Caffe2 pickles, say) to it first."
        )
    return tensors, tuple((key, reason) for key, reason in reasons.items() if reason)


def has_mean(content: Mapping[str, Any]) -> bool:
    """Returns whether a checkpoint holds the running mean of all its weights too."""
    weights, mean = content.get("model"), content.get(MEAN)
    return isinstance(weights, Mapping) and isinstance(mean, Mapping) and weights.keys() == mean.keys()


def read_file(path: Path) -> dict[str, Any]:
    """Returns the dictionary in a file, tensors on the CPU, objects of AlphAction as empty shells.

    ``torchvision:MODEL`` names a file too; see :func:`~alphaction.utils.published.find_weights`.

    Raises:
        CheckpointError: as :func:`read_tensors`.
    """
    path = find_weights(path)
    if not path.is_file():
        what = "is a folder, not a weight file" if path.is_dir() else "does not exist"
        raise CheckpointError(f"The weight file {path} {what}; check MODEL.WEIGHT or download the file first.")
    try:
        content = _read(path)
    except PermissionError:
        raise CheckpointError(f"Cannot read {path}: permission denied.") from None
    except Exception as error:  # a damaged file can make the readers raise anything
        raise CheckpointError(_explain_refusal(path, error) or _explain_damage(path, error)) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, expected a dictionary of tensors.")
    return content


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    shells: list[Any] = [(_Shell, name) for name in _SHELLS]
    shells.append((_plain_dict, "collections.defaultdict"))
    with torch.serialization.safe_globals(shells), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks on unusual files; ours are in the errors
        return torch.load(path, map_location="cpu", weights_only=True)


def _why_unusable(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"no tensor but {type(value).__name__.lstrip('_')}"
    is_dense = value.layout == torch.strided and not (value.is_nested or value.is_quantized or value.is_meta)
    return "" if is_dense else "not a dense tensor with data"


def _explain_refusal(path: Path, error: Exception) -> str:
    """Returns what to do about a file with objects in it, or nothing if the error is another one."""
    found = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if found is None:
        return ""
    return (
        f"{path} holds an object of the class or function {found[1]}. Only tensors and plain values are read, because "
        "anything else in such a file can run code of its author. If you trust the file, load it where it was made "
        'and save the weights alone: torch.save({"model": model.state_dict()}, "weights.pth").'
    )


def _explain_damage(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(64).lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")):
        reason = "it is a web page: the download link led to a page, not to the file"
    elif head.startswith(b"version https://git-lfs"):
        reason = "it is a Git LFS pointer: run `git lfs pull`"
    else:
        # Torch puts advice for programmers around the reason; it advises to read the file unsafely.
        detail = re.split(r"\n|\. ", str(error).rpartition("WeightsUnpickler error: ")[2].strip())[0][:160]
        reason = f"the file is damaged, cut short or of another kind ({type(error).__name__}: {detail})"
    return f"Cannot read {path}: {reason}. Expected a .pth, .pt or .pkl of torch.save, or a .safetensors file."
