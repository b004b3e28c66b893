"""Weights that torchvision publishes, from addresses on this disk."""

import hashlib
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from torchvision.models import Weights, WeightsEnum

from alphaction.utils.errors import CheckpointError
from alphaction.utils.published import find_weights

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]
NAME = "torchvision:small_net"


@pytest.fixture(autouse=True)
def downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home/hub/checkpoints"


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Returns a function: name of a file and its content (None: there is none) -> the file; it becomes NAME's."""

    def set_up(name: str, content: bytes | None) -> Path:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)

        class Published(WeightsEnum):
            DEFAULT = Weights(url=path.as_uri(), transforms=lambda: None, meta={})

        monkeypatch.setattr(torchvision.models, "get_model_weights", lambda name: Published)
        return path

    return set_up


@pytest.mark.parametrize("path", ["data/models/mine.pth", Path("mine.pth"), "C:/mine.pth", "torchvision.pth"])
def test_a_file_is_given_back_as_it_is(path: str | Path) -> None:
    assert find_weights(path) == Path(path)


def test_published_weights_are_fetched_once(publish, downloads: Path) -> None:
    source = publish(f"small-{DIGEST}.pth", CONTENT)
    assert find_weights(NAME) == find_weights(Path(NAME)) == downloads / source.name
    source.unlink()
    assert find_weights(NAME).read_bytes() == CONTENT


def test_a_file_put_by_hand_is_taken_without_a_connection(publish, downloads: Path) -> None:
    name = publish(f"small-{DIGEST}.pth", None).name
    downloads.mkdir(parents=True)
    (downloads / name).write_bytes(CONTENT)
    assert find_weights(NAME) == downloads / name


def test_without_a_connection_the_address_and_the_place_for_the_file_are_named(monkeypatch, downloads: Path) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    for name in ("torchvision:r2plus1d_18", "torchvision:R2Plus1D_18_Weights.KINETICS400_V1"):
        with pytest.raises(CheckpointError) as caught:
            find_weights(name)
        for part in (
            f'"{name}"',
            "https://download.pytorch.org/models/r2plus1d_18-91a641e6.pth",
            "(Name or service not known)",
            f"put it at {downloads / 'r2plus1d_18-91a641e6.pth'}",
        ):
            assert part in str(caught.value)


def test_a_download_with_a_wrong_checksum_is_not_kept(publish, downloads: Path) -> None:
    publish(f"small-{DIGEST}.pth", b"a page that asks to log in")
    with pytest.raises(CheckpointError, match=r"cannot fetch .*invalid hash value"):
        find_weights(NAME)
    assert not list(downloads.iterdir())


def test_a_damaged_file_is_named_with_its_checksum(publish, downloads: Path) -> None:
    name = publish(f"small-{DIGEST}.pth", CONTENT).name
    downloads.mkdir(parents=True)
    (downloads / name).write_bytes(CONTENT[:-1])
    cut = hashlib.sha256(CONTENT[:-1]).hexdigest()[:8]
    with pytest.raises(CheckpointError, match=f"{name} is damaged .* begins with {cut}, expected {DIGEST}"):
        find_weights(NAME)


def test_a_name_without_a_checksum_is_not_checked(publish) -> None:
    publish("small.pth", CONTENT)
    assert find_weights(NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("torchvision:r2plus1d18", 'did you mean "r2plus1d_18"'),
        ("torchvision:R2Plus1D_18_Weights.KINETICS", 'did you mean "r2plus1d_18"'),
        ("torchvision:", "torchvision:MODEL"),
        ("torchvision", "torchvision:MODEL"),
        ("torchvision:get_weight", "torchvision:MODEL"),
    ],
)
def test_a_name_that_torchvision_does_not_know_is_refused(name: str, hint: str) -> None:
    with pytest.raises(CheckpointError, match=f'Weights "{name}": torchvision .* publishes none of this name.*{hint}'):
        find_weights(name)
