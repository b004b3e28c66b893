"""Runs with a memory: resumed, shared by two processes, with objects, in both stages of the test."""

import signal
from pathlib import Path

import pytest
import torch
from runs import ROOT, assert_same_weights, run_distributed, run_tool, scores_of, start_tool, torchrun, weights_of
from safetensors.torch import load_file

from alphaction.dataset.datasets.synthetic import SyntheticFiles, generate_dataset

pytestmark = pytest.mark.smoke
IA = "MODEL.IA_STRUCTURE"


@pytest.fixture(scope="module")
def words(interaction_words: list[str]) -> list[str]:
    more = ("SOLVER.MAX_ITER", "8", "SOLVER.CHECKPOINT_PERIOD", "2", "SOLVER.CHECKPOINTS_KEPT", "1")
    return ["--skip-val-in-train", *interaction_words, *more, f"{IA}.DROPOUT", "0.2"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("whole")
    assert "mAP@0.5 = " in run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    return output


def test_a_memory_lies_beside_each_checkpoint_and_goes_with_it(uninterrupted: Path) -> None:
    names = sorted(path.name for path in uninterrupted.iterdir() if path.suffix in (".pth", ".safetensors"))
    assert names == ["memory_0000006.safetensors", "memory_0000008.safetensors", "model_0000006.pth", "model_final.pth"]


def test_a_resumed_run_ends_with_the_same_weights_and_memory(
    words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    output = tmp_path / "stopped"
    process = start_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    assert process.stdout is not None
    for line in process.stdout:
        if "iter 3/" in line:
            process.send_signal(signal.SIGTERM)
            break
    process.communicate(timeout=120)
    assert (output / "memory_0000003.safetensors").exists() or (output / "memory_0000004.safetensors").exists()
    run_tool("train_net.py", *words, "OUTPUT_DIR", str(output))
    assert_same_weights(uninterrupted / "model_final.pth", output / "model_final.pth")
    for name in ("memory_0000008.safetensors", "inference/val/result.csv"):
        assert (uninterrupted / name).read_bytes() == (output / name).read_bytes(), name


def test_a_run_whose_memory_is_gone_says_so_and_changes_nothing(
    words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    (tmp_path / "model_0000006.pth").write_bytes((uninterrupted / "model_0000006.pth").read_bytes())
    (tmp_path / "last_checkpoint").write_text("model_0000006.pth\n")
    said = run_tool("train_net.py", *words, "OUTPUT_DIR", str(tmp_path), expect=2)
    assert "memory_0000006.safetensors" in said and "--transfer" in said and "Traceback" not in said
    assert not (tmp_path / "model_final.pth").exists()


@pytest.fixture(scope="module")
def even_data(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFiles:
    return generate_dataset(tmp_path_factory.mktemp("even"), num_train_movies=4, num_val_movies=3, seconds=6)


@pytest.fixture(scope="module")
def fixed_words(interaction_words: list[str], even_data: SyntheticFiles) -> list[str]:
    """Words of a run without anything that a process draws for itself."""
    data = (
        *("DATASETS.TRAIN", f"('{even_data.train_yaml}',)"),
        *("DATASETS.TEST", f"('{even_data.val_yaml}',)"),
    )
    still = ("MODEL.BACKBONE.FROZEN_BN", "True", "INPUT.BOX_JITTER", "(0.0, 0.0, 0.0, 0.0)")
    return ["--skip-val-in-train", *interaction_words, *data, *still, "SOLVER.MAX_ITER", "8"]


def test_one_and_two_processes_have_the_same_memory_and_map(fixed_words: list[str], tmp_path: Path) -> None:
    """Persons are looked at after the memory: what reduces them for the first block is used by nobody."""
    fixed_words = [*fixed_words, f"{IA}.I_BLOCK_LIST", "['M', 'P']"]
    said = run_tool("train_net.py", *fixed_words, "OUTPUT_DIR", str(tmp_path / "one"))
    both = run_distributed(torchrun(), ROOT / "tools/train_net.py", *fixed_words, "OUTPUT_DIR", str(tmp_path / "two"))
    one, two = (load_file(tmp_path / name / "memory_0000008.safetensors") for name in ("one", "two"))
    assert len(one["count"]) > 8
    assert one.keys() == two.keys()
    for name, values in one.items():
        torch.testing.assert_close(two[name], values, rtol=2e-3, atol=1e-4, msg=name)
    weights, others = (weights_of(tmp_path / name / "model_final.pth") for name in ("one", "two"))
    for name, values in weights.items():
        torch.testing.assert_close(others[name], values, rtol=1e-3, atol=1e-5, msg=name)
    scores = [float(text.split("mAP@0.5 = ")[1].split()[0]) for text in (said, both)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_one_and_two_processes_test_alike_and_repeat_themselves(
    fixed_words: list[str], uninterrupted: Path, tmp_path: Path
) -> None:
    """One person a second is remembered and two are there, so that somebody must be left out."""
    words = [word for word in fixed_words if word != "--skip-val-in-train"]
    words += ["MODEL.WEIGHT", str(uninterrupted / "model_final.pth"), f"{IA}.MAX_PER_SEC", "1"]
    words += ["MODEL.BACKBONE.FROZEN_BN", "False"]
    run_tool("test_net.py", *words, "OUTPUT_DIR", str(tmp_path / "one"))
    for name in ("two", "again"):
        run_distributed(torchrun(), ROOT / "tools/test_net.py", *words, "OUTPUT_DIR", str(tmp_path / name))
    files = [tmp_path / name / "inference/val/result.csv" for name in ("one", "two", "again")]
    one, two = (scores_of(path) for path in files[:2])
    assert one.keys() == two.keys() and len(one) > 10
    assert max(abs(one[key] - two[key]) for key in one) <= 1e-5
    assert files[1].read_bytes() == files[2].read_bytes()


def test_annotations_and_objects_in_json_train_and_test(interaction_words: list[str], tmp_path: Path) -> None:
    files = ROOT / "tests/fixtures/golden/data_files"
    entry = {
        "video_root": files / "clips/trainval",
        "ann_file": next(files.glob("annotations/*min.json")),
        "box_file": files / "boxes/ava_val_det_person_bbox.json",
        "object_file": files / "boxes/ava_val_det_object_bbox.json",
    }
    data = tmp_path / "data.yaml"
    data.write_text("".join(f"{key}: {path}\n" for key, path in entry.items()))
    names = ("DATASETS.TRAIN", f"('{data}',)", "DATASETS.TEST", f"('{data}',)", "OUTPUT_DIR", str(tmp_path / "run"))
    said = run_tool("train_net.py", "--skip-val-in-train", *interaction_words, *names, f"{IA}.MEMORY_RATE", "1")
    assert "mAP@0.5" in said and "no object_file" not in said
    assert (tmp_path / "run/memory_0000004.safetensors").exists()
