"""Trains as tools/train_net.py does, and leaves the weights of every rank: python save_each_rank.py DIR FLAGS..."""

import sys
from pathlib import Path

import torch

from alphaction.engine import run as engine_run
from alphaction.engine.assembly import save_run
from alphaction.engine.flags import parse_train_flags

folder = Path(sys.argv[1])


def save_and_leave_weights(run, trainer, *others, is_final):
    save_run(run, trainer, *others, is_final=is_final)
    if is_final:
        torch.save({"model": run.model.state_dict()}, folder / f"rank{run.process.rank}.pth")


engine_run.save_run = save_and_leave_weights
engine_run.train(parse_train_flags(sys.argv[2:]))
