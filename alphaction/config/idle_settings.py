"""Settings that somebody made and that nothing will look at."""

from yacs.config import CfgNode

from alphaction.config.load import changed_keys

# Strategies whose keys stand below FINETUNE under their name, and are read by no other.
_WITH_KEYS = ("static", "fixed", "progressive", "early_gradual", "adaptive", "phases", "backbone_at_epoch")
_RELEASES_FROM_THE_END = ("fixed", "progressive", "early_gradual", "adaptive")


def idle_settings(cfg: CfgNode) -> list[str]:
    """Returns a sentence for each setting of a training that has no effect beside the others.

    A strategy of one's own may read any key of FINETUNE, so nothing is said of its keys.
    """
    changed = changed_keys(cfg)
    strategy, says = cfg.FINETUNE.STRATEGY, []
    if strategy in ("none", *_WITH_KEYS):
        for other in _WITH_KEYS:
            keys = [key for key in changed if f"{key}.".startswith(f"FINETUNE.{other.upper()}.")]
            if keys and other != strategy:
                says.append(f'{_have(keys)} no effect: FINETUNE.STRATEGY is "{strategy}", not "{other}".')
        keys = [f"FINETUNE.{name}" for name in ("RELEASE_NORM", "RELEASE_STEM") if f"FINETUNE.{name}" in changed]
        if keys and strategy not in _RELEASES_FROM_THE_END:
            why = "which releases nothing" if strategy == "none" else "which names what it releases"
            says.append(f'{_have(keys)} no effect with FINETUNE.STRATEGY "{strategy}", {why}.')
    if strategy == "backbone_at_epoch" and cfg.FINETUNE.BACKBONE_AT_EPOCH.LR == "rule":
        keys = [key for key in changed if key == "FINETUNE.RESTART_SCHEDULE"]
        if keys:
            says.append(
                f'{_have(keys)} no effect on what is released: BACKBONE_AT_EPOCH.LR is "rule", which gives its rate '
                'at every epoch; with "schedule" the schedule does.'
            )
    if strategy == "backbone_at_epoch" and cfg.FINETUNE.BACKBONE_AT_EPOCH.LR == "schedule":
        names = ("INITIAL_LR", "MULTIPLIER", "SHOULD_ALIGN")
        keys = [key for name in names if (key := f"FINETUNE.BACKBONE_AT_EPOCH.{name}") in changed]
        if keys:
            says.append(
                f'{_have(keys)} no effect: BACKBONE_AT_EPOCH.LR is "schedule", which looks at INITIAL_RATIO_LR alone.'
            )
    if cfg.SOLVER.STEP_EPOCHS and cfg.SOLVER.SCHEDULER != "warmup_multi_step":
        says.append(
            f'SOLVER.STEP_EPOCHS has no effect: SOLVER.SCHEDULER is "{cfg.SOLVER.SCHEDULER}", which has no steps.'
        )
    if cfg.MODEL.BACKBONE.FROZEN_BN:
        keys = [key for key in ("FINETUNE.BN_OF_FROZEN", "FINETUNE.BN_OF_TRAINED") if key in changed]
        if keys:
            says.append(
                f"{_have(keys)} no effect on the backbone: MODEL.BACKBONE.FROZEN_BN is True, so that its batch norms "
                "keep their statistics and weights; set it False."
            )
    return says


def _have(keys: list[str]) -> str:
    return f"{', '.join(keys)} {'has' if len(keys) == 1 else 'have'}"
