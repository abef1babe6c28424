"""What all indicators share: points, readiness, history, comparison, events, reset.

Values are floats, where LEAN keeps 28 decimal digits; Python code sees floats in LEAN as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ..alias import both_styles
from ..bars import TradeBar
from ..known import Lean, missing
from .arguments import bind, is_number
from .events import EventHook, UpdatedHook
from .window import RollingWindow, turned

__all__ = ["EventHook", "Indicator", "IndicatorBase", "IndicatorDataPoint", "RollingWindow"]


@both_styles
class IndicatorDataPoint(Lean):
    """A value at a time. It compares with another point, not with a number, as in LEAN's Python."""

    __slots__ = ("symbol", "time", "value")

    def __init__(self, *args: Any) -> None:
        """`(time, value)` or `(symbol, time, value)`."""
        if len(args) not in (0, 2, 3) or (args and not is_number(args[-1])):
            raise TypeError(f"No method matches given arguments for IndicatorDataPoint: {args!r}")
        self.symbol = args[0] if len(args) == 3 else None
        self.time = args[-2] if args else datetime.min
        self.value = float(args[-1]) if args else 0.0

    @property
    def end_time(self) -> datetime:
        return self.time

    @end_time.setter
    def end_time(self, moment: datetime) -> None:
        self.time = moment

    @property
    def price(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{self.time:%Y-%m-%dT%H:%M:%S} - {self.value:g}"

    def __hash__(self) -> int:
        return hash((self.time, self.value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IndicatorDataPoint):
            return False
        return self.time == other.time and self.value == other.value


def _compared(cls: type, numbers: Callable[[Any, Any], tuple[float, float]]) -> None:
    """The four orderings of a class, on the numbers that `numbers(self, other)` finds."""

    def add(name: str, apply: Callable[[float, float], bool]) -> None:
        setattr(cls, name, lambda self, other: apply(*numbers(self, other)))

    add("__lt__", lambda a, b: a < b)
    add("__le__", lambda a, b: a <= b)
    add("__gt__", lambda a, b: a > b)
    add("__ge__", lambda a, b: a >= b)


def _points(one: Any, other: Any) -> tuple[float, float]:
    if not isinstance(other, IndicatorDataPoint):
        raise TypeError(
            f"Cannot compare IndicatorDataPoint with {type(other).__name__}: compare its value"
        )
    return one.value, other.value


def _indicators(one: Any, other: Any) -> tuple[float, float]:
    if isinstance(other, IndicatorBase):
        return one.value, other.value
    if not is_number(other):
        raise TypeError(f"Cannot compare {type(one).__name__} with {type(other).__name__}")
    return one.value, float(other)


@both_styles
class IndicatorBase(Lean):
    """One value that moves forward with every input.

    Subclasses give `_set_up(…)` with what their constructor takes, `_next(time, value)` for points
    or `_next_bar(bar)` for bars, and `is_ready`. A step that gives None moves nothing.
    """

    SHORT = ""
    SET_UPS: tuple[str, ...] = ("_set_up",)
    TAKES_BARS = False
    warm_up_period = 0
    period = 0

    if TYPE_CHECKING:
        # Each class takes arguments of its own.
        _set_up: Any
    else:

        def _set_up(self) -> None:
            """Without arguments."""

    def __init__(self, *args: Any, **named: Any) -> None:
        name, set_up, values = bind(type(self), args, named)
        self._begin(name or self._label(values))
        set_up(self, *values)

    def _begin(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self.value = 0.0
        self._ib_time = datetime.min
        self._ib_latest = datetime.min
        self._ib_bar: Any = None
        self._ib_before = (datetime.min, 0.0)
        self._ib_moves = 0
        self._ib_window: RollingWindow | None = None
        self._ib_listeners: list[Callable[[datetime, float], None]] = []
        self._ib_symbol: Any = None

    def _label(self, values: list[Any]) -> str:
        shown = ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
        return f"{self.SHORT or type(self).__name__}({shown})"

    # The hot path: `feed` and `feed_bar` are called once a bar for every indicator.

    def feed(self, time: datetime, value: float) -> bool:
        """Take one value; one from before the last is ignored, as in LEAN."""
        if time < self._ib_latest:
            return self.is_ready
        self._ib_latest = time
        self.samples += 1
        self._moved(time, self._next(time, value))
        return self.is_ready

    def feed_bar(self, bar: Any) -> bool:
        """Take one bar; indicators of single values take its close."""
        if not self.TAKES_BARS:
            return self.feed(bar.end_time, bar.value)
        time = bar.end_time
        if time < self._ib_latest or bar is self._ib_bar:
            return self.is_ready
        self._ib_latest = time
        self._ib_bar = bar
        self.samples += 1
        self._moved(time, self._next_bar(bar))
        return self.is_ready

    def _moved(self, time: datetime, value: float | None) -> None:
        if value is None:
            return
        self._ib_before = (self._ib_time, self.value)
        self.value = value
        self._ib_time = time
        self._ib_moves += 1
        if self._ib_window is not None:
            self._ib_window.add(IndicatorDataPoint(self._ib_symbol, time, value))
        if self._ib_listeners:
            for listener in list(self._ib_listeners):
                listener(time, value)

    def _next(self, time: datetime, value: float) -> float | None:
        raise TypeError(f"{type(self).__name__} takes bars, not single values")

    def _next_bar(self, bar: Any) -> float | None:
        raise TypeError(f"{type(self).__name__} takes single values, not bars")

    def follow(self, listener: Callable[[datetime, float], None]) -> None:
        """Call `listener(time, value)` after every move: how indicators are chained."""
        self._ib_listeners.append(listener)

    # What a strategy sees.

    @property
    def is_ready(self) -> bool:
        return self.samples > 0

    @property
    def current(self) -> IndicatorDataPoint:
        return IndicatorDataPoint(self._ib_symbol, self._ib_time, self.value)

    @property
    def previous(self) -> IndicatorDataPoint:
        return IndicatorDataPoint(self._ib_symbol, *self._ib_before)

    @property
    def window(self) -> RollingWindow:
        """The last values, two unless its size is set; kept from the first time it is asked for."""
        if self._ib_window is None:
            # LEAN puts a zero there before the first value.
            self._ib_window = turned(self.previous, self.current, self._ib_moves + 1)
        return self._ib_window

    # In C# spelling it is set as well as read, by a strategy's own PythonIndicator.
    @property
    def Value(self) -> float:  # noqa: N802
        return self.value

    @Value.setter
    def Value(self, value: float) -> None:  # noqa: N802
        self.value = float(value)

    @property
    def updated(self) -> UpdatedHook:
        return UpdatedHook(self, self._ib_listeners, IndicatorDataPoint)

    @updated.setter
    def updated(self, hook: UpdatedHook) -> None:
        """`updated += handler` ends here; the handler is there already."""

    @property
    def consolidators(self) -> list[Any]:
        found: list[Any] = self.__dict__.setdefault("_ib_consolidators", [])
        return found

    def update(self, *args: Any) -> bool:
        """`update(bar)`, `update(point)` or `update(time, value)`; whether it is ready after."""
        if len(args) == 2 and isinstance(args[0], date) and is_number(args[1]):
            if self.TAKES_BARS:
                raise NotImplementedError(
                    f"{type(self).__name__} does not support the `Update(DateTime, decimal)` "
                    "method. Use one of the following methods instead: Update(TradeBar), "
                    "Update(QuoteBar)"
                )
            return self.feed(args[0], float(args[1]))  # type: ignore[arg-type]
        if len(args) != 1:
            raise TypeError(
                f"No method matches given arguments for {type(self).__name__}.update: "
                f"({', '.join(type(item).__name__ for item in args)})"
            )
        return self._update(args[0])

    def _update(self, item: Any) -> bool:
        kind = type(self).__name__
        if is_number(item):
            how = "Update(TradeBar), Update(QuoteBar)" if self.TAKES_BARS else (
                "Update(DateTime, decimal), e.g. 'indicator.Update(bar.EndTime, bar.Close)', "
                "or Update(IndicatorDataPoint)"
            )  # fmt: skip
            raise NotImplementedError(f"{kind}.Update() requires a time for each new value: {how}")
        if self.TAKES_BARS and not hasattr(item, "close"):
            raise ValueError(
                f"IndicatorBase.Update() 'input' expected to be of type IBaseDataBar "
                f"but is of type {type(item).__name__}"
            )
        if isinstance(item, TradeBar) or self.TAKES_BARS:
            return self.feed_bar(item)
        if not hasattr(item, "end_time"):
            raise TypeError(f"No method matches given arguments for {kind}.update: {item!r}")
        return self.feed(item.end_time, float(item.value))

    def reset(self) -> None:
        """Back to the state before the first input; parts, listeners and names stay."""
        args, named = self.__dict__.get("_ib_made_with", ((), {}))
        _restore(self, type(self)(*args, **named))
        if self._ib_window is not None:
            self._ib_window.reset()
            self._ib_window.add(IndicatorDataPoint())

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        both_styles(cls)

    def __new__(cls, *args: Any, **named: Any) -> Any:
        made = super().__new__(cls)
        made.__dict__["_ib_made_with"] = (args, named)
        return made

    def __getitem__(self, index: int) -> Any:
        return self.window[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.window)

    def to_detailed_string(self) -> str:
        return f"{self.name} - {self}"

    def to_string(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        whole, _, digits = f"{self.value:.5f}".partition(".")
        return f"{whole}.{digits.rstrip('0') or '0'}"

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, IndicatorBase):
            return self is other
        return is_number(other) and self.value == float(other)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return id(self)

    def __getattr__(self, name: str) -> Any:
        return missing(type(self).__name__, name, self)


_compared(IndicatorDataPoint, _points)
_compared(IndicatorBase, _indicators)
Indicator = IndicatorBase
"""LEAN's base of the indicators of single values."""

_KEPT = frozenset(
    {"name", "_ib_listeners", "_ib_made_with", "_ib_window", "_ib_symbol", "_ib_consolidators"}
)


def _restore(mine: IndicatorBase, fresh: IndicatorBase) -> None:
    """Give `mine` the plain state of `fresh`; its parts are reset, what is called stays its own."""
    for key, value in fresh.__dict__.items():
        had = mine.__dict__.get(key)
        if key in _KEPT or callable(had):
            continue
        if isinstance(had, IndicatorBase):
            had.reset()
        elif isinstance(had, list) and had and isinstance(had[0], IndicatorBase):
            for part in had:
                part.reset()
        else:
            mine.__dict__[key] = value
