"""The one metric that decides: which weights are the best, when the rate falls, when the training ends."""

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from yacs.config import CfgNode

from alphaction.engine.flags import Flags
from alphaction.finetune import needs_epoch_metric
from alphaction.solver import METRIC_SCHEDULES
from alphaction.utils.comm import broadcast_object, is_main_process, raise_everywhere
from alphaction.utils.errors import ConfigError

logger = logging.getLogger(__name__)

Metrics = Mapping[str, float | str | None]

_STATE = ("name", "mode", "best", "best_iteration", "reference", "num_without_gain", "last", "last_iteration")


class Monitor:
    """What is known about the monitored metric; the same on every process.

    Attributes:
        name: of the metric in an evaluation's flat metrics; "" monitors nothing.
        mode: "max" if more is better, "min" if less is.
        best: the best value so far, None before the first.
        best_iteration: finished steps at that evaluation, -1 before the first.
        num_without_gain: evaluations in a row that were not better by more than ``min_delta`` than the last that was.
        last: value of the last evaluation, None if it gave no number.
        last_iteration: finished steps at the last evaluation, -1 before the first.
    """

    def __init__(self, name: str, *, mode: str = "max", min_delta: float = 0.0) -> None:
        self.name, self.mode = name, mode
        self._min_delta = min_delta
        self.best: float | None = None
        self.best_iteration = -1
        self.reference: float | None = None
        self.num_without_gain = 0
        self.last: float | None = None
        self.last_iteration = -1
        self._has_warned = False

    def tell(self, iteration: int, metrics: Metrics, *, counts: bool = True) -> bool:
        """Takes in an evaluation and returns whether its value is the best so far; every process calls it.

        Args:
            iteration: finished steps.
            metrics: of the evaluation; those of rank 0 are looked at.
            counts: the evaluation is one of those in which a gain is waited for.

        Raises:
            ConfigError: the metric is not among them.
        """
        self.last, self.last_iteration = self._shared_value(iteration, metrics), iteration
        if counts:
            self._count(self.last)
        is_best = self._is_better(self.last, self.best, 0.0)
        if is_best:
            self.best, self.best_iteration = self.last, iteration
        return is_best

    def value_at(self, iteration: int) -> float | None:
        """Returns the value after so many steps: NaN if that evaluation gave none, None if the last one was another."""
        if self.last_iteration != iteration:
            return None
        return math.nan if self.last is None else self.last

    def forget_best(self) -> None:
        """Makes the next value the best one; what is counted goes on."""
        self.best, self.best_iteration = None, -1

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` returned, unless it is about another metric."""
        if (state["name"], state["mode"]) != (self.name, self.mode):
            logger.warning(
                'The run monitored "%s" (%s) before and monitors "%s" (%s) now: its best value and the count of '
                "evaluations without a gain start anew.",
                *(state["name"], state["mode"], self.name, self.mode),
            )
            return
        for name in _STATE:
            setattr(self, name, state[name])

    def _count(self, value: float | None) -> None:
        if self._is_better(value, self.reference, self._min_delta):
            self.reference, self.num_without_gain = value, 0
        else:
            self.num_without_gain += 1

    def _is_better(self, value: float | None, than: float | None, by: float) -> bool:
        if value is None or than is None:
            return value is not None
        return value > than + by if self.mode == "max" else value < than - by

    def _shared_value(self, iteration: int, metrics: Metrics) -> float | None:
        if not self.name:
            return None
        error = None
        if is_main_process() and self.name not in metrics:
            error = unknown_metric(self.name, metrics)
        raise_everywhere(error)
        value = broadcast_object(_number(metrics[self.name]) if is_main_process() else None)
        if value is None and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The evaluation after %d iterations gives no number for the monitored %s: it counts as no gain, and so "
                "do others like it.",
                *(iteration, self.name),
            )
        return value


def unknown_metric(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> ConfigError:
    """Returns the error of a SOLVER.MONITOR that no evaluation gives."""
    return ConfigError(
        f'SOLVER.MONITOR: no evaluation gives "{name}"; choose one of {", ".join(known) or "(no metric at all)"}.'
    )


def check_monitoring(cfg: CfgNode, flags: Flags) -> None:
    """Checks that what looks at a metric gets one.

    Raises:
        ConfigError: one line a problem.
    """
    if problems := list(_missing_evaluations(cfg, flags)):
        raise ConfigError("The configuration cannot run:\n" + "\n".join(f"- {line}" for line in problems))


def learning_follows_metric(cfg: CfgNode) -> bool:
    """Returns whether the weights depend on the monitored metric, through the schedule or what trains."""
    return cfg.SOLVER.SCHEDULER in METRIC_SCHEDULES or needs_epoch_metric(cfg)


def keys_that_wait(cfg: CfgNode) -> list[str]:
    """Returns the settings that have an effect only if the run evaluates while it trains."""
    solver, strategy = cfg.SOLVER, cfg.FINETUNE.STRATEGY
    waiting = [f'SOLVER.SCHEDULER "{solver.SCHEDULER}"'] if solver.SCHEDULER in METRIC_SCHEDULES else []
    if solver.EARLY_STOP_PATIENCE:
        waiting.append(f"SOLVER.EARLY_STOP_PATIENCE {solver.EARLY_STOP_PATIENCE}")
    if needs_epoch_metric(cfg):
        waiting.append(f'FINETUNE.STRATEGY "{strategy}"')
    return waiting


def keys_that_look(cfg: CfgNode) -> list[str]:
    """Returns the settings that look at the monitored metric."""
    return [*keys_that_wait(cfg), *(["SOLVER.SAVE_BEST True"] if cfg.SOLVER.SAVE_BEST else [])]


def evaluation_periods(cfg: CfgNode, finetune_epoch: int) -> list[int]:
    """Returns the iterations between the evaluations of a training: EVAL_PERIOD, and an epoch if a strategy needs it.

    Args:
        cfg: the config.
        finetune_epoch: length of what FINETUNE calls an epoch.
    """
    return [cfg.SOLVER.EVAL_PERIOD, *([finetune_epoch] if needs_epoch_metric(cfg) else [])]


def check_periods(cfg: CfgNode, finetune_epoch: int, max_iter: int) -> None:
    """Checks that an evaluation comes before the end of a run that waits for one.

    Raises:
        ConfigError: none does.
    """
    if needs_epoch_metric(cfg) and finetune_epoch >= max_iter:
        raise ConfigError(
            f'FINETUNE.STRATEGY "{cfg.FINETUNE.STRATEGY}" would have no effect: it looks at the metric after each '
            f"epoch, one has {finetune_epoch} iterations, and the run {max_iter}. Make the run longer, or epochs "
            "shorter (FINETUNE.EPOCH_ITERS)."
        )
    shortest = min(evaluation_periods(cfg, finetune_epoch))
    if (waiting := keys_that_wait(cfg)) and shortest >= max_iter:
        raise ConfigError(
            f"{' and '.join(waiting)} would have no effect: the run has {max_iter} iterations and is evaluated every "
            f"{shortest}. Lower SOLVER.EVAL_PERIOD."
        )


def _missing_evaluations(cfg: CfgNode, flags: Flags) -> Iterator[str]:
    if not flags.skip_val_in_train:
        return
    for key in keys_that_wait(cfg):
        yield f"{key} needs the evaluations while training: leave --skip-val-in-train out."
    if cfg.SOLVER.SAVE_BEST and flags.skip_final_test:
        yield (
            "SOLVER.SAVE_BEST True needs an evaluation: leave --skip-val-in-train out, or --skip-final-test (then the "
            "only one is the final test)."
        )


def _number(value: float | str | None) -> float | None:
    return None if value is None or isinstance(value, str) or not math.isfinite(value) else float(value)
