"""Every registered task, dataset, evaluator, schedule and optimizer goes through its contract on the generated data."""

import copy
import math

import pytest
import torch
from yacs.config import CfgNode

import alphaction.dataset.build
import alphaction.tasks
from alphaction.config import load_cfg
from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.build import make_data_loader
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.registry import DATASETS
from alphaction.evaluation.base import EVALUATORS, EvaluationResult
from alphaction.solver import OPTIMIZERS, SCHEDULERS, Span
from alphaction.solver.schedules import build_warm_up
from alphaction.structures.clip import ClipKey, ClipSample, Draw
from alphaction.tasks.base import TASKS
from alphaction.utils.registry import import_submodules

import_submodules(alphaction.tasks)

# A data set and a config of each task; a new task needs its line here.
EXAMPLES = {"action_detection": "AVAVideoDataset"}


@pytest.fixture(scope="module")
def cfg(tiny_words: list[str]) -> CfgNode:
    return TASKS.get("action_detection").resolve_config(load_cfg(tiny_words[1], tiny_words[2:]))


def test_every_task_and_dataset_has_an_example() -> None:
    assert set(TASKS) == set(EXAMPLES) and set(DATASETS) == set(EXAMPLES.values())


@pytest.mark.parametrize("name", list(DATASETS))
@pytest.mark.parametrize("is_train", [True, False])
def test_datasets_give_samples_that_depend_on_the_draw_alone(
    name: str, is_train: bool, cfg: CfgNode, tiny_data: SyntheticFiles
) -> None:
    entry = DatasetCatalog.get(str(tiny_data.train_yaml if is_train else tiny_data.val_yaml))
    dataset_class = DATASETS.get(name)
    dataset = dataset_class.from_catalog(entry, cfg, is_train)
    assert dataset.labels == dataset_class.labels_of(entry) and dataset.evaluator in EVALUATORS
    assert len({dataset.key(i) for i in range(len(dataset))}) == len(dataset) > 0
    one, two, plain = dataset[Draw(3, 1, 0)], dataset[Draw(3, 1, 0)], dataset[0]
    assert isinstance(one, ClipSample) and isinstance(one.key, ClipKey) and one.key == dataset.key(0) == plain.key
    assert torch.equal(one.media.frames, two.media.frames) and torch.equal(one.media.slow_index, two.media.slow_index)
    assert tuple(one.media.frames.shape[1:3]) == dataset.size_group(0)


@pytest.mark.parametrize("name", list(TASKS))
def test_tasks_train_predict_and_evaluate(name: str, cfg: CfgNode) -> None:
    task_class = TASKS.get(name)
    task = task_class.from_cfg(cfg)
    assert task.name == name == task_class.name
    torch.manual_seed(0)
    model = task.build_model(cfg)
    owned = [id(p) for unit in task.stages(model) for module in unit.modules.values() for p in module.parameters()]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())
    keys = model.state_dict()
    assert all(any(key.startswith(prefix) for key in keys) for prefix in task.head_prefixes(model))

    train = task.build_dataset(cfg, cfg.DATASETS.TRAIN[0], is_train=True)
    batch = next(iter(make_data_loader(train, cfg, is_train=True, seed=0, num_iterations=1)))
    output = task.train_step(model.train(), batch, torch.Generator().manual_seed(0))
    sum(output.losses.values()).backward()
    assert all(math.isfinite(value.item()) for value in (*output.losses.values(), *output.metrics.values()))
    assert all(p.grad is not None for p in model.parameters())
    task.after_step(output)

    test = task.build_dataset(cfg, cfg.DATASETS.TEST[0], is_train=False)
    with torch.inference_mode():
        predictions = list(task.predict(model.eval(), make_data_loader(test, cfg, is_train=False, seed=0)))
    assert {prediction.key for prediction in predictions} == {test.key(i) for i in range(len(test))}
    result = task.make_evaluator(cfg, test).evaluate(predictions)
    assert isinstance(result, EvaluationResult) and result.report.endswith(f"{result.primary} = {result.value:.8f}")
    task.load_state_dict(task.state_dict())


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_schedules_are_closed_forms_that_warm_up_and_never_rise_again(name: str) -> None:
    solver = load_cfg(None, ["SOLVER.WARMUP_ITERS", "10", "SOLVER.STEPS", "(40, 60)"]).SOLVER
    solver.SCHEDULER = name
    factor = SCHEDULERS.get(name)(solver, Span(0, 80, 40, drops=(50,)))
    values = [factor(iteration) for iteration in range(80)]
    assert values == [factor(iteration) for iteration in range(80)]
    top = values.index(max(values))
    assert 0 < top < 40 and 0.5 < values[top] <= 1 and min(values) >= 0
    assert values[: top + 1] == sorted(values[: top + 1]) and values[top:] == sorted(values[top:], reverse=True)
    assert values[-1] < values[top]

    alone = build_warm_up(solver, Span(0, 80, 40))
    assert alone(0) == pytest.approx(values[0]) and {alone(iteration) for iteration in range(40, 80)} == {1.0}
    later = SCHEDULERS.get(name)(solver, Span(30, 80, 40, drops=(50,)))
    assert later(30) == pytest.approx(values[0], abs=0.1) and later(79) <= later(40)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_optimizers_move_what_has_a_gradient_and_go_on_from_a_saved_state(name: str) -> None:
    solver = load_cfg(None, ["SOLVER.WEIGHT_DECAY", "0.1"]).SOLVER

    def start() -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
        layer = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(layer.weight, 1.0)
        torch.nn.init.constant_(layer.bias, 1.0)
        groups = [{"params": [p], "lr": 0.1, "weight_decay": 0.1} for p in layer.parameters()]
        return layer, OPTIMIZERS.get(name)(groups, solver)

    def step(layer: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        layer.weight.grad = torch.full_like(layer.weight, 0.5)
        optimizer.step()

    layer, optimizer = start()
    step(layer, optimizer)
    assert (layer.weight < 1).all() and (layer.bias == 1).all() and layer.bias not in optimizer.state
    other, resumed = start()
    other.load_state_dict(layer.state_dict())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(layer, optimizer)
    step(other, resumed)
    assert torch.equal(layer.weight, other.weight)
