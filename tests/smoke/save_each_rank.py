"""Trains as tools/train_net.py does, and leaves what every rank has: python save_each_rank.py DIR FLAGS...

``rank<n>.pth`` has its last weights, ``threads<n>.txt`` the names of the threads it still has at its end (Linux).
"""

import sys
from pathlib import Path

import torch

from alphaction.engine import run as engine_run
from alphaction.engine.assembly import save_run
from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_train_flags
from alphaction.engine.launch import rank_from_env

folder = Path(sys.argv[1])


def save_and_leave_weights(run, trainer, *others, is_final):
    save_run(run, trainer, *others, is_final=is_final)
    if is_final:
        torch.save({"model": run.model.state_dict()}, folder / f"rank{run.process.rank}.pth")


engine_run.save_run = save_and_leave_weights
code = run_tool(lambda: engine_run.train(parse_train_flags(sys.argv[2:])))
names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
(folder / f"threads{rank_from_env()}.txt").write_text("\n".join(names))
sys.exit(code)
