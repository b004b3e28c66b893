"""Optimizer and schedule in words."""

import pytest

from alphaction.config import load_cfg
from alphaction.solver import SCHEDULERS, describe_solver

OPTIONS = ["SOLVER.STEPS", "(50, 70)", "SOLVER.MIN_LR_FACTOR", "0.01", "SOLVER.MONITOR", "mAP"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("warmup_multi_step", "90 iterations of 32 clips, 500 of them linear warm-up; learning rate 0.02 "
         "(warmup_multi_step, x 0.1 at (50, 70)); sgd."),
        ("half_period_cosine", "(half_period_cosine, down to 0.01 of it)"),
        ("polynomial", "(polynomial, power 1, down to 0.01 of it)"),
        ("exponential", "(exponential, x 0.1 in every epoch)"),
        ("plateau", "(plateau, x 0.2 when mAP has not become better in 4 evaluations, down to 0.01 of it)"),
        ("one_cycle", "90 iterations of 32 clips; learning rate 0.02 (one_cycle, from 0.04 of it up in the first 30% "
         "of the run, then down to 4e-06); sgd."),
    ],
)  # fmt: skip
def test_a_schedule_is_told_with_what_it_reads(name, expected):
    assert expected in describe_solver(load_cfg(None, [*OPTIONS, "SOLVER.SCHEDULER", name]).SOLVER, 90)


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_every_schedule_is_told_by_its_name(name):
    assert f"({name}" in describe_solver(load_cfg(None, ["SOLVER.SCHEDULER", name]).SOLVER, 90)


def test_a_decay_in_iterations_and_no_warm_up_are_told():
    solver = load_cfg(None, ["SOLVER.SCHEDULER", "exponential", "SOLVER.DECAY_ITERS", "40"]).SOLVER
    solver.WARMUP_ON = False
    assert describe_solver(solver, 90).endswith("0.02 (exponential, x 0.1 in every 40 iterations); sgd.")
    assert "warm-up" not in describe_solver(solver, 90)
