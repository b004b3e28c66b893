"""Names of the config that are looked up before any data is opened."""

import pytest

from alphaction.engine.flags import Flags
from alphaction.engine.setup import describe_schedule, resolve_config
from alphaction.solver import SCHEDULERS
from alphaction.utils.errors import UserError


def flags_of(*words: str) -> Flags:
    return Flags("", opts=words)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("SOLVER.SCHEDULER", "half_cosine", r'Unknown schedule .* "half_cosine"; did you mean "half_period_cosine"'),
        ("SOLVER.OPTIMIZER", "adamv", r'Unknown optimizer .* "adamv"; did you mean "adamw?"'),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(key: str, value: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        resolve_config(flags_of(key, value))


def test_a_schedule_of_the_user_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULERS._entries, "mine", lambda solver, span: lambda iteration: 1.0)
    cfg = resolve_config(flags_of("SOLVER.SCHEDULER", "mine"), trains=True).cfg
    assert "(mine)" in describe_schedule(cfg, 10)
