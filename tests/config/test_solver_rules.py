"""Ranges of the SOLVER keys."""

import pytest

from alphaction.config import get_cfg
from alphaction.config.check import check_cfg
from alphaction.utils.errors import ConfigError


def problems(**changed) -> list[str]:
    cfg = get_cfg()
    for key, value in changed.items():
        cfg.SOLVER[key] = value
    with pytest.raises(ConfigError) as caught:
        check_cfg(cfg)
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("MOMENTUM", 1.0, "SOLVER.MOMENTUM is 1.0; it must lie from 0 to below 1."),
        ("BETAS", (0.9, 1.0), "SOLVER.BETAS is (0.9, 1.0); it takes two numbers from 0 to below 1"),
        ("BETAS", (0.9,), "SOLVER.BETAS is (0.9,); it takes two numbers"),
        ("EPSILON", 0.0, "SOLVER.EPSILON is 0.0; it must be above 0"),
        ("WEIGHT_DECAY", -0.1, "SOLVER.WEIGHT_DECAY is -0.1; it must not be negative"),
        ("WEIGHT_DECAY_BN", float("nan"), "SOLVER.WEIGHT_DECAY_BN is nan; it must not be negative, and a number."),
        ("BIAS_LR_FACTOR", -1, "SOLVER.BIAS_LR_FACTOR is -1; it must not be negative"),
        ("GAMMA", 0.0, "SOLVER.GAMMA is 0.0; it must be above 0"),
        ("DECAY_ITERS", -1, "SOLVER.DECAY_ITERS is -1; it must not be negative"),
        ("MIN_LR_FACTOR", 1.5, "SOLVER.MIN_LR_FACTOR is 1.5; it must lie between 0 and 1"),
        ("POLYNOMIAL_POWER", 0.0, "SOLVER.POLYNOMIAL_POWER is 0.0; it must be above 0"),
        ("ONE_CYCLE_RISE", 0.0, "SOLVER.ONE_CYCLE_RISE is 0.0; it must lie above 0 and below 1"),
        ("ONE_CYCLE_RISE", 1.0, "SOLVER.ONE_CYCLE_RISE is 1.0; it must lie above 0 and below 1"),
        ("ONE_CYCLE_START_DIVISOR", 0.5, "SOLVER.ONE_CYCLE_START_DIVISOR is 0.5; it must be at least 1"),
        ("ONE_CYCLE_END_DIVISOR", float("inf"), "SOLVER.ONE_CYCLE_END_DIVISOR is inf; it must be at least 1"),
        ("PLATEAU_FACTOR", 1.0, "SOLVER.PLATEAU_FACTOR is 1.0; it must lie above 0 and below 1"),
        ("PLATEAU_PATIENCE", -1, "SOLVER.PLATEAU_PATIENCE is -1; it must not be negative"),
        ("PLATEAU_MIN_DELTA", -0.1, "SOLVER.PLATEAU_MIN_DELTA is -0.1; it must not be negative"),
        ("EARLY_STOP_PATIENCE", -1, "SOLVER.EARLY_STOP_PATIENCE is -1; it must not be negative"),
        ("EARLY_STOP_MIN_DELTA", -0.1, "SOLVER.EARLY_STOP_MIN_DELTA is -0.1; it must not be negative"),
        ("EMA_DECAY", 1.0, "SOLVER.EMA_DECAY is 1.0; it must lie from 0 to below 1"),
        ("MONITOR_MODE", "best", 'SOLVER.MONITOR_MODE is "best"; choose one of max, min.'),
    ],
)
def test_a_value_out_of_its_range_has_one_line(key: str, value: object, expected: str) -> None:
    (line,) = problems(**{key: value})
    assert line.startswith("- " + expected)


def test_steps_in_epochs_go_before_steps_in_iterations() -> None:
    cfg = get_cfg()
    cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEP_EPOCHS = 10, [3, 5]
    check_cfg(cfg)
    cfg.SOLVER.STEP_EPOCHS = [5, 3]
    with pytest.raises(ConfigError, match=r"SOLVER.STEP_EPOCHS \(5, 3\) must rise"):
        check_cfg(cfg)
    cfg.SOLVER.STEP_EPOCHS = ["3"]
    with pytest.raises(ConfigError, match=r"SOLVER.STEP_EPOCHS \('3',\) must be whole numbers"):
        check_cfg(cfg)


@pytest.mark.parametrize("strategy", ["fixed", "phases"])
def test_steps_may_lie_behind_max_iter_where_the_strategy_sets_the_length(strategy: str) -> None:
    cfg = get_cfg()
    cfg.SOLVER.MAX_ITER = 10
    with pytest.raises(ConfigError, match="must lie below"):
        check_cfg(cfg)
    cfg.FINETUNE.STRATEGY = strategy
    try:
        check_cfg(cfg)
    except ConfigError as error:
        assert "SOLVER.STEPS" not in str(error)
