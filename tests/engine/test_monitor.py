import math

import pytest
from processes import run_in_processes
from torch.utils.data import DataLoader

from alphaction.config import get_cfg
from alphaction.engine.evaluation import OpenTestSet, monitored_metric
from alphaction.engine.flags import Flags
from alphaction.engine.monitor import Monitor, check_monitoring, check_periods, learning_follows_metric
from alphaction.evaluation.base import Evaluator
from alphaction.tasks.base import Task
from alphaction.utils.errors import ConfigError


def told(monitor: Monitor, *values: float | None) -> list[bool]:
    return [monitor.tell(10 * (place + 1), {"mAP": value}) for place, value in enumerate(values)]


def test_the_best_is_the_largest_or_the_smallest() -> None:
    assert told(Monitor("mAP"), 0.2, 0.1, 0.2, 0.3) == [True, False, False, True]
    lowest = Monitor("mAP", mode="min")
    assert told(lowest, 0.2, 0.3, 0.1) == [True, False, True]
    assert (lowest.best, lowest.best_iteration) == (0.1, 30)


def test_a_gain_too_small_to_count_is_still_the_best() -> None:
    monitor = Monitor("mAP", min_delta=0.1)
    assert told(monitor, 0.2, 0.25, 0.29) == [True, True, True]
    assert monitor.num_without_gain == 2
    monitor.tell(40, {"mAP": 0.31})
    assert monitor.num_without_gain == 0


def test_the_value_belongs_to_the_iteration_of_its_evaluation() -> None:
    monitor = Monitor("mAP")
    told(monitor, 0.2, 0.1)
    assert monitor.value_at(20) == 0.1
    assert monitor.value_at(10) is None and monitor.value_at(30) is None


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_no_number_is_no_gain_and_said_once(nothing: float | None, caplog: pytest.LogCaptureFixture) -> None:
    monitor = Monitor("mAP")
    assert told(monitor, 0.2, nothing, nothing) == [True, False, False]
    assert monitor.num_without_gain == 2 and math.isnan(monitor.value_at(30) or 0) and monitor.best == 0.2
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "The evaluation after 20 iterations gives no number for the monitored mAP"
    ]


def test_a_test_that_does_not_count_can_be_the_best() -> None:
    monitor = Monitor("mAP")
    told(monitor, 0.2, 0.1)
    assert not monitor.tell(30, {"mAP": 0.15}, counts=False) and monitor.num_without_gain == 1
    assert monitor.tell(40, {"mAP": 0.3}, counts=False) and monitor.num_without_gain == 1


def test_a_name_that_no_evaluation_gives_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r'no evaluation gives "mAp"; choose one of mAP, loss\.'):
        Monitor("mAp").tell(10, {"mAP": 0.1, "loss": 2.0})


def test_nothing_is_monitored_without_a_name() -> None:
    monitor = Monitor("")
    assert told(monitor, 0.2) == [False] and monitor.best is None


def test_the_state_comes_back_whole() -> None:
    first, second = Monitor("mAP", min_delta=0.05), Monitor("mAP", min_delta=0.05)
    told(first, 0.2, 0.21, 0.22)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert first.tell(40, {"mAP": 0.24}) == second.tell(40, {"mAP": 0.24})
    assert second.state_dict() == first.state_dict() and second.num_without_gain == 3


def test_the_state_of_another_metric_is_left_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Monitor("mAP"), Monitor("loss", mode="min")
    told(first, 0.2)
    second.load_state_dict(first.state_dict())
    assert second.best is None and 'monitors "loss" (min) now' in caplog.records[-1].getMessage()


def see_alike(rank: int) -> None:
    monitor = Monitor("mAP")
    metrics = {"mAP": 0.25} if rank == 0 else {}
    assert monitor.tell(10, metrics) and monitor.value_at(10) == 0.25
    with pytest.raises(ConfigError, match="no evaluation gives"):
        Monitor("other").tell(10, metrics)


def test_every_process_has_the_value_of_the_first() -> None:
    run_in_processes(see_alike)


@pytest.mark.parametrize(
    ("key", "value", "flags"),
    [
        ("SOLVER.SCHEDULER", "plateau", {"skip_val_in_train": True}),
        ("SOLVER.EARLY_STOP_PATIENCE", 3, {"skip_val_in_train": True}),
        ("SOLVER.SAVE_BEST", True, {"skip_val_in_train": True, "skip_final_test": True}),
        ("FINETUNE.STRATEGY", "adaptive", {"skip_val_in_train": True}),
    ],
)
def test_what_waits_for_evaluations_is_refused_where_there_are_none(
    key: str, value: object, flags: dict[str, bool]
) -> None:
    cfg = get_cfg()
    check_monitoring(cfg, Flags("", **flags))
    cfg.merge_from_list([key, value])
    with pytest.raises(ConfigError, match=key):
        check_monitoring(cfg, Flags("", **flags))
    check_monitoring(cfg, Flags(""))


def test_a_final_test_is_enough_for_the_best_weights() -> None:
    cfg = get_cfg()
    cfg.SOLVER.SAVE_BEST = True
    check_monitoring(cfg, Flags("", skip_val_in_train=True))
    check_monitoring(cfg, Flags("", skip_final_test=True))


def test_a_patience_without_an_evaluation_in_the_run_is_refused() -> None:
    cfg = get_cfg()
    cfg.SOLVER.EVAL_PERIOD = 10
    check_periods(cfg, finetune_epoch=3, max_iter=10)
    cfg.SOLVER.EARLY_STOP_PATIENCE = 2
    check_periods(cfg, finetune_epoch=3, max_iter=11)
    with pytest.raises(ConfigError, match=r"EARLY_STOP_PATIENCE 2 would have no effect.*Lower SOLVER\.EVAL_PERIOD"):
        check_periods(cfg, finetune_epoch=3, max_iter=10)


def test_a_strategy_that_sees_no_metric_before_the_end_is_refused() -> None:
    cfg = get_cfg()
    cfg.SOLVER.EVAL_PERIOD, cfg.FINETUNE.STRATEGY = 2, "adaptive"
    check_periods(cfg, finetune_epoch=8, max_iter=9)
    with pytest.raises(ConfigError, match=r'"adaptive" would have no effect.*8 iterations, and the run 8'):
        check_periods(cfg, finetune_epoch=8, max_iter=8)


class Named(Evaluator):
    def __init__(self, *names: str) -> None:
        self._names = names

    def metric_names(self) -> tuple[str, ...]:
        return self._names


def monitored(given: str, *evaluators: Evaluator, main: str = "mAP", waits: bool = False) -> str:
    cfg, task = get_cfg(), Task()
    cfg.SOLVER.MONITOR, cfg.SOLVER.EARLY_STOP_PATIENCE = given, int(waits)
    task.main_metric = main
    sets = [OpenTestSet(f"set{place}", DataLoader([]), evaluator) for place, evaluator in enumerate(evaluators)]
    return monitored_metric(cfg, task, sets)


def test_the_main_metric_of_the_first_set_is_monitored_by_itself() -> None:
    assert monitored("", Named("mAP")) == "mAP"
    assert monitored("", Named("mAP"), Named("mAP", "top1")) == "set0/mAP"
    assert monitored("set1/top1", Named("mAP"), Named("mAP", "top1")) == "set1/top1"
    assert monitored("", Named(), main="") == "" == monitored("anything")


def test_a_name_that_the_sets_are_known_not_to_give_is_found_before_the_training() -> None:
    with pytest.raises(ConfigError, match=r'gives "mAP"; choose one of set0/mAP, set1/mAP'):
        monitored("mAP", Named("mAP"), Named("mAP"))
    assert monitored("late", Named("mAP"), Named()) == "late"  # the second set's names are not known
    with pytest.raises(ConfigError, match=r"EARLY_STOP_PATIENCE 1: this task has no main metric"):
        monitored("", Named("mAP"), main="", waits=True)


@pytest.mark.parametrize(
    ("keys", "follows"),
    [
        ((), False),
        (("FINETUNE.STRATEGY", "progressive"), False),
        (("SOLVER.SCHEDULER", "plateau"), True),
        (("FINETUNE.STRATEGY", "adaptive"), True),
        (("FINETUNE.STRATEGY", "fixed"), True),
        (("FINETUNE.STRATEGY", "fixed", "FINETUNE.FIXED.PHASE1_PLATEAU_PATIENCE", -1), False),
    ],
)
def test_what_is_learnt_follows_the_metric_by_schedule_or_strategy(keys: tuple[object, ...], follows: bool) -> None:
    cfg = get_cfg()
    cfg.merge_from_list(list(keys))
    assert learning_follows_metric(cfg) is follows
