"""What this run runs on, as text for the log."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import torch
import torchvision


def describe_environment() -> str:
    """Returns versions, devices and the git revision, one fact a line."""
    facts = {
        "python": f"{sys.version.split()[0]} on {platform.platform()}",
        "torch": f"{torch.__version__}, torchvision {torchvision.__version__}",
        "libraries": f"numpy {np.__version__}, opencv {cv2.__version__}, av {av.__version__}",
        "cpu": f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads",
        "accelerators": ", ".join(_accelerators()) or "none",
        "revision": _git_revision(),
    }
    return "\n".join(f"{name:>12}: {value}" for name, value in facts.items())


def _accelerators() -> list[str]:
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _git_revision() -> str:
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "not a git checkout"
    return found.stdout.strip()
