"""Chaining and combining indicators: `IndicatorExtensions`, composites, `PythonIndicator`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..enums import enum
from ..known import Lean
from .arguments import is_number
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .base import IndicatorBase, IndicatorDataPoint
from .derived import ConstantIndicator
from .windowed import Maximum, Minimum, Sum, WindowIdentity

_SUCCESS = enum("IndicatorStatus").SUCCESS
_MATH_ERROR = enum("IndicatorStatus").MATH_ERROR


@both_styles
class IndicatorResult(Lean):
    """What a step gave: a value, and whether it counts."""

    __slots__ = ("status", "value")

    def __init__(self, value: float, status: Any = _SUCCESS) -> None:
        self.value = float(value)
        self.status = status


class CompositeIndicator(IndicatorBase):
    """Two indicators joined by a function of both; moves when both have moved."""

    SET_UPS: tuple[str, ...] = ("_set_up", "_set_up_handler")

    def __class_getitem__(cls, kind: Any) -> type[CompositeIndicator]:
        return cls

    def _label(self, values: list[Any]) -> str:
        return f"COMPOSE({values[0].name},{values[1].name})"

    def _set_up(self, left: Any, right: Any, composer: Callable[[Any, Any], Any]) -> None:
        self.left, self.right, self._composer = left, right, composer
        self._fresh = [False, False]
        self._constant = [isinstance(side, ConstantIndicator) for side in (left, right)]
        left.follow(self._left_moved)
        right.follow(self._right_moved)

    def _left_moved(self, time: datetime, value: float) -> None:
        self._arrived(0, 1, time)

    def _right_moved(self, time: datetime, value: float) -> None:
        self._arrived(1, 0, time)

    def _arrived(self, side: int, other: int, time: datetime) -> None:
        self._fresh[side] = True
        if self._fresh[other] or self._constant[other]:
            self._fresh = [False, False]
            self.feed(max(time, self.left._ib_time, self.right._ib_time), 0.0)

    def _set_up_handler(self, left: Any, right: Any, handler: Callable[[Any, Any], Any]) -> None:
        self._set_up(left, right, handler)

    def _next(self, time: datetime, value: float) -> float | None:
        found = self._composer(self.left, self.right)
        if isinstance(found, IndicatorResult):
            return found.value if found.status == _SUCCESS else None
        return float(found)

    @property
    def is_ready(self) -> bool:
        return bool(self.left.is_ready and self.right.is_ready)

    def reset(self) -> None:
        """Both sides go back to their beginning as well."""
        self.left.reset()
        self.right.reset()
        kept = self._ib_listeners
        self._begin(self.name)
        self._ib_listeners = kept
        self._fresh = [False, False]


class ResetCompositeIndicator(CompositeIndicator):
    """A composite that calls a function of its own when it is reset."""

    SET_UPS: tuple[str, ...] = ("_set_up",)

    def _set_up(  # type: ignore[override]
        self, left: Any, right: Any, composer: Callable[[Any, Any], Any], extra_reset_action: Any
    ) -> None:
        super()._set_up(left, right, composer)
        self._extra = extra_reset_action

    def reset(self) -> None:
        """Both sides, and what was given for it."""
        super().reset()
        self._extra()


def _divide(left: Any, right: Any) -> IndicatorResult:
    if right.value == 0:
        return IndicatorResult(0.0, _MATH_ERROR)
    return IndicatorResult(left.value / right.value)


def _joined(left: Any, right: Any, name: str | None, join: Any) -> CompositeIndicator:
    if is_number(right):
        right = ConstantIndicator(f"{float(right):g}", float(right))
    return CompositeIndicator(name, left, right, join) if name else CompositeIndicator(
        left, right, join
    )  # fmt: skip


class _Of:
    """`IndicatorExtensions.of(second, first)`, with a type in brackets as well."""

    def __getitem__(self, kind: Any) -> _Of:
        return self

    def __call__(self, second: Any, first: Any, wait_for_first_to_ready: bool = True) -> Any:
        def pass_on(time: datetime, value: float) -> None:
            if wait_for_first_to_ready and not first.is_ready:
                return
            if second.TAKES_BARS:
                second.update(IndicatorDataPoint(time, value))
            else:
                second.feed(time, value)

        first.follow(pass_on)
        return second


@both_styles
class IndicatorExtensions(Lean):
    """C#'s extension methods, as Python strategies call them."""

    UPPER = frozenset({"sma", "ema", "max", "min"})
    of = Of = _Of()

    @staticmethod
    def sma(left: Any, period: int, wait_for_first_to_ready: bool = True) -> Any:
        made = SimpleMovingAverage(f"SMA{period}_Of_{left.name}", period)
        return IndicatorExtensions.of(made, left, wait_for_first_to_ready)

    @staticmethod
    def ema(
        left: Any,
        period: int,
        smoothing_factor: Any = None,
        wait_for_first_to_ready: bool = True,
    ) -> Any:
        extra = () if smoothing_factor is None else (smoothing_factor,)
        made = ExponentialMovingAverage(f"EMA{period}_Of_{left.name}", period, *extra)
        return IndicatorExtensions.of(made, left, wait_for_first_to_ready)

    @staticmethod
    def max(left: Any, period: int, wait_for_first_to_ready: bool = True) -> Any:
        made = Maximum(f"MAX{period}_Of_{left.name}", period)
        return IndicatorExtensions.of(made, left, wait_for_first_to_ready)

    @staticmethod
    def min(left: Any, period: int, wait_for_first_to_ready: bool = True) -> Any:
        made = Minimum(f"MIN{period}_Of_{left.name}", period)
        return IndicatorExtensions.of(made, left, wait_for_first_to_ready)

    @staticmethod
    def plus(left: Any, right: Any, name: str | None = None) -> Any:
        return _joined(left, right, name, lambda a, b: a.value + b.value)

    @staticmethod
    def minus(left: Any, right: Any, name: str | None = None) -> Any:
        return _joined(left, right, name, lambda a, b: a.value - b.value)

    @staticmethod
    def times(left: Any, right: Any, name: str | None = None) -> Any:
        return _joined(left, right, name, lambda a, b: a.value * b.value)

    @staticmethod
    def over(left: Any, right: Any, name: str | None = None) -> Any:
        return _joined(left, right, name, _divide)

    @staticmethod
    def weighted_by(value: Any, weight: Any, period: int) -> Any:
        """The average of `value`, weighted by `weight`, over `period` pairs."""
        ones, others = WindowIdentity(period), WindowIdentity(period)
        numerator, denominator = Sum("Sum_xy", period), Sum("Sum_y", period)

        def value_moved(time: datetime, item: float) -> None:
            ones.feed(time, item)
            if ones.samples == others.samples:
                numerator.feed(time, item * others.value)

        def weight_moved(time: datetime, item: float) -> None:
            others.feed(time, item)
            if ones.samples == others.samples:
                numerator.feed(time, item * ones.value)
            denominator.feed(time, item)

        value.follow(value_moved)
        weight.follow(weight_moved)
        return IndicatorExtensions.over(numerator, denominator)


class PythonIndicator(IndicatorBase):
    """A strategy's own indicator: it sets `self.value` in `update(self, input)`."""

    TAKES_BARS = False

    def __new__(cls, *args: Any, **named: Any) -> Any:
        wraps = cls is PythonIndicator and args and not isinstance(args[0], str)
        # A strategy's own __init__ need not call ours.
        made = super().__new__(ForeignIndicator if wraps else cls, *args, **named)
        made._begin(cls.__name__)
        made.__dict__["_ib_ready"] = made.__dict__["_ib_handing"] = False
        return made

    def __init__(self, *args: Any) -> None:
        if args and isinstance(args[0], str):
            self.name = args[0]

    def feed_bar(self, bar: Any) -> bool:
        """Hand the bar to the strategy's own `update`."""
        return self._hand_over(bar, bar.end_time)

    def feed(self, time: datetime, value: float) -> bool:
        """Hand a single value to the strategy's own `update`."""
        return self._hand_over(IndicatorDataPoint(self._ib_symbol, time, value), time)

    def on_updated(self, point: IndicatorDataPoint) -> None:
        """LEAN's own, for an `update` that the strategy calls itself: who follows it is told."""
        self.samples += not self._ib_handing
        if not self._ib_handing:
            self._moved(point.end_time, float(point.value))

    OnUpdated = on_updated

    @property
    def current(self) -> IndicatorDataPoint:
        return IndicatorDataPoint(self._ib_symbol, self._ib_time, self.value)

    @current.setter
    def current(self, point: IndicatorDataPoint) -> None:
        """By an `update` that the strategy calls itself, which then calls `on_updated`."""
        self.value, self._ib_time = float(point.value), point.end_time

    def _own(self) -> Any:
        own = self.update
        if getattr(own, "__func__", None) is IndicatorBase.update:
            own = self.Update
        return own

    def _hand_over(self, item: Any, time: datetime) -> bool:
        if time < self._ib_latest or item is self._ib_bar:
            return self.is_ready
        self._ib_latest, self._ib_bar = time, item
        before = self.value
        self.samples += 1
        self._ib_handing = True
        try:
            ready = self._own()(item)
        finally:
            self._ib_handing = False
        self._ib_ready = self.is_ready if ready is None else bool(ready)
        after, self.value = float(self.value), before
        self._moved(time, after)
        return self.is_ready

    @property
    def is_ready(self) -> bool:
        return bool(self.__dict__["_ib_ready"])

    def reset(self) -> None:
        """LEAN's own part alone: what the strategy keeps is the strategy's."""
        kept = self._ib_listeners
        value = self.value
        self._begin(self.name)
        self._ib_listeners, self.value = kept, value


class ForeignIndicator(PythonIndicator):
    """Wraps a strategy's own class with `update`, `value` and `is_ready`, as LEAN does."""

    def __init__(self, own: Any) -> None:
        self._wrapped = own
        self.name = str(_attribute(own, "name", type(own).__name__))
        for needed in ("is_ready", "update", "value"):
            if _attribute(own, needed, None) is None:
                spelt = "".join(part.title() for part in needed.split("_"))
                raise NotImplementedError(
                    f"Indicator.{spelt} must be implemented. Please implement this missing method "
                    f"in {self.name}"
                )
        self.warm_up_period = int(_attribute(own, "warm_up_period", 0) or 0)

    def _own(self) -> Any:
        def update(item: Any) -> Any:
            ready = _attribute(self._wrapped, "update", None)(item)
            self.value = float(_attribute(self._wrapped, "value", 0.0))
            return self.is_ready if ready is None else ready

        return update

    @property
    def is_ready(self) -> bool:
        return bool(_attribute(self._wrapped, "is_ready", False))


def _attribute(thing: Any, name: str, default: Any) -> Any:
    """In the spelling that the strategy used."""
    spelt = "".join(part.title() for part in name.split("_"))
    return getattr(thing, name, getattr(thing, spelt, default))
