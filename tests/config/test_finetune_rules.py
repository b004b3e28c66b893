from typing import Any

import pytest

from alphaction.config import get_cfg
from alphaction.config.check import check_cfg
from alphaction.utils.errors import ConfigError


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"STATIC": {"TRAIN": (["head"],)}}, r"STATIC.TRAIN has the entry \['head'\]; it takes names"),
        ({"BACKBONE_AT_EPOCH": {"UNITS": (3,)}}, "BACKBONE_AT_EPOCH.UNITS has the entry 3"),
        ({"UNIT_LR_FACTORS": [["head", 0.5], ["stem", 1], ["head", 0.5]]}, 'UNIT_LR_FACTORS names "head" twice'),
        ({"UNIT_LR_FACTORS": [["head", True]]}, "UNIT_LR_FACTORS has the entry"),
        ({"PROGRESSIVE": {"EPOCHS": [True]}}, "PROGRESSIVE.EPOCHS is"),
        ({"STRATEGY": "phases", "PHASES": [{"epochs": 1, "train": [["head"]]}]}, r"PHASES\[0\].train has the entry"),
        ({"STRATEGY": "phases", "PHASES": [{"epochs": 1, "train": [{"a": 1}]}]}, r"PHASES\[0\].train has the entry"),
    ],
)
def test_an_entry_of_the_wrong_kind_is_one_line(keys: dict[str, Any], told: str) -> None:
    cfg = get_cfg()
    for name, value in keys.items():
        if isinstance(value, dict):
            cfg.FINETUNE[name].update(value)
        else:
            cfg.FINETUNE[name] = value
    with pytest.raises(ConfigError, match=told) as caught:
        check_cfg(cfg)
    assert str(caught.value).count("\n- ") == 1
