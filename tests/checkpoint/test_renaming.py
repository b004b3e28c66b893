"""Keys of a file under other names."""

import pytest

from alphaction.checkpoint.renaming import rename_keys
from alphaction.utils.errors import CheckpointError, ConfigError


def test_rules_apply_in_order_each_to_what_the_last_one_left() -> None:
    found = rename_keys(["layer1.0.w", "fc.w"], [[r"^layer(\d)", r"res\1"], ["^res", "net.res"]])
    assert found.names == {"layer1.0.w": "net.res1.0.w", "fc.w": "fc.w"}
    assert found.changed == (("layer1.0.w", "net.res1.0.w"),)


def test_a_rule_that_meets_no_key_is_named() -> None:
    assert rename_keys(["a.w"], [["^b", "c"], ["^a", "d"]]).idle == ("^b",)


def test_without_rules_keys_stay() -> None:
    found = rename_keys(["a.w"], ())
    assert found.names == {"a.w": "a.w"} and found.changed == ()


def test_two_keys_that_become_one_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r'the name "a.w" to two keys of the file, "a.w" and "b.w"'):
        rename_keys(["a.w", "b.w"], [["^b", "a"]])


@pytest.mark.parametrize("rule", [["a("], ["a", "b", "c"], ["a", 1], "ab", ["a(", "b"], ["a", r"\1"], ["a", r"\g<x>"]])
def test_a_rule_that_is_none_is_refused(rule) -> None:
    with pytest.raises(ConfigError, match=r"MODEL\.WEIGHT_RENAME holds"):
        rename_keys(["a.w"], [rule])
