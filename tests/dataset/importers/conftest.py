"""What the readers' tests share: options that name the generated videos, and files written in a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.importers.base import ReadOptions
from alphaction.dataset.importers.video_folder import VideoFolder


@pytest.fixture
def videos(tiny_data: SyntheticFiles) -> Path:
    """A folder of train_00.mp4 (25 fps), train_01.mp4 (30 fps), val_00.mp4 (25 fps): 192 x 128 pixels, 6 seconds."""
    return tiny_data.root / "videos"


@pytest.fixture
def options(videos: Path) -> ReadOptions:
    return ReadOptions(VideoFolder(videos))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Writes text, or an object as JSON, to a file of this name."""

    def write_file(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_file
