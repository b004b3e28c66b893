"""Settings that somebody made and that nothing will look at."""

from collections.abc import Collection, Iterator, Sequence

from yacs.config import CfgNode

from alphaction.config.load import changed_keys

# Strategies whose keys stand below FINETUNE under their name, and are read by no other.
_WITH_KEYS = ("static", "fixed", "progressive", "early_gradual", "adaptive", "phases", "backbone_at_epoch")
_RELEASES_FROM_THE_END = ("fixed", "progressive", "early_gradual", "adaptive")


def idle_settings(cfg: CfgNode) -> list[str]:
    """Returns a sentence for each setting of a training that has no effect beside the others.

    A strategy of one's own may read any key of FINETUNE, so nothing is said of its keys.
    """
    changed = tuple(changed_keys(cfg))
    says = [*_of_strategies(cfg.FINETUNE.STRATEGY, changed)] if cfg.FINETUNE.STRATEGY in ("none", *_WITH_KEYS) else []
    if cfg.FINETUNE.STRATEGY == "backbone_at_epoch":
        says += _of_backbone_at_epoch(cfg.FINETUNE.BACKBONE_AT_EPOCH.LR, changed)
    if cfg.SOLVER.STEP_EPOCHS and cfg.SOLVER.SCHEDULER != "warmup_multi_step":
        says.append(
            f'SOLVER.STEP_EPOCHS has no effect: SOLVER.SCHEDULER is "{cfg.SOLVER.SCHEDULER}", which has no steps.'
        )
    keys = [key for key in ("FINETUNE.BN_OF_FROZEN", "FINETUNE.BN_OF_TRAINED") if key in changed]
    if keys and cfg.MODEL.BACKBONE.FROZEN_BN:
        says.append(
            f"{_have(keys)} no effect on the backbone: MODEL.BACKBONE.FROZEN_BN is True, so that its batch norms keep "
            "their statistics and weights; set it False."
        )
    return says


def _of_strategies(strategy: str, changed: Collection[str]) -> Iterator[str]:
    """Yields what is said of keys that the strategy does not read."""
    for other in _WITH_KEYS:
        keys = [key for key in changed if f"{key}.".startswith(f"FINETUNE.{other.upper()}.")]
        if keys and other != strategy:
            yield f'{_have(keys)} no effect: FINETUNE.STRATEGY is "{strategy}", not "{other}".'
    keys = [key for key in ("FINETUNE.RELEASE_NORM", "FINETUNE.RELEASE_STEM") if key in changed]
    if keys and strategy not in _RELEASES_FROM_THE_END:
        why = "which releases nothing" if strategy == "none" else "which names what it releases"
        yield f'{_have(keys)} no effect with FINETUNE.STRATEGY "{strategy}", {why}.'


def _of_backbone_at_epoch(rule: str, changed: Collection[str]) -> Iterator[str]:
    """Yields what is said of keys beside BACKBONE_AT_EPOCH.LR."""
    names = ("INITIAL_LR", "MULTIPLIER", "SHOULD_ALIGN")
    keys = [key for name in names if (key := f"FINETUNE.BACKBONE_AT_EPOCH.{name}") in changed]
    if keys and rule == "schedule":
        yield f'{_have(keys)} no effect: BACKBONE_AT_EPOCH.LR is "schedule", which looks at INITIAL_RATIO_LR alone.'
    if "FINETUNE.RESTART_SCHEDULE" in changed and rule == "rule":
        yield (
            'FINETUNE.RESTART_SCHEDULE has no effect on what is released: BACKBONE_AT_EPOCH.LR is "rule", which gives '
            'its rate at every epoch; with "schedule" the schedule does.'
        )


def _have(keys: Sequence[str]) -> str:
    return f"{', '.join(keys)} {'has' if len(keys) == 1 else 'have'}"
