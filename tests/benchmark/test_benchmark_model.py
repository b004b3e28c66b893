import argparse
from pathlib import Path

import pytest

from alphaction.benchmark import model
from alphaction.config import load_cfg
from alphaction.utils.errors import UserError

CONFIGS = Path(__file__).parents[2] / "config_files"


def test_the_default_is_every_released_model() -> None:
    parser = argparse.ArgumentParser()
    model.add_arguments(parser)
    found = {path.name for path in CONFIGS.glob("resnet*.yaml")}
    assert {Path(path).name for path in parser.parse_args([]).config_file} == found


def test_the_clip_is_as_large_as_the_released_ones() -> None:
    clip = model.make_clip(load_cfg(str(CONFIGS / "resnet50_4x16f_denseserial.yaml")), 2304, 256, 455)
    assert clip.slow.shape == (1, 3, 4, 256, 464)
    assert clip.fast.shape == (1, 3, 32, 256, 464)
    assert [len(boxes.xyxy) for boxes in (*clip.boxes, *clip.objects)] == [3, 5]
    assert clip.memory.shape == (1, 61 * 5, 2304)
    plain = model.make_clip(load_cfg(str(CONFIGS / "resnet101_8x8f_baseline.yaml")), 2304, 32, 32)
    assert plain.slow.shape[2] == 8
    assert plain.objects is None and plain.memory is None


@pytest.fixture(scope="module")
def report() -> str:
    parser = argparse.ArgumentParser()
    model.add_arguments(parser)
    words = ["--config-file", str(CONFIGS / "demo.yaml"), "--height", "48", "--width", "64", "--repeats", "2"]
    return model.run(parser.parse_args(words))


def test_the_report_has_a_line_for_each_model_with_all_its_costs(report: str) -> None:
    name, *numbers = report.splitlines()[-1].split()
    parameters, inference, inference_peak, training, training_peak = map(float, numbers)
    assert name == "demo"
    assert parameters == pytest.approx(2.2, abs=1.5)
    assert inference > 0 and training > 0
    assert 50 < inference_peak <= training_peak


def test_a_config_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="nowhere"):
        model.measure("nowhere.yaml", 48, 64, 1)
