"""Running averages and the remaining time of a loop."""

from collections import deque


class WindowMeter:
    """The mean of the last ``window`` values."""

    def __init__(self, window: int = 20) -> None:
        self._values: deque[float] = deque(maxlen=window)

    def update(self, value: float) -> None:
        self._values.append(value)

    @property
    def mean(self) -> float:
        return sum(self._values) / len(self._values) if self._values else 0.0


class MeterGroup:
    """Named window meters, created when a name is first seen."""

    def __init__(self, window: int = 20) -> None:
        self._window = window
        self._meters: dict[str, WindowMeter] = {}

    def update(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._meters.setdefault(name, WindowMeter(self._window)).update(value)

    def means(self) -> dict[str, float]:
        return {name: meter.mean for name, meter in self._meters.items()}


def format_duration(seconds: float) -> str:
    """Returns ``1 day, 2:03:04`` style text, rounded to seconds."""
    days, rest = divmod(round(seconds), 86400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} day{'s' if days != 1 else ''}, {clock}" if days else clock
