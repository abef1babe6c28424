"""Chaining and combining indicators: `IndicatorExtensions`, `PythonIndicator`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..known import Lean
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .base import IndicatorBase, IndicatorDataPoint, number
from .windowed import Maximum, Minimum


class CompositeIndicator(IndicatorBase):
    """Two indicators joined by arithmetic; moves when both have moved."""

    def __init__(
        self, name: str, left: IndicatorBase, right: Any, join: Callable[[float, float], float]
    ) -> None:
        super().__init__(name)
        self.left = left
        self.right = right
        self._join = join
        self._fresh = [False, not isinstance(right, IndicatorBase)]
        left.follow(lambda time, value: self._arrived(0, time))
        if isinstance(right, IndicatorBase):
            right.follow(lambda time, value: self._arrived(1, time))

    def _arrived(self, side: int, time: datetime) -> None:
        self._fresh[side] = True
        if all(self._fresh):
            self._fresh = [False, not isinstance(self.right, IndicatorBase)]
            self.feed(time, self._join(self.left.value, number(self.right)))

    def _next(self, time: datetime, value: float) -> float:
        return value

    @property
    def is_ready(self) -> bool:
        right = self.right
        return self.left.is_ready and (not isinstance(right, IndicatorBase) or right.is_ready)


@both_styles
class IndicatorExtensions(Lean):
    """C#'s extension methods, as Python strategies call them."""

    UPPER = frozenset({"sma", "ema", "max", "min"})

    @staticmethod
    def of(second: Any, first: Any, wait_for_first_to_be_ready: bool = True) -> Any:
        """Feed `second` from `first`; gives `second`."""

        def pass_on(time: datetime, value: float) -> None:
            if not wait_for_first_to_be_ready or first.is_ready:
                second.feed(time, value)

        first.follow(pass_on)
        return second

    @staticmethod
    def sma(left: Any, period: int, wait_for_first_to_be_ready: bool = True) -> Any:
        made = SimpleMovingAverage(f"SMA({period}_Of_{left.name})", period)
        return IndicatorExtensions.of(made, left, wait_for_first_to_be_ready)

    @staticmethod
    def ema(
        left: Any,
        period: int,
        smoothing_factor: Any = None,
        wait_for_first_to_be_ready: bool = True,
    ) -> Any:
        extra = () if smoothing_factor is None else (smoothing_factor,)
        made = ExponentialMovingAverage(f"EMA({period}_Of_{left.name})", period, *extra)
        return IndicatorExtensions.of(made, left, wait_for_first_to_be_ready)

    @staticmethod
    def max(left: Any, period: int, wait_for_first_to_be_ready: bool = True) -> Any:
        made = Maximum(f"MAX({period}_Of_{left.name})", period)
        return IndicatorExtensions.of(made, left, wait_for_first_to_be_ready)

    @staticmethod
    def min(left: Any, period: int, wait_for_first_to_be_ready: bool = True) -> Any:
        made = Minimum(f"MIN({period}_Of_{left.name})", period)
        return IndicatorExtensions.of(made, left, wait_for_first_to_be_ready)

    @staticmethod
    def plus(left: Any, right: Any, name: str = "") -> Any:
        return CompositeIndicator(name or "PLUS", left, right, lambda a, b: a + b)

    @staticmethod
    def minus(left: Any, right: Any, name: str = "") -> Any:
        return CompositeIndicator(name or "MINUS", left, right, lambda a, b: a - b)

    @staticmethod
    def times(left: Any, right: Any, name: str = "") -> Any:
        return CompositeIndicator(name or "TIMES", left, right, lambda a, b: a * b)

    @staticmethod
    def over(left: Any, right: Any, name: str = "") -> Any:
        return CompositeIndicator(name or "OVER", left, right, lambda a, b: a / b if b else 0.0)


class PythonIndicator(IndicatorBase):
    """A strategy's own indicator: it sets `self.value` in `update(self, input)`."""

    TAKES_BARS = True

    def __init__(self, *args: Any) -> None:
        super().__init__(args[0] if args else type(self).__name__)

    def feed_bar(self, bar: Any) -> bool:
        """Hand the bar to the strategy's own `update`."""
        return self._hand_over(bar, bar.end_time)

    def feed(self, time: datetime, value: float) -> bool:
        """Hand a single value to the strategy's own `update`."""
        return self._hand_over(IndicatorDataPoint(time, value), time)

    def _hand_over(self, item: Any, time: datetime) -> bool:
        before = self.value
        self.samples += 1
        own = self.update
        if getattr(own, "__func__", None) is IndicatorBase.update:
            own = self.Update
        own(item)
        after, self.value = float(self.value), before
        self._moved(time, after)
        return self.is_ready

    @property
    def is_ready(self) -> bool:
        return self.samples > 0
