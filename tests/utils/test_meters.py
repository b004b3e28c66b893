import pytest

from alphaction.utils.logger import format_table
from alphaction.utils.meters import MeterGroup, WindowMeter, format_duration
from alphaction.utils.seed import derived_seed, sample_generator


def test_window_meter_forgets_old_values() -> None:
    meter = WindowMeter(window=2)
    for value in (10.0, 1.0, 3.0):
        meter.update(value)
    assert meter.mean == 2.0


def test_meter_group_keeps_names_apart() -> None:
    meters = MeterGroup(window=5)
    meters.update({"a": 1.0, "b": 4.0})
    meters.update({"a": 3.0})
    assert meters.means() == {"a": 2.0, "b": 4.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00:00"), (3661, "1:01:01"), (90061, "1 day, 1:01:01"), (180000, "2 days, 2:00:00")]
)
def test_durations_read_as_clocks(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_table_aligns_numbers_to_the_right() -> None:
    assert format_table(("name", "n"), [("a", 5), ("long", 10)]) == "name   n\n----  --\na      5\nlong  10"


def test_seeds_depend_on_every_number_and_their_order() -> None:
    assert len({derived_seed(*numbers) for numbers in [(1, 2), (2, 1), (1, 2, 0), (1, 3)]}) == 4
    assert derived_seed(1, 2) == derived_seed(1, 2) < 2**63
    draws = [sample_generator(*numbers).random() for numbers in [(1, 0, 5), (1, 1, 5), (1, 0, 6), (1, 0, 5)]]
    assert draws[0] == draws[3] and len(set(draws)) == 3
