"""Weights that torchvision publishes, by name."""

import hashlib
import logging
import re
import sys
from http.client import HTTPException
from pathlib import Path

import torch
import torchvision
from torchvision.models import Weights, WeightsEnum

from alphaction.utils.errors import CheckpointError
from alphaction.utils.registry import nearest

logger = logging.getLogger(__name__)

_SOURCE = "torchvision"
_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")


def find_weights(path: str | Path) -> Path:
    """Returns the file that ``path`` names; published weights are fetched first where they are not there yet.

    Args:
        path: a file, which is given back as it is; or ``torchvision:MODEL`` (``torchvision:r2plus1d_18``) for the
            weights torchvision uses for a model by default, or ``torchvision:ENTRY`` for certain ones
            (``torchvision:R2Plus1D_18_Weights.KINETICS400_V1``). They are kept in torch's folder of downloads,
            ``$TORCH_HOME/hub/checkpoints``, and their SHA-256 is checked each time.

    Raises:
        CheckpointError: torchvision knows no such model, the file cannot be fetched, or its checksum is wrong.
    """
    name = str(path)
    source, _, wanted = name.partition(":")
    if source != _SOURCE:
        return Path(path)
    entry = _entry(name, wanted)
    target = Path(torch.hub.get_dir()) / "checkpoints" / entry.url.rpartition("/")[2]
    if not target.exists():
        _fetch(name, entry.url, target)
    _check_digest(name, entry.url, target)
    return target


def _entry(name: str, wanted: str) -> Weights:
    """Returns what torchvision says about the weights of the model or entry ``wanted``."""
    models = torchvision.models.list_models()
    model, _, tag = wanted.partition("_Weights.")
    try:
        found = torchvision.models.get_weight(wanted) if tag else torchvision.models.get_model_weights(wanted).DEFAULT
    except (ValueError, KeyError, AttributeError):
        raise CheckpointError(
            f'Weights "{name}": torchvision {torchvision.__version__} publishes none of this name; '
            f"{nearest(model, models)} Write torchvision:MODEL, as in torchvision:r2plus1d_18, or one of its entries, "
            "as in torchvision:R2Plus1D_18_Weights.KINETICS400_V1."
        ) from None
    assert isinstance(found, WeightsEnum)
    return found.value


def _fetch(name: str, url: str, target: Path) -> None:
    logger.info("Fetching %s from %s to %s.", name, url, target)
    digest = _DIGEST_IN_NAME.search(target.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(target), digest and digest[1], progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as error:  # no connection, no such address, no room, a wrong checksum
        raise CheckpointError(
            f'Weights "{name}": cannot fetch {url} ({getattr(error, "reason", None) or error}). Where there is a '
            f"connection, download this file and put it at {target}, or give the path of the file instead of the name."
        ) from None


def _check_digest(name: str, url: str, target: Path) -> None:
    expected = _DIGEST_IN_NAME.search(target.name)
    if expected is None:
        return
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(expected[1]):
        raise CheckpointError(
            f'Weights "{name}": {target} is damaged or another file: its SHA-256 begins with '
            f"{digest[: len(expected[1])]}, expected {expected[1]}. Delete it and start again, or download {url} anew."
        )
