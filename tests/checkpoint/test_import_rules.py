"""Files that were made for another form of the model: renamed, converted, with other classes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from alphaction.checkpoint import ImportRules, LoadReport, build_import_rules, load_weights
from alphaction.checkpoint.class_rows import pair_class_rows
from alphaction.checkpoint.conversion import ShapeRules
from alphaction.config import load_cfg
from alphaction.utils.errors import CheckpointError, ConfigError

UNITS = [("stem", ["conv1"]), ("res2", ["res2"]), ("head", ["head"])]
OLD, NEW = ("stand", "walk", "run"), ("walk", "hop", "Stand")


class Video(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv3d(channels, 4, (5, 3, 3))
        self.res2 = nn.Conv3d(4, 4, 1)
        self.head = nn.Linear(4, len(NEW))


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    """A file of a 2D network with names of its own and a linear layer for the second stage."""
    torch.manual_seed(1)
    weights = {
        "stem.weight": torch.randn(4, 3, 3, 3),
        "stem.bias": torch.randn(4),
        "res2.weight": torch.randn(4, 4),
        "res2.bias": torch.randn(4),
        "head.weight": torch.randn(len(OLD), 4),
        "head.bias": torch.randn(len(OLD)),
    }
    torch.save(weights, tmp_path / "w.pth")
    return tmp_path / "w.pth", weights


def rules(**words) -> ImportRules:
    given = {"renames": [["^stem", "conv1"]], "shapes": ShapeRules("mean", "preserve"), **words}
    return ImportRules(**given)


def load(model: nn.Module, path: Path, **words) -> LoadReport:
    return load_weights(model, path, head_prefixes=("head.",), units=UNITS, **words)


def test_renamed_inflated_and_by_class_name_in_one_loading(images: tuple[Path, dict[str, Tensor]]) -> None:
    path, weights = images
    model = Video(channels=2)
    new_row = model.head.weight[1].clone()
    rows = pair_class_rows(("head.weight", "head.bias"), NEW, OLD)
    report = load(model, path, rules=rules(class_rows=rows))
    expected = weights["stem.weight"].mean(dim=1)[:, None, None] * 3 / 2 / 5
    assert torch.allclose(model.conv1.weight, expected.expand(4, 2, 5, 3, 3))
    assert torch.equal(model.conv1.bias, weights["stem.bias"])
    assert torch.equal(model.res2.weight.flatten(1), weights["res2.weight"])
    assert torch.equal(model.head.weight[[0, 2]], weights["head.weight"][[1, 0]])
    assert torch.equal(model.head.bias[[0, 2]], weights["head.bias"][[1, 0]])
    assert torch.equal(model.head.weight[1], new_row)
    assert [key for key, *_ in report.converted] == ["conv1.weight", "res2.weight", "head.weight", "head.bias"]
    assert report.classes is not None and report.classes.new == ("hop",)
    assert report.incomplete_units() == [] and report.unexpected == ()
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_without_rules_the_shapes_are_reported_and_nothing_changes(images: tuple[Path, dict[str, Tensor]]) -> None:
    model = Video()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"does not fill stem(.|\n)*WEIGHT_RENAME, MODEL.INFLATE"):
        load(model, images[0])
    with pytest.raises(CheckpointError, match=r"conv1.weight: file \(4, 3, 3, 3\), model \(4, 3, 5, 3, 3\)"):
        load(model, images[0], rules=rules(shapes=ShapeRules()))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("mistake", ["equal names", "no expression", "rows", "check"])
def test_whatever_is_refused_leaves_the_model_as_it_was(images: tuple[Path, dict[str, Tensor]], mistake: str) -> None:
    def refuse(report: LoadReport) -> None:
        raise CheckpointError("not this one")

    words = {
        "equal names": {"rules": rules(renames=[["^stem", "conv1"], ["^(head|res2)", "x"]])},
        "no expression": {"rules": rules(renames=[["(", "x"]])},
        "rows": {"rules": rules(class_rows=pair_class_rows(("head.weight",), NEW, (*OLD, "sit")))},
        "check": {"rules": rules(), "check": refuse},
    }[mistake]
    model = Video()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError if mistake != "no expression" else ConfigError):
        load(model, images[0], **words)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_file_without_the_head_reports_no_rows(images: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    weights = {key: value for key, value in images[1].items() if not key.startswith("head")}
    torch.save(weights, tmp_path / "headless.pth")
    rows = pair_class_rows(("head.weight", "head.bias"), NEW, OLD)
    report = load(Video(), tmp_path / "headless.pth", rules=rules(class_rows=rows))
    assert report.classes is None and report.missing == ("head.weight", "head.bias")


def test_no_unit_says_which_convolution_comes_first_and_other_channels_stay_wrong(
    images: tuple[Path, dict[str, Tensor]],
) -> None:
    report = load_weights(Video(channels=2), images[0], rules=rules())
    assert [key for key, _, _ in report.wrong_shape] == ["conv1.weight"]


def test_the_rules_of_a_config_are_its_keys() -> None:
    words = ["MODEL.WEIGHT_RENAME", "[('^a', 'b')]", "MODEL.INFLATE", "centre", "MODEL.INPUT_CHANNELS", "repeat"]
    assert build_import_rules(load_cfg(None, words)) == ImportRules([["^a", "b"]], ShapeRules("centre", "repeat"))
    assert build_import_rules(load_cfg()) == ImportRules([], ShapeRules())


def test_other_channels_behind_the_first_unit_are_another_network(
    images: tuple[Path, dict[str, Tensor]], tmp_path: Path
) -> None:
    torch.save({**images[1], "res2.weight": torch.randn(4, 3, 1, 1, 1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"does not fill res2(.|\n)*res2.weight: file \(4, 3, 1, 1, 1\)"):
        load(Video(), tmp_path / "other.pth", rules=rules())
