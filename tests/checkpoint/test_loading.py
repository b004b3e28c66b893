"""Weights into models, all or nothing."""

import pytest
import torch
from torch import nn

from alphaction.checkpoint import load_weights, restore_model
from alphaction.utils.errors import CheckpointError

UNITS = [("stem", ["backbone.conv1", "backbone.bn1"]), ("res2", ["backbone.res2"]), ("head", ["roi_heads"])]
HEAD = ("roi_heads.",)


class Detector(nn.Module):
    def __init__(self, num_classes=5, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = nn.Module()
        self.backbone.conv1 = nn.Conv3d(3, 4, 1)
        self.backbone.bn1 = nn.BatchNorm3d(4)
        self.backbone.res2 = nn.Conv3d(4, 4, 1)
        self.roi_heads = nn.Linear(4, num_classes)


@pytest.fixture
def saved(tmp_path):
    """A file of the weights of a detector with 5 classes, and those weights."""
    weights = Detector(seed=1).state_dict()
    torch.save({"model": weights}, tmp_path / "w.pth")
    return tmp_path / "w.pth", weights


def snapshot(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def load(model, path, **options):
    return load_weights(model, path, head_prefixes=HEAD, units=UNITS, **options)


def test_a_fitting_file_replaces_every_tensor(saved):
    path, weights = saved
    model = Detector()
    report = load(model, path)
    assert report.is_exact
    assert same(model.state_dict(), weights)


def test_no_head_keeps_the_model_s_own_head(saved):
    path, weights = saved
    model = Detector()
    before = snapshot(model)
    report = load(model, path, no_head=True)
    assert torch.equal(model.roi_heads.weight, before["roi_heads.weight"])
    assert torch.equal(model.backbone.res2.weight, weights["backbone.res2.weight"])
    assert report.kept == ("roi_heads.weight", "roi_heads.bias")


def test_a_head_of_another_size_stays_new_and_is_reported(saved):
    path, weights = saved
    model = Detector(num_classes=2)
    report = load(model, path)
    assert [key for key, _, _ in report.wrong_shape] == ["roi_heads.weight", "roi_heads.bias"]
    assert torch.equal(model.backbone.res2.weight, weights["backbone.res2.weight"])


def test_a_required_head_of_another_size_is_refused_and_nothing_changes(saved):
    path, _ = saved
    model = Detector(num_classes=2)
    before = snapshot(model)
    with pytest.raises(CheckpointError) as error:
        load(model, path, required_units=["stem", "res2", "head"])
    assert "does not fill head completely" in str(error.value)
    assert "roi_heads.weight: file (5, 4), model (2, 4)" in str(error.value)
    assert same(model.state_dict(), before)


@pytest.mark.parametrize("key", ["backbone.res2.weight", "backbone.res2.bias"])
def test_an_incomplete_backbone_stage_is_refused_and_nothing_changes(tmp_path, key):
    weights = Detector(seed=1).state_dict()
    del weights[key]
    torch.save(weights, tmp_path / "w.pth")
    model = Detector()
    before = snapshot(model)
    with pytest.raises(CheckpointError, match=r"does not fill res2 completely. Nothing was loaded(.|\n)*CONV_BODY"):
        load(model, tmp_path / "w.pth")
    assert same(model.state_dict(), before)


def test_a_file_of_another_model_is_refused_with_the_report(tmp_path):
    torch.save({"layer.kernel": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"none of its tensors fits(.|\n)*layer.kernel"):
        load_weights(Detector(), tmp_path / "w.pth")


def test_ambiguous_keys_name_the_file(tmp_path):
    torch.save({"weight": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth does not fit this model\. Keys of the file fit several"):
        load_weights(Detector(), tmp_path / "w.pth")


def test_other_precision_is_converted_to_the_model_s(tmp_path):
    weights = {key: value.half() for key, value in Detector(seed=1).state_dict().items()}
    torch.save(weights, tmp_path / "w.pth")
    model = Detector()
    load(model, tmp_path / "w.pth")
    assert model.roi_heads.weight.dtype == torch.float32
    assert torch.equal(model.roi_heads.weight, weights["roi_heads.weight"].float())
    assert model.roi_heads.weight.requires_grad


def test_a_file_with_frozen_batch_norm_has_no_counter_and_still_fills_the_stem(tmp_path):
    weights = Detector(seed=1).state_dict()
    del weights["backbone.bn1.num_batches_tracked"]
    torch.save(weights, tmp_path / "w.pth")
    assert load(Detector(), tmp_path / "w.pth").ignored == 1


def test_entries_that_are_no_tensors_are_in_the_report(tmp_path):
    torch.save({**Detector().state_dict(), "epoch": 4}, tmp_path / "w.pth")
    assert load(Detector(), tmp_path / "w.pth").skipped == (("epoch", "no tensor but int"),)


def test_the_report_is_logged(saved, caplog):
    path, _ = saved
    with caplog.at_level("INFO", logger="alphaction"):
        load(Detector(), path)
    assert f"Weights of {path}" in caplog.text
    assert "stem" in caplog.text


def test_a_resume_restores_every_tensor():
    model, state = Detector(), Detector(seed=1).state_dict()
    restore_model(model, state, source="model_0000100.pth")
    assert same(model.state_dict(), state)


@pytest.mark.parametrize("change", ["missing", "unexpected", "wrong shape", "no_counter"])
def test_a_resume_of_another_architecture_is_refused_with_the_report(change):
    state = Detector(seed=1, num_classes=4 if change == "wrong shape" else 5).state_dict()
    if change == "missing":
        del state["backbone.res2.bias"]
    if change == "no_counter":
        del state["backbone.bn1.num_batches_tracked"]
    if change == "unexpected":
        state["backbone.res3.bias"] = torch.ones(1)
    model = Detector()
    before = snapshot(model)
    with pytest.raises(
        CheckpointError, match=r"model_0000100.pth was saved by a model of another architecture(.|\n)*part"
    ):
        restore_model(model, state, source="model_0000100.pth", units=UNITS)
    assert same(model.state_dict(), before)
