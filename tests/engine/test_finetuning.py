"""Fine-tuning in the loop: rates epoch by epoch, what is moved, several processes, and the resume matrix."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from alphaction.checkpoint import compare_configs
from alphaction.config import get_cfg
from alphaction.engine.finetune_report import parameter_counts, parameter_table
from alphaction.engine.finetune_timeline import describe_timeline
from alphaction.engine.finetuning import FinetunePhases, enter_epoch
from alphaction.engine.metrics_file import MetricsFile
from alphaction.engine.skipped import SkippedClips
from alphaction.engine.trainer import Hook, Trainer
from alphaction.finetune import FineTuning, build_fine_tuning
from alphaction.solver import build_optimizer, build_scheduler, load_optimizer_state
from tests.engine.toy import ToyTask, batches, make_batch
from tests.finetune.networks import Net
from tests.processes import run_in_processes

EPOCH = 3
BASE_LR = 1e-3


class ToyNet(Net):
    """Takes one number and gives one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.expand(-1, 4))[:, :1]


class Record(Hook):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, torch.Tensor]] = []

    def after_step(self, trainer: Trainer) -> None:
        self.weights.append({name: value.clone() for name, value in trainer.model.state_dict().items()})


def make_cfg(strategy: str, *, solver: dict[str, Any] | None = None, **keys: Any) -> Any:
    """Returns a config whose rates do not warm up; ``keys`` are of the strategy's node, in capitals of FINETUNE."""
    cfg = get_cfg()
    cfg.SOLVER.BASE_LR, cfg.SOLVER.WARMUP_ON, cfg.SOLVER.STEPS = BASE_LR, False, ()
    cfg.FINETUNE.STRATEGY = strategy
    for key, value in (solver or {}).items():
        cfg.SOLVER[key] = value
    for key, value in keys.items():
        node = cfg.FINETUNE if key in cfg.FINETUNE else cfg.FINETUNE[strategy.upper()]
        node[key] = value
    return cfg


def make_run(cfg: Any, *, max_epochs: int = 8) -> tuple[ToyNet, FineTuning, torch.optim.Optimizer, Any]:
    torch.manual_seed(0)
    net = ToyNet()
    optimizer = build_optimizer(cfg, net, net.stages())
    scheduler = build_scheduler(cfg, optimizer, max_epochs * EPOCH, EPOCH)
    return net, build_fine_tuning(cfg, net.stages()), optimizer, scheduler


def train(
    cfg: Any,
    folder: Path,
    *,
    stop: int,
    saved: dict[str, Any] | None = None,
    rank: int = 0,
    world_size: int = 1,
    metrics: Any = None,
    max_epochs: int = 8,
) -> tuple[dict[str, Any], Record]:
    """Trains to iteration ``stop`` and returns a checkpoint, and the weights after each step."""
    net, tuning, optimizer, scheduler = make_run(cfg, max_epochs=max_epochs)
    start = 0
    if saved is not None:
        start = saved["iteration"]
        net.load_state_dict(saved["model"])
        load_optimizer_state(optimizer, saved["optimizer"])
        scheduler.load_state_dict(saved["scheduler"])
        if "finetune" in saved:
            rows = compare_configs(saved["config"], cfg.dump())
            tuning.load_state_dict(saved["finetune"], [key for key, _, _ in rows if key.startswith("FINETUNE.")])
    record = Record()
    folder.mkdir(exist_ok=True)
    file = MetricsFile(folder / "metrics.jsonl", start, None)
    phases = FinetunePhases(
        tuning, epoch_iters=EPOCH, base_lr=BASE_LR, metric_at=metrics or (lambda iteration: 0.5), file=file
    )
    clips = batches(start) if world_size == 1 else (make_batch(1000 * rank + i) for i in range(start, stop))
    trainer = Trainer(
        task=ToyTask(),
        model=net,
        optimizer=optimizer,
        scheduler=scheduler,
        loader=clips,
        device=torch.device("cpu"),
        hooks=[phases, record],
        max_iter=stop,
        seed=5,
        rank=rank,
        skipped=SkippedClips(1),
        iteration=start,
        wrapper=DistributedDataParallel if world_size > 1 else None,
    )
    trainer.train()
    parts = {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "finetune": tuning.state_dict(),
        "iteration": trainer.iteration,
        "config": cfg.dump(),
    }
    return parts, record


def rates_by_epoch(cfg: Any, unit: str, num_epochs: int = 7) -> list[float]:
    """Returns the learning rate of a unit at the start of each epoch, 0 while it is frozen."""
    _, tuning, _, scheduler = make_run(cfg, max_epochs=num_epochs)
    rates = []
    for epoch in range(num_epochs):
        scheduler.jump_to(epoch * EPOCH)
        enter_epoch(tuning, scheduler, epoch * EPOCH, EPOCH, lambda iteration: 0.5)
        rates.append(BASE_LR * scheduler.unit_rate(unit) if unit in tuning.trained else 0.0)
    return rates


PL = {"EPOCH": 2, "INITIAL_RATIO_LR": 0.1, "MULTIPLIER": 2.0}
ZAMBA = {"EPOCH": 2, "INITIAL_RATIO_LR": 0.01, "MULTIPLIER": 1.0}


@pytest.mark.parametrize(
    ("keys", "solver", "expected"),
    [
        (PL, {}, [1e-4, 2e-4, 4e-4, 8e-4, 1e-3]),
        (ZAMBA, {}, [1e-5] * 5),
        (ZAMBA | {"MULTIPLIER": 10.0}, {}, [1e-5, 1e-4, 1e-3, 1e-3, 1e-3]),
        (ZAMBA, {"STEPS": (4 * EPOCH,), "GAMMA": 0.5}, [1e-5] * 5),
        (
            ZAMBA | {"INITIAL_RATIO_LR": 0.5},
            {"STEPS": (4 * EPOCH, 5 * EPOCH, 6 * EPOCH), "GAMMA": 0.5},
            [5e-4, 5e-4, 5e-4, 2.5e-4, 1.25e-4],
        ),
        (
            ZAMBA | {"MULTIPLIER": 2.0},
            {"SCHEDULER": "half_period_cosine"},
            [8.117449e-6, 1.6234898e-5, 3.2469796e-5, 6.4939592e-5, 4.951557e-5],
        ),
    ],
)
def test_the_backbones_rate_follows_lightnings_and_zambas_traces(
    keys: dict[str, Any], solver: dict[str, Any], expected: list[float]
) -> None:
    cfg = make_cfg("backbone_at_epoch", solver=solver, **keys)
    assert rates_by_epoch(cfg, "layer2.1") == pytest.approx([0.0, 0.0, *expected], rel=1e-6)


def test_the_head_rate_that_counts_is_that_of_the_epoch_that_begins() -> None:
    cfg = make_cfg("backbone_at_epoch", EPOCH=0, HEAD_LR_FACTOR=10.0, MULTIPLIER=1.0)
    assert rates_by_epoch(cfg, "stem", 2) == pytest.approx([1e-3, 1e-3])


def test_batch_norms_that_train_in_frozen_parts_have_their_parts_rate() -> None:
    cfg = make_cfg("static", BN_OF_FROZEN="train", BACKBONE_LR_FACTOR=0.1, LAYER_LR_DECAY=0.5)
    _, tuning, _, scheduler = make_run(cfg)
    enter_epoch(tuning, scheduler, 0, EPOCH, lambda iteration: None)
    assert [scheduler.unit_rate(unit) for unit in ("layer2.0", "layer1.0", "head")] == pytest.approx([0.1, 0.05, 1.0])


def test_the_backbone_may_start_at_a_rate_of_its_own_and_pass_the_heads() -> None:
    cfg = make_cfg("backbone_at_epoch", EPOCH=1, INITIAL_LR=4e-4, SHOULD_ALIGN=False)
    assert rates_by_epoch(cfg, "stem", 4) == pytest.approx([0, 4e-4, 8e-4, 1.6e-3])


def test_the_backbone_may_follow_the_schedule() -> None:
    cfg = make_cfg("backbone_at_epoch", solver={"STEPS": (3 * EPOCH,)}, EPOCH=1, LR="schedule")
    assert rates_by_epoch(cfg, "stem", 5) == pytest.approx([0, 1e-4, 1e-4, 1e-5, 1e-5])


def test_layers_learn_at_decaying_rates() -> None:
    cfg = make_cfg("none", BACKBONE_LR_FACTOR=0.1, LAYER_LR_DECAY=0.5)
    for unit, factor in (("head", 1.0), ("layer2.1", 0.1), ("layer1.0", 0.05), ("stem", 0.025)):
        assert rates_by_epoch(cfg, unit, 2) == pytest.approx([factor * BASE_LR] * 2)


def test_a_restarted_schedule_stretches_over_the_rest_of_the_run() -> None:
    cfg = make_cfg("progressive", solver={"SCHEDULER": "half_period_cosine"}, RESTART_SCHEDULE="released")
    found = rates_by_epoch(cfg, "layer1.1", 6)  # released at epoch 2 of 6
    expected = [0.5 * (1 + math.cos(math.pi * epoch / 4)) * BASE_LR for epoch in range(4)]
    assert found == pytest.approx([0, 0, *expected])
    assert rates_by_epoch(cfg, "head", 6)[3] == pytest.approx(0.5 * BASE_LR)


def test_a_new_phase_of_fixed_restarts_the_schedule_for_all() -> None:
    keys = {"PHASE1_EPOCHS": 2, "PHASE1_PLATEAU_PATIENCE": 0, "BACKBONE_LR_FACTOR": 0.1}
    cfg = make_cfg("fixed", solver={"SCHEDULER": "half_period_cosine"}, **keys)
    assert rates_by_epoch(cfg, "head", 6) == pytest.approx(
        [1e-3, 1e-3, *(5e-4 * 0.5 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4))]
    )
    assert rates_by_epoch(cfg, "layer2.0", 6)[2] == pytest.approx(1e-4)


def test_frozen_weights_and_statistics_stay_as_they_are_to_the_bit(tmp_path: Path) -> None:
    first = ToyNet().state_dict().keys()
    _, record = train(make_cfg("progressive"), tmp_path, stop=3 * EPOCH)
    torch.manual_seed(0)
    start = ToyNet().state_dict()
    for step, weights in enumerate(record.weights):
        epoch = step // EPOCH
        frozen = [("stem", "norm"), ("layer1",), ("layer2",)][: 3 - epoch]
        still = [name for name in first if name.startswith(tuple(n for names in frozen for n in names))]
        assert still and all(torch.equal(weights[name], start[name]) for name in still)
    moved = {name for name in first if not torch.equal(record.weights[-1][name], start[name])}
    assert {"layer1.0.0.weight", "layer2.0.1.running_mean", "head.weight"} <= moved


def test_a_release_leaves_the_optimizers_memory_of_what_trained_alone() -> None:
    for optimizer_name in ("sgd", "adam", "adamw"):
        cfg = make_cfg("progressive", solver={"OPTIMIZER": optimizer_name})
        net, tuning, optimizer, scheduler = make_run(cfg)
        enter_epoch(tuning, scheduler, 0, EPOCH, lambda iteration: None)
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.rand(4, 1)).sum().backward()
            optimizer.step()
        before = {key: value.clone() for key, value in optimizer.state[net.head.weight].items()}
        assert before and not optimizer.state[net.layer2[0][0].weight]
        enter_epoch(tuning, scheduler, EPOCH, EPOCH, lambda iteration: None)
        after = optimizer.state[net.head.weight]
        assert all(torch.equal(after[key], value) for key, value in before.items())


STRATEGIES_TO_RESUME = {
    "none": {},
    "static": {},
    "progressive": {"RESTART_SCHEDULE": "released"},
    "early_gradual": {"TARGET_RATIO": 0.9, "RESTART_SCHEDULE": "all"},
    "adaptive": {"PATIENCE": 1, "FIRST_EPOCH": 0},
    "fixed": {"PHASE1_EPOCHS": 2, "PHASE1_PLATEAU_PATIENCE": 0},
    "phases": {
        "PHASES": [{"epochs": 1, "train": ["head"]}, {"epochs": 0, "train": ["all"], "lr_factor": 0.1, "restart": True}]
    },
    "backbone_at_epoch": {"EPOCH": 1, "HEAD_LR_FACTOR": 10.0},
}


@pytest.mark.parametrize("strategy", STRATEGIES_TO_RESUME)
def test_a_resumed_run_equals_the_uninterrupted_one_wherever_it_stopped(strategy: str, tmp_path: Path) -> None:
    def cfg() -> Any:
        solver = {"OPTIMIZER": "adamw", "SCHEDULER": "half_period_cosine"}
        return make_cfg(strategy, solver=solver, **STRATEGIES_TO_RESUME[strategy])

    stop = 4 * EPOCH
    whole, record = train(cfg(), tmp_path / "whole", stop=stop)
    for split in range(1, stop):
        first, _ = train(cfg(), tmp_path / f"{split}", stop=split)
        second, _ = train(cfg(), tmp_path / f"{split}", stop=stop, saved=first)
        assert all(torch.equal(second["model"][name], whole["model"][name]) for name in whole["model"])
        assert second["finetune"] == whole["finetune"]
    assert len(record.weights) == stop


def release_epoch(record: Record, first_step: int = 0) -> int | None:
    """Returns the epoch in which the stem first moved, None if it never did."""
    for step, (before, after) in enumerate(pairwise(record.weights), start=1):
        if not torch.equal(before["stem.0.weight"], after["stem.0.weight"]):
            return (first_step + step) // EPOCH
    return None


@pytest.mark.parametrize(
    ("saved_with", "stop", "epoch", "expected"),
    [
        ("static", 2, 2, 2),  # a head-only run that goes on where the backbone is released
        ("static", 2, 1, 2),  # that is late: released at once
        ("static", 2, 3, 3),
        ("backbone_at_epoch", 1, 2, 2),
        ("backbone_at_epoch", 3, 2, 3),  # released already: it has to go on training
    ],
)
def test_the_resume_matrix_of_backbone_fine_tuning(
    saved_with: str, stop: int, epoch: int, expected: int, tmp_path: Path
) -> None:
    keys = {"EPOCH": epoch, "INITIAL_RATIO_LR": 0.5}
    before = make_cfg("static") if saved_with == "static" else make_cfg("backbone_at_epoch", **keys)
    saved, first = train(before, tmp_path, stop=stop * EPOCH)
    after, second = train(make_cfg("backbone_at_epoch", **keys), tmp_path, stop=5 * EPOCH, saved=saved)
    second.weights.insert(0, first.weights[-1])
    assert release_epoch(second, stop * EPOCH - 1) == expected
    if saved_with == "backbone_at_epoch" or epoch >= stop:
        _, whole = train(make_cfg("backbone_at_epoch", **keys), tmp_path, stop=5 * EPOCH)
        assert all(torch.equal(after["model"][name], whole.weights[-1][name]) for name in after["model"])


def test_another_strategy_takes_over_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    saved, _ = train(make_cfg("static"), tmp_path, stop=EPOCH + 1)
    cfg = make_cfg("backbone_at_epoch", EPOCH=1)
    _, record = train(cfg, tmp_path, stop=EPOCH + 2, saved=saved)
    statistics = "stem.1.running_mean"
    assert not torch.equal(record.weights[0][statistics], saved["model"][statistics])


def test_changed_settings_of_a_strategy_act_at_once(tmp_path: Path) -> None:
    saved, _ = train(make_cfg("static"), tmp_path, stop=EPOCH + 1)
    cfg = make_cfg("static", TRAIN=("layer2", "head"))
    after, _ = train(cfg, tmp_path, stop=EPOCH + 2, saved=saved)
    assert after["finetune"]["trained"] == ["layer2.0", "layer2.1", "head"]


def test_a_second_phase_may_be_made_longer_without_beginning_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {"PHASE1_EPOCHS": 1, "PHASE1_PLATEAU_PATIENCE": -1}
    saved, _ = train(make_cfg("fixed", PHASE2_EPOCHS=2, **keys), tmp_path, stop=EPOCH + 1)
    caplog.clear()
    with caplog.at_level("INFO"):
        train(make_cfg("fixed", PHASE2_EPOCHS=3, **keys), tmp_path, stop=EPOCH + 2, saved=saved)
    assert "[PARAMS]" not in caplog.text  # the epoch goes on


def test_a_rate_that_began_otherwise_is_forgotten(tmp_path: Path) -> None:
    saved, _ = train(make_cfg("backbone_at_epoch", EPOCH=1), tmp_path, stop=2 * EPOCH + 1)
    after, _ = train(
        make_cfg("backbone_at_epoch", EPOCH=1, INITIAL_RATIO_LR=0.5), tmp_path, stop=2 * EPOCH + 2, saved=saved
    )
    assert after["finetune"]["state"]["rate"] == 0.5


def test_another_strategy_does_not_inherit_restarted_schedules(tmp_path: Path) -> None:
    cfg = make_cfg("progressive", solver={"SCHEDULER": "half_period_cosine"}, RESTART_SCHEDULE="all")
    saved, _ = train(cfg, tmp_path, stop=EPOCH + 1)
    assert set(saved["finetune"]["starts"].values()) == {EPOCH}
    for other in (make_cfg("none"), make_cfg("progressive", RESTART_SCHEDULE="none")):
        after, _ = train(other, tmp_path, stop=EPOCH + 2, saved=saved)
        assert after["finetune"]["starts"] == {}


def test_every_epoch_is_in_the_log_and_the_metrics(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        train(make_cfg("early_gradual", TARGET_RATIO=0.6), tmp_path, stop=4 * EPOCH)
    assert caplog.text.count("[PARAMS] Epoch") == 4
    assert "[EARLY_GRADUAL] Epoch 1: Unfroze layer2.1 (28 parameters)" in caplog.text
    file = MetricsFile(tmp_path / "metrics.jsonl", 12, None)
    line = file.get("finetune", 2 * EPOCH)
    assert line is not None and line["released"] == "layer2.0" and line["lr/head"] == BASE_LR
    assert line["parameters_total_trainable"] + line["parameters_frozen"] == line["parameters_total"]


def test_a_run_without_freezing_has_a_line_each_epoch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        train(make_cfg("none"), tmp_path, stop=3 * EPOCH)
    assert "[PARAMS] Epoch 2: total 158/158, backbone 148/148, heads 10/10 trainable, 0 frozen" in caplog.text
    assert (
        caplog.text.count("[PARAMS]") == 3
        and MetricsFile(tmp_path / "metrics.jsonl", 9, None).get("finetune", 0) is None
    )


def test_the_numbers_of_the_parameter_table_add_up() -> None:
    _, tuning, _, scheduler = make_run(make_cfg("progressive"))
    enter_epoch(tuning, scheduler, 0, EPOCH, lambda iteration: None)
    enter_epoch(tuning, scheduler, EPOCH, EPOCH, lambda iteration: None)
    counts = parameter_counts(tuning)
    assert counts["backbone"] + counts["heads"] == counts["total"] == 28 * 5 + 8 + 10
    assert counts["total_trainable"] == 2 * 28 + 10 and counts["frozen"] == 3 * 28 + 8
    rows = [line.split() for line in parameter_table(tuning, scheduler, BASE_LR).splitlines()]
    assert ["layer2.1", "28", "28", "100.0%", "0.001"] in rows and ["stem", "28", "0", "0.0%", "frozen"] in rows
    assert ["total", "158", "66", "41.8%"] in rows and ["frozen", "92"] in rows


def test_the_timeline_shows_every_epoch_before_it_is_run() -> None:
    cfg = make_cfg("progressive", solver={"SCHEDULER": "half_period_cosine"})
    _, tuning, _, scheduler = make_run(cfg, max_epochs=4)
    rows = describe_timeline(tuning, scheduler, epoch_iters=EPOCH, max_iter=4 * EPOCH, base_lr=BASE_LR).splitlines()[2:]
    assert [row.split()[:2] for row in rows] == [["0", "0"], ["1", "3"], ["2", "6"], ["3", "9"]]
    assert "+layer2 " in rows[1] and "0.0005" in rows[2]


def test_the_timeline_of_a_run_that_goes_on_begins_where_it_stands(tmp_path: Path) -> None:
    saved, _ = train(make_cfg("progressive"), tmp_path, stop=EPOCH + 1)
    _, tuning, _, scheduler = make_run(make_cfg("progressive"))
    tuning.load_state_dict(saved["finetune"])
    text = describe_timeline(tuning, scheduler, epoch_iters=EPOCH, start=EPOCH + 1, max_iter=4 * EPOCH, base_lr=BASE_LR)
    rows = [row.split() for row in text.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["1", "4"], ["2", "6"], ["3", "9"]]
    assert rows[0][2:4] == ["layer2", "head"] and rows[1][2] == "+layer1"


def test_a_long_timeline_is_cut_to_its_events() -> None:
    _, tuning, _, scheduler = make_run(make_cfg("progressive", EVERY_N_EPOCHS=30), max_epochs=100)
    text = describe_timeline(tuning, scheduler, epoch_iters=EPOCH, max_iter=100 * EPOCH, base_lr=BASE_LR)
    assert len(text.splitlines()) == 2 + 4 + 1 and "96 epochs" in text


def train_in_two(rank: int, folder: str) -> None:
    cfg = make_cfg("progressive", solver={"BASE_LR": 0.1})
    _, record = train(cfg, Path(folder), stop=EPOCH + 3, rank=rank, world_size=2)
    for name, value in record.weights[-1].items():
        if "running" in name or "num_batches" in name:
            continue  # each process has those of its own clips until a checkpoint
        values = [torch.empty_like(value) for _ in range(2)]
        dist.all_gather(values, value)
        assert torch.equal(values[0], values[1]), name
    assert not torch.equal(record.weights[-1]["layer2.0.0.weight"], record.weights[EPOCH - 1]["layer2.0.0.weight"])


def test_two_processes_are_equal_three_steps_after_a_release(tmp_path: Path) -> None:
    run_in_processes(train_in_two, str(tmp_path))
