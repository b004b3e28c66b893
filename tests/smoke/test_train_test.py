"""Train, test and score through the tools, as a user does."""

import json
from pathlib import Path

import pytest
from runs import run_tool, scores_of

from alphaction.dataset.datasets.synthetic import SyntheticFiles

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_words: list[str]) -> Path:
    output = tmp_path_factory.mktemp("trained") / "run"
    said = run_tool("train_net.py", "--use-tfboard", *tiny_words, "SOLVER.EVAL_PERIOD", "2", "OUTPUT_DIR", str(output))
    assert "iter 4/4" in said and "mAP@0.5 = 0." in said
    return output


def test_a_run_leaves_its_files(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"config.yaml", "log.txt", "metrics.jsonl", "model_final.pth", "last_checkpoint", "tb"} <= names
    assert (trained / "last_checkpoint").read_text().strip() == "model_final.pth"
    assert {"metrics.json", "result.csv"} <= {path.name for path in (trained / "inference/val").iterdir()}
    assert (trained / "inference/iter_0000002/val/metrics.json").exists()
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [(entry["kind"], entry["iteration"]) for entry in lines] == [
        ("train", 1),
        ("train", 2),
        ("eval", 2),
        ("train", 3),
        ("train", 4),
        ("eval", 4),
    ]
    assert "Schedule: 4 iterations" in (trained / "log.txt").read_text()


def test_the_same_command_again_only_tests(trained: Path, tiny_words: list[str]) -> None:
    before = (trained / "inference/val/result.csv").read_bytes()
    words = ("--use-tfboard", *tiny_words, "SOLVER.EVAL_PERIOD", "2", "OUTPUT_DIR", str(trained))
    assert "after 4 iterations" in run_tool("train_net.py", *words)
    assert (trained / "inference/val/result.csv").read_bytes() == before


def test_test_net_and_eval_ava_give_the_score_of_training(
    trained: Path, tiny_words: list[str], tiny_data: SyntheticFiles, tmp_path: Path
) -> None:
    found = json.loads((trained / "inference/val/metrics.json").read_text())["metrics"]["mAP@0.5"]
    weights = ("MODEL.WEIGHT", str(trained / "model_final.pth"))
    said = run_tool("test_net.py", *tiny_words, *weights, "OUTPUT_DIR", str(tmp_path / "test"))
    assert f"mAP@0.5 = {found:.8f}" in said
    files = ("--gt", tiny_data.val_csv, "--det", tmp_path / "test/inference/val/result.csv")
    more = ("--labelmap", tiny_data.label_map, "--excluded", tiny_data.val_excluded, "--json", tmp_path / "e.json")
    said = run_tool("eval_ava.py", *map(str, (*files, *more)))
    assert f"mAP@0.5 = {found:.8f}" in said
    assert json.loads((tmp_path / "e.json").read_text())["metrics"]["mAP@0.5"] == pytest.approx(found, abs=1e-9)


def test_demo_writes_results_and_a_video(
    trained: Path, tiny_words: list[str], tiny_data: SyntheticFiles, tmp_path: Path
) -> None:
    video = tiny_data.val_videos[0]
    words = ("--video", str(video), "--boxes", str(tiny_data.val_boxes), "--output", str(tmp_path))
    said = run_tool("demo.py", *tiny_words[:2], *words, *tiny_words[2:], "OUTPUT_DIR", str(trained))
    assert "key frames" in said
    assert (tmp_path / f"{video.stem}.mp4").stat().st_size > 1000
    shown, tested = scores_of(tmp_path / f"{video.stem}.csv"), scores_of(trained / "inference/val/result.csv")
    assert tested and max(abs(shown[row] - score) for row, score in tested.items()) <= 1e-5


def test_dry_run_reports_and_writes_nothing(tiny_words: list[str], trained: Path, tmp_path: Path) -> None:
    words = (*tiny_words, "MODEL.WEIGHT", str(trained / "model_final.pth"), "OUTPUT_DIR", str(tmp_path / "dry"))
    said = run_tool("train_net.py", "--dry-run", "--transfer", *words)
    assert "Schedule: 4 iterations" in said and "parameters" in said and "part" in said and "Dry run" in said
    assert not (tmp_path / "dry").exists()


def test_a_real_video_is_a_data_set_by_yaml_files_alone(real_data: Path, tiny_words: list[str], tmp_path: Path) -> None:
    pets = real_data / "pets"
    if not pets.is_dir():
        pytest.skip(f"{pets} is not there")
    for name, more in (("train", ""), ("val", f"box_file: {pets}/pets_predicted_boxes.csv\n")):
        (tmp_path / f"{name}.yaml").write_text(
            f"video_root: {pets}\ncsv_gt_file: {pets}/pets_{name}.csv\nlabel_file: {pets}/action_list.pbtxt\n"
            f"groups: exclusive\n{more}"
        )
    files = ("DATASETS.TRAIN", f"('{tmp_path}/train.yaml',)", "DATASETS.TEST", f"('{tmp_path}/val.yaml',)")
    said = run_tool("train_net.py", *tiny_words, *files, "INPUT.FPS", "10", "OUTPUT_DIR", str(tmp_path / "run"))
    assert "52 clips of 1 videos" in said and "24 clips of 1 videos" in said
    assert "walk" in said and "mAP@0.5 = 0." in said
