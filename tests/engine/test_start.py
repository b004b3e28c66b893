"""Where the weights of a new run come from: the head's rows by class name, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch import nn
from yacs.config import CfgNode

from alphaction.config import load_cfg
from alphaction.engine.flags import Flags
from alphaction.engine.start import load_for_test, load_start
from alphaction.tasks.action_detection import ActionDetection
from alphaction.utils.errors import CheckpointError, ConfigError, UserError

ROOT = Path(__file__).parents[2]
CLS = "roi_heads.action.predictor.cls_score."
OLD = ("stand", "walk", "run", "wave")


def make_config(folder: Path, names: tuple[str, ...], *words: str) -> CfgNode:
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "set.yaml").write_text("video_root: .\ncsv_gt_file: a.csv\nlabel_file: labels.txt\n")
    given = ["DATASETS.TRAIN", f"('{folder}/set.yaml',)", "MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM", "8"]
    cfg = load_cfg(ROOT / "config_files/demo.yaml", [*given, "DATASETS.TEST", "()", *words])
    return ActionDetection.resolve_config(cfg)


def build(cfg: CfgNode, seed: int = 0) -> tuple[ActionDetection, nn.Module]:
    torch.manual_seed(seed)
    task = ActionDetection.from_cfg(cfg)
    return task, task.build_model(cfg)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A file of weights that says its classes, and these weights."""
    task, model = build(make_config(tmp_path, OLD), seed=1)
    with torch.no_grad():
        model.get_parameter(CLS + "bias").copy_(torch.arange(4.0) + 1)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    torch.save({"model": weights, "task": task.state_dict()}, tmp_path / "w.pth")
    return tmp_path / "w.pth", weights


def start(cfg: CfgNode, **flags: bool) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """Returns the model after its start and its tensors from before."""
    task, model = build(cfg)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    load_start(cfg, Flags("", **flags), task, model, None)
    return model, before


def refused(cfg: CfgNode, **flags: bool) -> str:
    """Returns what the start says when it refuses, after checking that the model is as it was."""
    task, model = build(cfg)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_start(cfg, Flags("", **flags), task, model, None)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    return str(error.value)


def test_a_transfer_takes_rows_by_class_name_and_the_rest_as_usual(
    trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, weights = trained
    cfg = make_config(tmp_path, ("Wave", "hop", "stand"), "MODEL.WEIGHT", str(path))
    with caplog.at_level("INFO", logger="alphaction"):
        model, before = start(cfg, transfer=True)
    state = model.state_dict()
    assert torch.equal(state[CLS + "weight"][[0, 2]], weights[CLS + "weight"][[3, 0]])
    assert torch.equal(state[CLS + "weight"][1], before[CLS + "weight"][1])
    assert state[CLS + "bias"].tolist() == [4.0, before[CLS + "bias"][1].item(), 1.0]
    others = [key for key in weights if not key.startswith(CLS)]
    assert any(key.startswith("roi_heads") for key in others)
    assert all(torch.equal(state[key], weights[key]) for key in others)
    assert "head rows by class name: 2 of 3: Wave, stand; new: hop" in caplog.text
    assert "classes of the file only: walk, run" in caplog.text


def test_the_same_shape_with_names_in_another_order_is_never_taken_by_position(
    trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    cfg = make_config(tmp_path, OLD[::-1], "MODEL.WEIGHT", str(trained[0]))
    model, _ = start(cfg, transfer=True)
    assert model.state_dict()[CLS + "bias"].tolist() == [4.0, 3.0, 2.0, 1.0]
    said = refused(cfg)
    assert "trained on other classes" in said and "--transfer takes over the head's rows" in said


def test_equal_classes_are_no_matter_of_names(
    trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = make_config(tmp_path, OLD, "MODEL.WEIGHT", str(trained[0]))
    for transfer in (False, True):
        with caplog.at_level("INFO", logger="alphaction"):
            model, _ = start(cfg, transfer=transfer)
        assert model.state_dict()[CLS + "bias"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert "by class name" not in caplog.text and "by position" not in caplog.text


def test_no_head_still_leaves_the_whole_head(trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path) -> None:
    cfg = make_config(tmp_path, ("stand", "hop"), "MODEL.WEIGHT", str(trained[0]))
    model, before = start(cfg, transfer=True, no_head=True)
    state = model.state_dict()
    assert all(torch.equal(state[key], before[key]) for key in state if key.startswith("roi_heads"))
    assert torch.equal(state["backbone.slow.conv1.weight"], trained[1]["backbone.slow.conv1.weight"])


def test_no_common_class_is_refused(trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path) -> None:
    cfg = make_config(tmp_path, ("hop", "sit"), "MODEL.WEIGHT", str(trained[0]))
    said = refused(cfg, transfer=True)
    assert "No class of this run" in said and "--no-head" in said


@pytest.fixture
def foreign(trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path) -> Path:
    """The same weights without a word about their classes, beside a label file in AVA's dialect."""
    torch.save(trained[1], tmp_path / "bare.pth")
    blocks = [f'label {{ name: "{name}" label_id: {number} }}\n' for number, name in enumerate(OLD, start=1)]
    (tmp_path / "old.pbtxt").write_text("".join(blocks[::-1]))  # columns go by id, whatever the order in the file
    return tmp_path / "bare.pth"


def test_a_label_file_says_the_classes_of_foreign_weights(foreign: Path, tmp_path: Path) -> None:
    words = ("MODEL.WEIGHT", str(foreign), "MODEL.WEIGHT_LABELS", str(tmp_path / "old.pbtxt"))
    cfg = make_config(tmp_path, ("run", "hop", "stand"), *words)
    model, before = start(cfg, transfer=True)
    assert model.state_dict()[CLS + "bias"].tolist() == [3.0, before[CLS + "bias"][1].item(), 1.0]
    assert "trained on other classes" in refused(cfg)


def test_foreign_weights_that_say_nothing_go_by_position_and_this_is_said(
    foreign: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = make_config(tmp_path, ("a", "b", "c", "d"), "MODEL.WEIGHT", str(foreign))
    model, _ = start(cfg, transfer=True)
    assert model.state_dict()[CLS + "bias"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert "rows were taken by position. MODEL.WEIGHT_LABELS" in caplog.text


def test_a_head_of_another_size_without_names_is_refused_before_anything_changes(foreign: Path, tmp_path: Path) -> None:
    cfg = make_config(tmp_path, ("a", "b"), "MODEL.WEIGHT", str(foreign))
    said = refused(cfg, transfer=True)
    assert "other shapes" in said and "MODEL.WEIGHT_LABELS" in said


def test_a_label_file_that_counts_other_rows_is_refused(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("stand\nwalk\n")
    words = ("MODEL.WEIGHT", str(foreign), "MODEL.WEIGHT_LABELS", str(tmp_path / "few.txt"))
    assert "Its classes are 2, but" in refused(make_config(tmp_path, ("stand", "hop"), *words), transfer=True)


def test_a_test_compares_the_classes_and_reads_foreign_weights_by_the_rules(foreign: Path, tmp_path: Path) -> None:
    weights = torch.load(foreign, weights_only=True)
    torch.save({key.replace("backbone.", "net."): value for key, value in weights.items()}, foreign)
    rules = ("MODEL.WEIGHT_RENAME", "[['^net[.]', 'backbone.']]", "MODEL.WEIGHT_LABELS", str(tmp_path / "old.pbtxt"))
    words = ("MODEL.WEIGHT", str(foreign), *rules)
    cfg = make_config(tmp_path, OLD, *words)
    task, model = build(cfg)
    assert load_for_test(cfg, task, model, is_typed=True) == foreign
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    cfg = make_config(tmp_path, OLD[::-1], *words)
    with pytest.raises(ConfigError, match="trained on other classes"):
        load_for_test(cfg, *build(cfg), is_typed=True)


def test_a_file_of_this_program_is_tested_as_it_is_whatever_the_rules_for_the_weights_before(
    trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    """The keys stay in the config of a run that began with foreign weights."""
    saved = torch.load(trained[0], weights_only=True)
    torch.save({**saved, "iteration": 2, "config": ""}, trained[0])
    (tmp_path / "foreign.txt").write_text("a\nb\n")
    rules = ("MODEL.WEIGHT_RENAME", "[['backbone', 'x']]", "MODEL.WEIGHT_LABELS", str(tmp_path / "foreign.txt"))
    cfg = make_config(tmp_path, OLD, "MODEL.WEIGHT", str(trained[0]), *rules)
    task, model = build(cfg)
    load_for_test(cfg, task, model, is_typed=True)
    assert torch.equal(model.state_dict()[CLS + "weight"], trained[1][CLS + "weight"])


def test_a_task_that_names_no_rows_asks_for_no_head(
    trained: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ActionDetection, "class_rows", lambda self, model: ())
    cfg = make_config(tmp_path, ("stand", "hop"), "MODEL.WEIGHT", str(trained[0]))
    with pytest.raises(CheckpointError, match="one row a class; add --no-head"):
        start(cfg, transfer=True)
