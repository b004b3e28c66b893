"""The whole way in one command: python tools/make_demo.py --output data/demo

Makes the demo data, trains, evaluates, evaluates once more with the frames of every clip shuffled, annotates a video of
people the model has not seen, and writes a page about it. Every step is a command that can be typed by itself.
"""

import argparse
import json
import os
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
DEFAULT = Path("data/demo")  # what the config names
SHOWN = "val_00.mp4"
RESULTS = "inference/val"
CONFIG = TOOLS.parent / "config_files/demo.yaml"


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make data, train, evaluate and show the result.")
    parser.add_argument("--output", type=Path, default=DEFAULT, metavar="DIR", help="(default: data/demo)")
    parser.add_argument(
        "--movies", type=int, nargs=2, default=(16, 4), metavar=("TRAIN", "VAL"), help="how many movies"
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="config keys to change")
    return parser.parse_args(argv)


def make_demo(flags: argparse.Namespace) -> None:
    folders = {name: flags.output / name for name in ("dataset", "run", "shuffled", "video")}
    commands = []
    started = time.perf_counter()
    for name, *words in demo_steps(flags, **folders):
        commands.append(" ".join(["python", os.path.relpath(TOOLS / name), *map(quoted, words)]))
        print(f"\n$ {commands[-1]}", flush=True)
        code = run_to_its_end([sys.executable, str(TOOLS / name), *words])
        if code == 128 + signal.SIGINT:
            raise KeyboardInterrupt
        if code:
            raise UserError(f"tools/{name} ended with exit code {code}; see its message above.")
    report = write_demo_report(flags.output, commands=commands, **folders)
    scores = [json.loads((folders[name] / RESULTS / "metrics.json").read_text()) for name in ("run", "shuffled")]
    score, without_order = (found["metrics"][found["primary"]] for found in scores)
    print(f"\nDone in {time.perf_counter() - started:.0f} s.")
    print(f"  report:          {report}")
    print(f"  annotated video: {folders['video'] / SHOWN}")
    print(f"  results:         {folders['run'] / RESULTS}")
    print(f"With the frames of every clip shuffled: {without_order:.4f}")
    print(f"{scores[0]['primary']} = {score:.8f}")


def demo_steps(flags: argparse.Namespace, *, dataset: Path, run: Path, shuffled: Path, video: Path) -> list[list[str]]:
    """Returns the tool and the words of each step."""
    config = ["--config-file", os.path.relpath(CONFIG)]
    common = [*([] if flags.output == DEFAULT else data_keys(dataset)), *flags.opts]
    trained = ["MODEL.WEIGHT", str(run / "model_final.pth")]
    shown = ["--video", str(dataset / "videos" / SHOWN), "--boxes", str(dataset / "val_boxes.csv")]
    return [
        ["make_synthetic.py", "--output", str(dataset), "--movies", *map(str, flags.movies)],
        ["train_net.py", *config, "OUTPUT_DIR", str(run), *common],
        ["test_net.py", *config, "OUTPUT_DIR", str(run), *common],
        ["test_net.py", *config, "OUTPUT_DIR", str(shuffled), *trained, "TEST.SHUFFLE_FRAMES", "True", *common],
        ["demo.py", *config, *shown, "--output", str(video), "OUTPUT_DIR", str(run), *common],
    ]


def data_keys(dataset: Path) -> list[str]:
    return ["DATASETS.TRAIN", f"('{dataset}/train.yaml',)", "DATASETS.TEST", f"('{dataset}/val.yaml',)"]


def quoted(word: str) -> str:
    """Returns a word as one would type it: a list of names in double quotes."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\') else shlex.quote(word)


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
