"""The whole way in one command: python tools/make_demo.py --output data/demo

Makes the demo data, trains, evaluates, evaluates once more with the frames of every clip shuffled, annotates a video of
people the model has not seen, and writes a page about it. Every step is a command that can be typed by itself.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from alphaction.engine.cli import run_tool
from alphaction.utils.errors import UserError
from alphaction.visualization.demo_report import write_demo_report

TOOLS = Path(__file__).parent
CONFIG = TOOLS.parent / "config_files/demo.yaml"


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make data, train, evaluate and show the result.")
    parser.add_argument("--output", type=Path, default=Path("data/demo"), metavar="DIR", help="(default: data/demo)")
    parser.add_argument(
        "--movies", type=int, nargs=2, default=(12, 4), metavar=("TRAIN", "VAL"), help="how many movies"
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="config keys to change")
    return parser.parse_args(argv)


def make_demo(flags: argparse.Namespace) -> None:
    root: Path = flags.output
    dataset, run, shuffled, video = (root / name for name in ("dataset", "run", "shuffled", "video"))
    keys = [f"DATASETS.TRAIN ('{dataset}/train.yaml',)", f"DATASETS.TEST ('{dataset}/val.yaml',)"]
    common = [word for pair in keys for word in pair.split(" ", 1)] + list(flags.opts)
    config = ["--config-file", str(CONFIG)]
    trained = ["MODEL.WEIGHT", str(run / "model_final.pth")]
    first_movie = dataset / "videos/val_00.mp4"
    steps = [
        ["make_synthetic.py", "--output", str(dataset), "--movies", *map(str, flags.movies)],
        ["train_net.py", *config, "--skip-final-test", "OUTPUT_DIR", str(run), *common],
        ["test_net.py", *config, "OUTPUT_DIR", str(run), *common],
        ["test_net.py", *config, "OUTPUT_DIR", str(shuffled), *trained, "TEST.SHUFFLE_FRAMES", "True", *common],
        [
            "demo.py",
            *config,
            "--video",
            str(first_movie),
            "--boxes",
            str(dataset / "val_boxes.csv"),
            "--output",
            str(video),
            "OUTPUT_DIR",
            str(run),
            *common,
        ],
    ]
    commands = []
    started = time.perf_counter()
    for name, *words in steps:
        commands.append(shlex.join(["python", f"tools/{name}", *words]))
        print(f"\n$ {commands[-1]}", flush=True)
        code = run_to_its_end([sys.executable, str(TOOLS / name), *words])
        if code == 128 + signal.SIGINT:
            raise KeyboardInterrupt
        if code:
            raise UserError(f"tools/{name} ended with exit code {code}; see its message above.")
    report = write_demo_report(root, dataset=dataset, run=run, shuffled=shuffled, video=video, commands=commands)
    scores = [json.loads((folder / "inference/val/metrics.json").read_text()) for folder in (run, shuffled)]
    score, without_order = (found["metrics"][found["primary"]] for found in scores)
    print(f"\nDone in {time.perf_counter() - started:.0f} s.")
    print(f"  {'report':>16}: {report}\n  {'annotated video':>16}: {video / first_movie.name}")
    print(f"  {'results':>16}: {run / 'inference/val'}")
    print(f"With the frames of every clip shuffled: {without_order:.4f}")
    print(f"{scores[0]['primary']} = {score:.8f}")


def run_to_its_end(command: Sequence[str]) -> int:
    """Returns the exit code; Ctrl-C reaches the tool as well, which is given the time to save."""
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    parsed = parse_flags()
    sys.exit(run_tool(lambda: make_demo(parsed)))
