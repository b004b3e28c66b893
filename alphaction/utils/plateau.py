"""When has a metric stopped to become better?"""

import math
from collections.abc import Mapping
from typing import Any


class Plateau:
    """Counts values in a row that are no improvement on the best one.

    Args:
        patience: so many make a plateau; also an attribute.
        min_improvement: by how much a value must be better than the best one to take its place.
        smaller_is_better: of the values.
        first_best: what the first value has to improve on; None takes any first value.
        metric: what the values are; what was counted of another metric is not continued.
    """

    def __init__(
        self,
        *,
        patience: int,
        min_improvement: float = 0.0,
        smaller_is_better: bool = False,
        first_best: float | None = None,
        metric: str = "",
    ) -> None:
        self._metric = f"{metric}, {'smaller' if smaller_is_better else 'larger'} is better"
        self.patience, self._min_improvement = patience, min_improvement
        self._sign = -1.0 if smaller_is_better else 1.0
        self.best = -self._sign * math.inf if first_best is None else first_best
        self.count = 0

    def is_reached(self, value: float) -> bool:
        """Returns whether ``value`` makes a plateau; counting begins anew then. NaN is no improvement."""
        if self._sign * (value - self.best) > self._min_improvement:
            self.best, self.count = value, 0
            return False
        self.count += 1
        if self.count < self.patience:
            return False
        self.count = 0
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"metric": self._metric, "best": self.best, "count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what ``state_dict`` returned, unless it is about another metric; one of an older run says none."""
        if state.get("metric", self._metric) == self._metric:
            self.best, self.count = float(state["best"]), int(state["count"])
