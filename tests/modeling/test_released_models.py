"""The six released configurations: keys and shapes of their weight files are an interface."""

from pathlib import Path

import pytest
import torch
from torch import nn

from alphaction.checkpoint import load_weights
from alphaction.config import load_cfg
from alphaction.modeling import build_detector

ROOT = Path(__file__).parents[2]
KEYS = ROOT / "tests/fixtures/contract/state_dict_keys"
RELEASED = sorted(path.stem for path in KEYS.glob("*.txt"))


def released_shapes(name: str) -> dict[str, tuple[int, ...]]:
    rows = [line.split("\t") for line in (KEYS / f"{name}.txt").read_text().splitlines()]
    return {key: tuple(int(extent) for extent in shape.split("x")) for key, shape in rows}


def build(name: str, *opts: object) -> nn.Module:
    with torch.device("meta"):
        return build_detector(load_cfg(ROOT / f"config_files/{name}.yaml", opts))


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def test_there_are_six_of_them() -> None:
    assert len(RELEASED) == 6


@pytest.mark.parametrize("name", RELEASED)
def test_keys_and_shapes_are_those_of_the_released_file(name: str) -> None:
    assert shapes_of(build(name)) == released_shapes(name)


def test_fifteen_classes_change_the_predictor_alone() -> None:
    name, head = "resnet101_8x8f_denseserial", "MODEL.ROI_ACTION_HEAD"
    counts = [f"{head}.NUM_{group}_CLASSES" for group in ("PERSON_MOVEMENT", "OBJECT_MANIPULATION")]
    model = build(name, f"{head}.NUM_CLASSES", 15, counts[0], 6, counts[1], 7)
    expected = released_shapes(name)
    expected |= {"roi_heads.action.predictor.cls_score.weight": (15, 1024)}
    expected |= {"roi_heads.action.predictor.cls_score.bias": (15,)}
    assert shapes_of(model) == expected


@pytest.mark.parametrize(
    ("name", "trainable", "parameters"),
    [
        ("resnet50_4x16f_serial", 182, 75_545_048),
        ("resnet50_4x16f_parallel", 186, 82_892_248),
        ("resnet50_4x16f_denseserial", 186, 75_559_384),
        ("resnet101_8x8f_denseserial", 288, 103_847_384),
    ],
)
def test_parameter_counts_are_those_of_the_released_model(name: str, trainable: int, parameters: int) -> None:
    model = build(name)
    assert len(list(model.parameters())) == trainable
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_units_cover_the_interaction_once() -> None:
    model = build("resnet50_4x16f_denseserial")
    assert sum(unit.num_parameters() for unit in model.stages()) == 75_559_384


def test_a_file_in_the_form_of_the_released_ones_fills_the_model(tmp_path: Path) -> None:
    """The file has every key, behind ``module.`` and beside the state of another program's training."""
    name = "resnet50_4x16f_serial"
    file = {f"module.{key}": torch.full((), 0.5).expand(shape) for key, shape in released_shapes(name).items()}
    path = tmp_path / "released.pth"
    # Expanded tensors are stored as the one number they repeat: the file is small.
    torch.save({"model": file, "iteration": 110_000}, path)
    assert path.stat().st_size < 1e6
    model = build(name).to_empty(device="cpu")
    report = load_weights(model, path, units=[(unit.name, tuple(unit.modules)) for unit in model.stages()])
    assert len(report.loaded) == 606
    assert not (report.missing or report.unexpected or report.wrong_shape)
    assert all(bool((value == 0.5).all()) for value in model.state_dict().values())
