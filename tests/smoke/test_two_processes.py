"""Two processes on the CPU (gloo): equal weights, and the scores of one process."""

import shutil
import sys
from pathlib import Path

import pytest
from runs import ROOT, assert_same_weights, run_distributed, run_tool, scores_of, torchrun

from alphaction.dataset.datasets.synthetic import SyntheticFiles

pytestmark = pytest.mark.smoke
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("two")
    words = ("--skip-val-in-train", *tiny_words, "OUTPUT_DIR", str(output / "run"))
    said = run_distributed(torchrun(), HERE / "save_each_rank.py", str(output), *words)
    assert said.count("iter 4/4") == 1 and "mAP@0.5 = 0." in said
    return output


def test_both_ranks_have_the_same_weights(trained: Path) -> None:
    assert_same_weights(trained / "rank0.pth", trained / "rank1.pth")
    assert_same_weights(trained / "rank0.pth", trained / "run/model_final.pth")


@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc")
def test_no_thread_of_the_group_outlives_the_run(trained: Path) -> None:
    """One that lets go of a tensor while Python shuts down would abort the process after all its work."""
    for rank in range(2):
        names = (trained / f"threads{rank}.txt").read_text().split()
        assert names and [name for name in names if "gloo" in name] == []


def test_one_and_two_processes_give_the_same_scores(trained: Path, tiny_words: list[str], tmp_path: Path) -> None:
    words = (*tiny_words, "MODEL.WEIGHT", str(trained / "run/model_final.pth"))
    run_tool("test_net.py", *words, "OUTPUT_DIR", str(tmp_path / "one"))
    run_distributed(torchrun(), ROOT / "tools/test_net.py", *words, "OUTPUT_DIR", str(tmp_path / "two"))
    one, two = (scores_of(tmp_path / name / "inference/val/result.csv") for name in ("one", "two"))
    assert one.keys() == two.keys() and len(one) > 10
    assert max(abs(one[key] - two[key]) for key in one) <= 1e-5


def test_distributed_launch_works_too(tiny_words: list[str], tmp_path: Path) -> None:
    words = ("--skip-val-in-train", "--skip-final-test", *tiny_words, "OUTPUT_DIR", str(tmp_path))
    run_distributed(["torch.distributed.launch"], ROOT / "tools/train_net.py", *words)
    assert (tmp_path / "model_final.pth").exists()


def test_more_processes_than_clips_is_one_message(
    tiny_words: list[str], tiny_data: SyntheticFiles, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(tiny_data.root, tmp_path / "data"))
    first = (data / "train.csv").read_text().splitlines()[0]
    (data / "train.csv").write_text(first + "\n")
    words = (*tiny_words, "DATASETS.TRAIN", f"('{data}/train.yaml',)", "OUTPUT_DIR", str(tmp_path / "run"))
    with pytest.raises(AssertionError) as caught:
        run_distributed(torchrun(), ROOT / "tools/train_net.py", *words)
    assert str(caught.value).count("2 processes cannot share 1 clips") == 1


def test_a_batch_that_cannot_be_shared_is_one_message(tiny_words: list[str], tmp_path: Path) -> None:
    words = (*tiny_words, "SOLVER.VIDEOS_PER_BATCH", "3", "OUTPUT_DIR", str(tmp_path / "run"))
    with pytest.raises(AssertionError) as caught:
        run_distributed(torchrun(), ROOT / "tools/train_net.py", *words)
    assert str(caught.value).count("does not divide by the 2 processes") == 1
    assert not (tmp_path / "run").exists()
