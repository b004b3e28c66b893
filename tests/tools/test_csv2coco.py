"""The original's converter: equal files, ids that are one each, and the way back."""

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from alphaction.dataset.annotations import load_annotations
from alphaction.dataset.importers.ava_json_writer import make_ava_json
from alphaction.engine.cli import run_tool
from alphaction.structures.ava_csv import load_ground_truth_csv

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/fixtures/golden/csv2coco"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("csv2coco", ROOT / "tools" / "csv2coco.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def key_frames(tmp_path: Path) -> Path:
    """One key frame of each movie, of the size that the golden file has."""
    for name, (width, height) in json.loads((GOLDEN / "keyframe_sizes_wh.json").read_text()).items():
        folder = tmp_path / "keyframes" / Path(name).stem
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "902.jpg"), np.zeros((height, width, 3), np.uint8))
    return tmp_path / "keyframes"


def run(tool: ModuleType, *words: str | Path) -> int:
    flags = tool.parse_flags([str(word) for word in words])
    return run_tool(lambda: tool.json_to_csv(flags) if flags.reverse else tool.csv_to_json(flags))


def golden(name: str) -> Any:
    return json.loads(gzip.decompress((GOLDEN / name).read_bytes()))


def test_the_files_equal_the_originals(tool: ModuleType, key_frames: Path, tmp_path: Path) -> None:
    given = ["--movie_list", GOLDEN / "movie_list.txt", "--img_root", key_frames]
    written = ["--json_path", tmp_path / "all.json", "--min_json_path", tmp_path / "min.json"]
    assert run(tool, "--csv_path", GOLDEN / "sample.csv", *given, *written) == 0
    assert json.loads((tmp_path / "min.json").read_text()) == golden("sample_min.json.gz")
    content = json.loads((tmp_path / "all.json").read_text())
    assert content["annotations"] == json.loads((GOLDEN / "sample_annotations.json").read_text())
    assert run(tool, *given, *written) == 0
    assert json.loads((tmp_path / "min.json").read_text()) == golden("nocsv_min.json.gz")


def test_the_csv_comes_back(
    tool: ModuleType, key_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--movie_list", GOLDEN / "movie_list.txt", "--img_root", key_frames]
    assert run(tool, "--csv_path", GOLDEN / "sample.csv", *given, "--json_path", tmp_path / "all.json") == 0
    assert f"2688 of the images have no file in {key_frames}" in capsys.readouterr().out
    back = tmp_path / "back.csv"
    assert run(tool, "--reverse", "--json_path", tmp_path / "all.json", "--csv_path", back) == 0

    def rows(path: Path) -> list[tuple[Any, ...]]:
        found = load_ground_truth_csv(path)
        columns = (found.timestamp_ms, found.action, found.person_id, np.round(found.xyxy, 3))
        return sorted(zip([found.videos[i] for i in found.video], *(c.tolist() for c in columns), strict=True))

    assert rows(back) == rows(GOLDEN / "sample.csv")
    assert "Left out: 0 persons without an action, 2686 of 2691 images without a person." in capsys.readouterr().out


def test_ids_are_unique_and_nothing_is_lost(tmp_path: Path) -> None:
    box, other = "0.1,0.1,0.5,0.5", "0.2,0.2,0.6,0.6"
    lines = [f"a,902,{box},1,1001", f"a,903,{box},1,1", f"a,902,{other},2,", f"a,902,{box},2,3", f"a,902,{other},1,3"]
    lines += [f"a,20,{box},1,1", f"b,902,{box},1,1", f"a,902.5,{box},1,1"]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    made = make_ava_json(load_ground_truth_csv(tmp_path / "rows.csv"), ["a"], {"a": (100, 100)})
    ids = [entry["id"] for entry in made.content["annotations"]]
    assert len(set(ids)) == len(ids) == 7 and {902003, 903001} <= set(ids)
    assert (made.num_labels, made.num_other, made.num_outside) == (7, 1, 2)
    (tmp_path / "made.json").write_text(json.dumps(made.content))
    assert len(load_annotations(str(tmp_path / "made.json")).rows) == 7


def test_a_movie_without_key_frames_is_named(
    tool: ModuleType, key_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "movies.txt").write_text("mvA_-1.mkv\nmvD.mp4\n")
    words = ["--movie_list", tmp_path / "movies.txt", "--img_root", key_frames, "--json_path", tmp_path / "all.json"]
    assert run(tool, *words) == 2
    assert "The size of the movie mvD is taken from its key frames: there is no" in capsys.readouterr().err
    assert not (tmp_path / "all.json").exists()
