"""Strategies that change nothing while the run goes on."""

from typing import Any

from alphaction.finetune.layout import ModelLayout
from alphaction.finetune.plan import Clock, FreezePlan
from alphaction.finetune.strategies.base import STRATEGIES, Strategy
from alphaction.utils.errors import ConfigError


class _Constant(Strategy):
    def __init__(self, trained: tuple[str, ...]) -> None:
        self._plan = FreezePlan(trained)

    def plan(self, clock: Clock) -> FreezePlan:
        return self._plan


@STRATEGIES.register("none")
class NoFreezing(_Constant):
    """Everything trains from the start; the factors on the rates make it discriminative fine-tuning."""

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "NoFreezing":
        return cls(layout.names)


@STRATEGIES.register("static")
class StaticFreezing(_Constant):
    """The units of FINETUNE.STATIC.TRAIN train, and no other one."""

    @classmethod
    def from_cfg(cls, cfg: Any, layout: ModelLayout) -> "StaticFreezing":
        trained = layout.resolve(cfg.FINETUNE.STATIC.TRAIN, "FINETUNE.STATIC.TRAIN")
        if not trained:
            raise ConfigError('FINETUNE.STATIC.TRAIN is empty, so nothing would train; ("head",) trains the head.')
        return cls(trained)
