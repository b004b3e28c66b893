"""A run that is resumed longer than before, or under other settings, where what was counted or begun could mislead."""

from pathlib import Path
from typing import Any

import pytest

from alphaction.checkpoint import compare_configs
from alphaction.config import get_cfg
from alphaction.engine.finetune_timeline import describe_timeline
from alphaction.engine.finetuning import enter_epoch
from alphaction.engine.metrics_file import MetricsFile
from tests.engine.test_finetuning import BASE_LR, EPOCH, make_cfg, make_run, train


def rates_to(cfg: Any, unit: str, end: int, *, max_epochs: int, saved: dict[str, Any] | None = None) -> list[float]:
    """Returns the rate of a unit at every iteration from where the run stands to ``end``, and its state at the end."""
    _, tuning, _, scheduler = make_run(cfg, max_epochs=max_epochs)
    start = 0
    if saved is not None:
        rows = compare_configs(saved["config"], cfg.dump())
        tuning.load_state_dict(saved["finetune"], [key for key, _, _ in rows if key.startswith("FINETUNE.")])
        scheduler.load_state_dict(saved["scheduler"])
        start = saved["iteration"]
    rates = []
    for iteration in range(start, end):
        if iteration % EPOCH == 0 or iteration == start:
            enter_epoch(tuning, scheduler, iteration, EPOCH, lambda _: 0.5)
        rates.append(BASE_LR * scheduler.unit_rate(unit) if unit in tuning.trained else 0.0)
        scheduler.step()
    return rates


def state_at(cfg: Any, iteration: int, *, max_epochs: int) -> dict[str, Any]:
    """Returns what a checkpoint of the run would hold of its rates."""
    _, tuning, _, scheduler = make_run(cfg, max_epochs=max_epochs)
    for now in range(iteration):
        if now % EPOCH == 0:
            enter_epoch(tuning, scheduler, now, EPOCH, lambda _: 0.5)
        scheduler.step()
    parts = {"finetune": tuning.state_dict(), "scheduler": scheduler.state_dict()}
    return {**parts, "iteration": iteration, "config": cfg.dump()}


def test_a_warm_up_that_began_at_a_release_ends_where_it_would_when_the_run_grows() -> None:
    solver = {"SCHEDULER": "warmup_multi_step", "WARMUP_ON": True, "WARMUP_ITERS": 50}
    cfg = make_cfg("early_gradual", solver=solver, RESTART_SCHEDULE="released")
    short = rates_to(cfg, "layer2.1", 4 * EPOCH, max_epochs=4)
    assert short[-1] == pytest.approx(BASE_LR)  # warm after half of the 9 iterations that were left
    for stop in (EPOCH + 1, EPOCH + 2, 2 * EPOCH):
        grown = rates_to(cfg, "layer2.1", 4 * EPOCH, max_epochs=40, saved=state_at(cfg, stop, max_epochs=4))
        assert grown == pytest.approx(short[stop:])


def test_adaptive_counts_anew_when_another_metric_is_monitored(tmp_path: Path) -> None:
    cfg = make_cfg("adaptive", FIRST_EPOCH=0, PATIENCE=3, MIN_IMPROVEMENT=0.0)
    parts, _ = train(cfg, tmp_path, stop=3 * EPOCH, metrics=lambda _: 0.6)
    assert parts["finetune"]["state"]["count"] == 1
    same, other = (make_cfg("adaptive", FIRST_EPOCH=0, PATIENCE=3, MIN_IMPROVEMENT=0.0) for _ in range(2))
    other.SOLVER.MONITOR = "mAP@0.5:0.95"
    counts = []
    for now in (same, other):
        later, _ = train(now, tmp_path, stop=3 * EPOCH + 1, saved=parts, metrics=lambda _: 0.3)
        counts.append((later["finetune"]["state"]["best"], later["finetune"]["state"]["count"]))
    assert counts == [(0.6, 2), (0.3, 0)]


def test_fixed_counts_anew_when_another_metric_is_monitored(tmp_path: Path) -> None:
    cfg = make_cfg("fixed", PHASE1_EPOCHS=9, PHASE1_PLATEAU_PATIENCE=1)
    parts, _ = train(cfg, tmp_path, stop=3 * EPOCH, metrics=lambda _: 0.6)
    cfg.SOLVER.MONITOR = "mAP@0.5:0.95"
    later, _ = train(cfg, tmp_path, stop=3 * EPOCH + 1, saved=parts, metrics=lambda _: 0.3)
    assert later["finetune"]["state"]["plateau"]["best"] == 0.3 and later["finetune"]["state"]["drops"] == 0


def test_a_second_phase_that_is_put_off_begins_again_when_its_time_comes() -> None:
    solver = {"SCHEDULER": "exponential", "GAMMA": 0.5, "DECAY_ITERS": EPOCH}
    early, late = (
        make_cfg("fixed", solver=solver, PHASE1_EPOCHS=epochs, PHASE1_PLATEAU_PATIENCE=-1, PHASE2_HEAD_LR_RATIO=1.0)
        for epochs in (1, 4)
    )
    saved = state_at(early, 2 * EPOCH, max_epochs=6)
    rates = rates_to(late, "head", 6 * EPOCH, max_epochs=6, saved=saved)
    assert rates[2 * EPOCH] == pytest.approx(BASE_LR)  # the schedule of phase 2 begins anew at epoch 4


def test_a_backbone_that_is_put_off_begins_at_its_ratio_of_the_head_again() -> None:
    early, late = (make_cfg("backbone_at_epoch", EPOCH=epoch, MULTIPLIER=4.0) for epoch in (1, 4))
    saved = state_at(early, 3 * EPOCH, max_epochs=6)
    assert rates_to(early, "layer2.1", 4 * EPOCH, max_epochs=6, saved=saved)[0] == pytest.approx(BASE_LR)
    rates = rates_to(late, "layer2.1", 6 * EPOCH, max_epochs=6, saved=saved)
    assert rates[0] == 0.0 and rates[EPOCH] == pytest.approx(0.1 * BASE_LR)


@pytest.mark.parametrize(
    ("solver", "key", "value", "follows_metric", "is_refused"),
    [
        ({"SCHEDULER": "plateau"}, "SOLVER.EVAL_PERIOD", 7, True, True),
        ({}, "SOLVER.EVAL_PERIOD", 7, True, False),
        ({}, "TEST.BOX_THRESH", 0.9, True, True),
        ({}, "TEST.BOX_THRESH", 0.9, False, False),
        ({}, "TEST.VIDEOS_PER_BATCH", 3, True, False),
    ],
)
def test_what_decides_the_metric_that_is_learnt_from_may_not_change_unsaid(
    solver: dict[str, Any], key: str, value: float, follows_metric: bool, is_refused: bool
) -> None:
    before, now = (make_cfg("adaptive", solver=solver) for _ in range(2))
    now.merge_from_list([key, value])
    rows = compare_configs(before.dump(), now.dump(), follows_metric=follows_metric)
    assert [row[0] for row in rows] == ([key] if is_refused else [])


def test_the_defaults_differ_in_nothing() -> None:
    assert compare_configs(get_cfg().dump(), get_cfg().dump(), follows_metric=True) == []


def timeline(cfg: Any, *, max_epochs: int, **more: Any) -> list[list[str]]:
    """Returns the cells of the rows that a dry run shows."""
    _, tuning, _, scheduler = make_run(cfg, max_epochs=max_epochs)
    if (saved := more.pop("saved", None)) is not None:
        tuning.load_state_dict(saved["finetune"])
        scheduler.load_state_dict(saved["scheduler"])
        more["start"] = saved["iteration"]
    end = max_epochs * EPOCH
    text = describe_timeline(tuning, scheduler, epoch_iters=EPOCH, max_iter=end, base_lr=BASE_LR, **more)
    return [row.split() for row in text.splitlines()[2:]]


def test_the_timeline_of_a_schedule_that_waits_for_a_metric_shows_a_metric_that_stands_still() -> None:
    solver = {"SCHEDULER": "plateau", "PLATEAU_PATIENCE": 0, "PLATEAU_FACTOR": 0.1}
    rows = timeline(make_cfg("none", solver=solver), max_epochs=4, eval_periods=[EPOCH])
    assert [row[-1] for row in rows] == ["0.001", "0.001", "0.0001", "1e-05"]


def test_the_timeline_of_adaptive_goes_on_from_the_metric_of_the_run(tmp_path: Path) -> None:
    cfg = make_cfg("adaptive", FIRST_EPOCH=0, PATIENCE=2)
    saved, _ = train(cfg, tmp_path, stop=2 * EPOCH + 1, metrics=lambda _: 0.6)  # one epoch without a gain
    rows = timeline(cfg, max_epochs=5, saved=saved, last_metric=0.6)
    assert [(row[0], row[2]) for row in rows if row[2].startswith("+")] == [("3", "+layer2")]


def test_a_change_to_a_strategy_without_events_is_an_event(tmp_path: Path) -> None:
    saved, _ = train(make_cfg("static"), tmp_path, stop=EPOCH)
    train(make_cfg("none"), tmp_path, stop=EPOCH + 1, saved=saved)
    line = MetricsFile(tmp_path / "metrics.jsonl", EPOCH + 1, None).get("finetune", EPOCH)
    assert line is not None and "layer2.1" in line["released"].split() and line["parameters_frozen"] == 0
