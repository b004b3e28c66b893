"""Every command and snippet of the documentation is executed, in order, in a folder like a user's.

Commands run as they are written, on small data, with keys behind them that make the work short. `make` commands are run
by whoever runs this test, and by the test of the demo.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import ROOT, environment
from torchvision.models.video import r2plus1d_18, r3d_18

from alphaction.config import load_cfg
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.decode import probe
from alphaction.dataset.importers.cvat_writer import write_cvat
from alphaction.modeling import build_detector
from alphaction.structures.tracks import PersonTrack

pytestmark = pytest.mark.smoke

PAGES = ("README.md", "GETTING_STARTED.md", "MODEL_ZOO.md", "CONTRIBUTING.md", "data/README.md")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# What makes a documented training short; appended to the words of the command.
SMALL = "SOLVER.MAX_ITER 2 SOLVER.STEPS () SOLVER.WARMUP_ITERS 1 DATALOADER.NUM_WORKERS 0 DEVICE cpu"
SMALL_FRAMES = "INPUT.MIN_SIZE_TRAIN 64 INPUT.MIN_SIZE_TEST 64"
TWO_CLIPS = "SOLVER.VIDEOS_PER_BATCH 2 TEST.VIDEOS_PER_BATCH 2"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return [match[3] for match in BLOCK.finditer(text) if match[2] == language]


def commands(page: str) -> list[str]:
    lines = [line.strip() for block in blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_data: SyntheticFiles) -> Path:
    """A user's checkout: our tools and configurations, own data in mine/, AVA and weights below data/."""
    home = tmp_path_factory.mktemp("home")
    for name in ("tools", "config_files", "alphaction"):
        (home / name).symlink_to(ROOT / name)
    write_own_data(home / "mine", tiny_data)
    write_own_videos(home / "own", tiny_data)
    write_ava(home / "data/AVA")
    write_weights(home / "data/models")
    for name, snippet in python_snippets().items():
        (home / name).write_text(snippet)
    return home


def write_own_data(mine: Path, data: SyntheticFiles) -> None:
    (mine / "videos").mkdir(parents=True)
    for path in (data.train_videos[0], data.val_videos[0]):
        shutil.copy(path, mine / "videos")
    shutil.copy(data.val_videos[0], mine / "videos/vtest.avi")
    keep = data.train_videos[0].stem
    rows = [row for row in data.train_csv.read_text().splitlines() if row.startswith(keep)]
    (mine / "train.csv").write_text("\n".join(rows) + "\n")
    for name, source in (("val.csv", data.val_csv), ("val_boxes.csv", data.val_boxes)):
        (mine / name).write_text(source.read_text().replace(data.val_videos[0].stem, "vtest"))
    shutil.copy(data.label_map, mine / "labels.pbtxt")
    for block in blocks("GETTING_STARTED.md", "yaml"):
        name = re.search(r"# mine/(\w+\.yaml)", block)
        assert name is not None
        (mine / name[1]).write_text(re.sub(r"^ +", "", block, flags=re.MULTILINE))


def write_own_videos(own: Path, data: SyntheticFiles) -> None:
    """Writes the raw videos, boxes for the detector to "find", and what comes back from labelling."""
    (own / "raw").mkdir(parents=True)
    (own / "labelled").mkdir()
    sources = (("one", data.train_videos[0], data.train_csv), ("two", data.train_videos[1], data.train_csv))
    known = []
    for name, video, truth in sources:
        shutil.copy(video, own / "raw" / f"{name}.mp4")
        rows = [row.split(",") for row in truth.read_text().splitlines() if row.startswith(video.stem)]
        known += [",".join([name, *row[1:6], "", "0.9"]) for row in rows]
        info = probe(video)
        write_cvat(
            own / "labelled" / f"{name}.xml",
            tracks_of(name, rows),
            video=name,
            size=(info.width, info.height),
            fps=info.fps,
            num_frames=round(info.duration * info.fps),
            actions=("walk", "stand"),
        )
    (own / "known.csv").write_text("\n".join(dict.fromkeys(known)) + "\n")


def tracks_of(video: str, rows: list[list[str]]) -> list[PersonTrack]:
    """Returns a track for each person of AVA rows; odd class ids become "walk", even ones "stand"."""
    tracks = []
    for person in sorted({int(row[7]) for row in rows}):
        own = {int(row[1]): row for row in rows if int(row[7]) == person}
        times = sorted(own)
        tracks.append(
            PersonTrack(
                video=video,
                person_id=person,
                seconds=np.array(times, np.float64),
                xyxy=np.array([own[second][2:6] for second in times], np.float64),
                scores=np.ones(len(times)),
                actions=tuple(("walk" if int(own[second][6]) % 2 else "stand",) for second in times),
            )
        )
    return tracks


def write_ava(ava: Path) -> None:
    golden = ROOT / "tests/fixtures/golden/data_files"
    shutil.copytree(golden, ava, ignore=shutil.ignore_patterns("movies"))
    for path in list((ava / "annotations").glob("ava_val*")) + list((ava / "boxes").glob("ava_val*")):
        shutil.copy(path, path.with_name(path.name.replace("ava_val", "ava_train")))


def write_weights(models: Path) -> None:
    """Writes the files that the pages name; a released detector repeats one number, so that its file is small."""
    configs = ROOT / "config_files"
    tiny, backbone = (build_state(configs / f"{name}.yaml") for name in ("demo", "resnet50_4x16f_baseline"))
    backbone = {key.removeprefix("backbone."): value for key, value in backbone.items() if "backbone." in key}
    save(backbone, models / "pretrained_models/SlowFast-ResNet50-4x16.pth")
    save({"model": tiny}, models / "../demo/run/model_final.pth")
    for make in (r2plus1d_18, r3d_18):
        save(make(num_classes=4).state_dict(), models / f"{make.__name__}.pth")
    for config in configs.glob("resnet*.yaml"):
        with torch.device("meta"):
            shapes = {key: value.shape for key, value in build_detector(load_cfg(config)).state_dict().items()}
        state = {key: torch.full((), 0.01).expand(shape) for key, shape in shapes.items()}
        save({"model": state}, models / f"aia_models/{config.stem}.pth")


def build_state(config: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_detector(load_cfg(config)).state_dict()


def save(content: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


def python_snippets() -> dict[str, str]:
    found = {}
    for block in blocks("GETTING_STARTED.md", "python"):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name is not None, block
        found[name[1]] = block
    return found


def run_documented(line: str, home: Path) -> str:
    words = shlex.split(line)
    if words[0] == "torchrun":
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]]
    assert words[0] in ("python", sys.executable), line
    is_run = any(tool in line for tool in ("train_net.py", "test_net.py", "demo.py")) and "make_demo" not in line
    if is_run:
        words += f"{SMALL} {SMALL_FRAMES}".split()
        words += TWO_CLIPS.split() if "VIDEOS_PER_BATCH" not in line else []
    if "config_files/resnet" in line and "--dry-run" not in line:
        words += ["INPUT.MAX_SIZE_TRAIN", "96", "INPUT.MAX_SIZE_TEST", "96"]
    for name in ("r2plus1d_18", "r3d_18"):
        if name.replace("_", "") in line:
            words += ["MODEL.WEIGHT", f"data/models/{name}.pth"]  # in place of a download
    if "config_files/finetune/" in line:
        words += ["SOLVER.MAX_EPOCHS", "0", "FINETUNE.EPOCH_ITERS", "1"]
    if "benchmark.py finetune" in line:
        words += ["--seeds", "1", "--movies", *"1111", "--seconds", "8", "--iterations", "4", "4", "--epoch", "1"]
        words += ["--opts", "SOLVER.WARMUP_ITERS", "1"]
    if "make_synthetic.py" in line:
        words += ["--movies", "2", "1", "--seconds", "12"]
    if "detect_persons.py" in line:
        words = [*line.replace(" --tiles 2", "").split(), "--detector", "file:own/known.csv"]
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=home,
        env={**environment(), "PYTHONPATH": os.pathsep.join((str(ROOT), str(home)))},
        text=True,
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


PYTHON_COMMANDS = [
    (page, line)
    for page in PAGES
    for line in commands(page)
    if not line.startswith(("make ", "git ", "cd ", "source "))
]


@pytest.mark.parametrize(("page", "line"), PYTHON_COMMANDS, ids=[line[:60] for _, line in PYTHON_COMMANDS])
def test_documented_command_works(page: str, line: str, home: Path) -> None:
    run_documented(line, home)


def test_the_parts_of_the_page_are_used(home: Path) -> None:
    (line,) = [line for line in commands("GETTING_STARTED.md") if "my_backbone" in line]
    said = run_documented(line, home)
    assert "body" in said and "Dry run" in said
    dataset = line.replace("'my_head')", "'my_head', 'my_dataset')").replace("mine/train.yaml", "mine_train")
    dataset = dataset.replace("('mine/val.yaml',)", "()")
    (home / "my_dataset.py").write_text((home / "my_dataset.py").read_text().replace("/data/mine", str(home / "mine")))
    assert "Finished 2 iterations" in run_documented(
        dataset.replace("--dry-run", "--skip-final-test --skip-val-in-train") + " OUTPUT_DIR own_parts", home
    )


def test_other_commands_are_make_targets() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for line in commands(page):
            if line.startswith("make "):
                assert set(word for word in line.split()[1:] if "=" not in word) <= targets, line
