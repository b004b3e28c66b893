"""Rates that follow a metric, against torch's own."""

import pytest
import torch
from solver_rates import rates_of
from torch import nn

from alphaction.config import get_cfg
from alphaction.solver import build_optimizer, build_scheduler

VALUES = [0.1, 0.3, 0.3, 0.305, 0.2, 0.31, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6, 0.59, 0.61, 0.61, 0.61, 0.61]


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(("patience", "min_delta"), [(0, 0.0), (1, 0.0), (2, 0.02), (3, 0.1)])
def test_rates_fall_where_those_of_torch_fall(mode, patience, min_delta):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, factor=0.5, patience=patience, threshold=min_delta, threshold_mode="abs", min_lr=0.1
    )
    cfg = get_cfg()
    cfg.SOLVER.SCHEDULER, cfg.SOLVER.MONITOR_MODE, cfg.SOLVER.WARMUP_ON = "plateau", mode, False
    cfg.SOLVER.PLATEAU_FACTOR, cfg.SOLVER.MIN_LR_FACTOR, cfg.SOLVER.BASE_LR = 0.5, 0.1, 1.0
    cfg.SOLVER.PLATEAU_PATIENCE, cfg.SOLVER.PLATEAU_MIN_DELTA = patience, min_delta
    scheduler = build_scheduler(cfg, build_optimizer(cfg, nn.Linear(1, 1, bias=False)))
    for value in VALUES if mode == "max" else [1 - value for value in VALUES]:
        scheduler.step()
        scheduler.report(value)
        expected.step(value)
        assert rates_of(scheduler) == pytest.approx([optimizer.param_groups[0]["lr"]], rel=1e-12)
    assert scheduler.plain_rate() < 1
