"""Loading into the released architectures, by names and shapes alone."""

from pathlib import Path

import pytest
import torch

from alphaction.checkpoint.matching import match
from alphaction.config import load_cfg
from alphaction.modeling import build_detector

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def detector():
    """Shapes by key, head prefixes and units of the released ResNet-50 baseline."""
    with torch.device("meta"):
        model = build_detector(load_cfg(ROOT / "config_files/resnet50_4x16f_baseline.yaml"))
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    return shapes, model.head_prefixes, [(unit.name, tuple(unit.modules)) for unit in model.stages()]


def load(detector, file):
    shapes, head_prefixes, units = detector
    return match(file, shapes, head_prefixes=head_prefixes, no_head=True, units=units)


def test_public_backbone_weights_fill_every_stage(detector):
    file = {key.removeprefix("backbone."): shape for key, shape in detector[0].items() if key.startswith("backbone.")}
    report = load(detector, {**file, "head.projection.weight": (400, 2304)})
    assert report.incomplete_units() == ["head"]  # kept on purpose
    assert len(report.loaded) == 538
    assert report.unexpected == ("head.projection.weight",)
    assert "(other)" not in report.table()


def test_weights_of_one_pathway_leave_every_stage_incomplete(detector):
    file = {key: shape for key, shape in detector[0].items() if ".fast." not in key}
    assert load(detector, file).incomplete_units() == [name for name, _ in detector[2]]


def test_weights_of_batch_norm_that_was_trained_bring_counters_that_are_ignored(detector):
    counters = {
        key.replace("running_mean", "num_batches_tracked"): () for key in detector[0] if key.endswith("running_mean")
    }
    report = load(detector, {**detector[0], **counters})
    assert report.unexpected == ()
    assert report.ignored == len(counters) == 106
