"""Pairs that give the keys of weight files other names."""

from pathlib import Path

import pytest

from alphaction.config import load_cfg
from alphaction.config.check import check_cfg
from alphaction.config.load import dump_cfg
from alphaction.utils.errors import ConfigError

PAIRS = [[r"^layer(\d)\.", r"res_nl\1."], ["a", ""]]


def test_pairs_come_from_the_command_line_and_survive_a_dump(tmp_path: Path) -> None:
    cfg = load_cfg(None, ["MODEL.WEIGHT_RENAME", repr([tuple(pair) for pair in PAIRS])])
    assert cfg.MODEL.WEIGHT_RENAME == PAIRS
    check_cfg(cfg)
    assert load_cfg(dump_cfg(cfg, tmp_path)) == cfg


def test_every_pair_that_is_none_is_named_with_the_other_problems() -> None:
    words = ["MODEL.WEIGHT_RENAME", "[['(', 'x'], ['a'], 'b', ['a', '\\\\2'], ['a', 'b']]", "MODEL.INFLATE", "middle"]
    with pytest.raises(ConfigError) as error:
        check_cfg(load_cfg(None, words))
    said = str(error.value)
    assert said.count("MODEL.WEIGHT_RENAME holds") == 4
    assert "missing ), unterminated subpattern" in said and "invalid group reference 2" in said
    assert 'MODEL.INFLATE is "middle"; choose one of "", mean, centre.' in said


def test_other_input_channels_are_preserved_or_repeated() -> None:
    with pytest.raises(ConfigError, match=r'INPUT_CHANNELS is "sum"; choose one of "", preserve, repeat'):
        check_cfg(load_cfg(None, ["MODEL.INPUT_CHANNELS", "sum"]))
