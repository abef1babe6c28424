"""What all indicators share: points, the rolling window, readiness, comparison, events.

Values are floats, where LEAN keeps 28 decimal digits; Python code sees floats in LEAN as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..known import Lean, missing


@both_styles
class IndicatorDataPoint(Lean):
    """A value at a time; compares and calculates as the number it holds."""

    __slots__ = ("symbol", "time", "value")

    def __init__(self, *args: Any) -> None:
        """`(time, value)` or `(symbol, time, value)`."""
        self.symbol = args[0] if len(args) == 3 else None
        self.time = args[-2] if len(args) > 1 else datetime.min
        self.value = float(args[-1]) if len(args) > 1 else 0.0

    @property
    def end_time(self) -> datetime:
        return self.time

    @property
    def price(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{self.time} - {self.value:g}"

    def __hash__(self) -> int:
        return hash((self.time, self.value))


def number(thing: Any) -> float:
    """The number in an indicator, a data point or a plain number; TypeError for anything else."""
    if isinstance(thing, IndicatorBase):
        return thing.value
    if isinstance(thing, IndicatorDataPoint):
        return thing.value
    if isinstance(thing, int | float):
        return thing
    raise TypeError(f"unsupported operand type: {type(thing).__name__!r}")


def _compares(cls: type) -> type:
    """Comparison and arithmetic by value, on data points and indicators alike."""

    def operator(apply: Callable[[float, float], Any]) -> Callable[[Any, Any], Any]:
        def compute(self: Any, other: Any) -> Any:
            try:
                return apply(self.value, number(other))
            except TypeError:
                return NotImplemented

        return compute

    operations: dict[str, Callable[[float, float], Any]] = {
        "lt": lambda a, b: a < b,
        "le": lambda a, b: a <= b,
        "gt": lambda a, b: a > b,
        "ge": lambda a, b: a >= b,
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "truediv": lambda a, b: a / b,
        "radd": lambda a, b: b + a,
        "rsub": lambda a, b: b - a,
        "rmul": lambda a, b: b * a,
        "rtruediv": lambda a, b: b / a,
    }
    for name, apply in operations.items():
        setattr(cls, f"__{name}__", operator(apply))

    def equal(self: Any, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, int | float | IndicatorBase | IndicatorDataPoint) and bool(
            self.value == number(other)
        )

    cls.__eq__ = equal  # type: ignore[assignment]
    setattr(cls, "__float__", lambda self: float(self.value))  # noqa: B010
    setattr(cls, "__neg__", lambda self: -self.value)  # noqa: B010
    setattr(cls, "__abs__", lambda self: abs(self.value))  # noqa: B010
    return cls


@both_styles
class RollingWindow(Lean):
    """The last `size` items, newest first; `RollingWindow[float](5)` as in C#."""

    def __init__(self, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int):
            raise TypeError(f"RollingWindow needs a whole number, got {size!r}")
        if size < 1:
            raise ValueError("RollingWindow must have size of at least 1.")
        self._items: deque[Any] = deque(maxlen=size)
        self.samples = 0
        self.most_recently_removed: Any = None

    def __class_getitem__(cls, kind: Any) -> type[RollingWindow]:
        return cls

    @property
    def size(self) -> int:
        return self._items.maxlen or 0

    @size.setter
    def size(self, value: int) -> None:
        self._items = deque(list(self._items)[:value], maxlen=value)

    @property
    def count(self) -> int:
        return len(self._items)

    @property
    def is_ready(self) -> bool:
        return len(self._items) == self._items.maxlen

    def add(self, item: Any) -> None:
        """Put `item` in front, dropping the oldest of a full window."""
        if len(self._items) == self._items.maxlen:
            self.most_recently_removed = self._items[-1]
        self._items.appendleft(item)
        self.samples += 1

    def reset(self) -> None:
        self._items.clear()
        self.samples = 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self._items)[index]
        if not 0 <= index < self.size:
            raise IndexError(
                f"Index must be between 0 and {self.size - 1} (rolling window size), got {index}"
            )
        return self._items[index] if index < len(self._items) else None

    def __setitem__(self, index: int, value: Any) -> None:
        self._items[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)


class EventHook:
    """A C# event: `indicator.updated += handler`."""

    def __init__(self) -> None:
        self.handlers: list[Callable[..., Any]] = []

    def __iadd__(self, handler: Callable[..., Any]) -> EventHook:
        self.handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[..., Any]) -> EventHook:
        self.handlers.remove(handler)
        return self

    def fire(self, *args: Any) -> None:
        for handler in list(self.handlers):
            handler(*args)


@both_styles
class IndicatorBase(Lean):
    """One value that moves forward with every input.

    Subclasses give `_next(time, value)` for points or `_next_bar(bar)` for bars, and `is_ready`.
    """

    warm_up_period = 0
    period = 0
    TAKES_BARS = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self.value = 0.0
        self.last_time = datetime.min
        self._before: tuple[datetime, float] | None = None
        self._window: RollingWindow | None = None
        self._updated = EventHook()
        self._others: list[Callable[[datetime, float], None]] = []

    # The hot path: `feed` and `feed_bar` are called once a bar for every indicator.

    def feed(self, time: datetime, value: float) -> bool:
        """Take one value."""
        self.samples += 1
        self._moved(time, self._next(time, value))
        return self.is_ready

    def feed_bar(self, bar: Any) -> bool:
        """Take one bar; indicators of single values take its close."""
        self.samples += 1
        if self.TAKES_BARS:
            self._moved(bar.end_time, self._next_bar(bar))
        else:
            self._moved(bar.end_time, self._next(bar.end_time, bar.close))
        return self.is_ready

    def _moved(self, time: datetime, value: float) -> None:
        self._before = (self.last_time, self.value) if self.samples > 1 else None
        self.value = value
        self.last_time = time
        if self._window is not None:
            self._window.add(IndicatorDataPoint(time, value))
        if self._updated.handlers:
            self._updated.fire(self, IndicatorDataPoint(time, value))
        for other in self._others:
            other(time, value)

    def _next(self, time: datetime, value: float) -> float:
        raise TypeError(f"{type(self).__name__} takes bars, not single values")

    def _next_bar(self, bar: Any) -> float:
        raise TypeError(f"{type(self).__name__} takes single values, not bars")

    def follow(self, listener: Callable[[datetime, float], None]) -> None:
        """Call `listener(time, value)` after every move: how indicators are chained."""
        self._others.append(listener)

    # What a strategy sees.

    @property
    def is_ready(self) -> bool:
        return self.samples > 0

    @property
    def current(self) -> IndicatorDataPoint:
        return IndicatorDataPoint(self.last_time, self.value)

    @property
    def previous(self) -> IndicatorDataPoint:
        if self._before is None:
            return IndicatorDataPoint(self.last_time, self.value if self.samples else 0.0)
        return IndicatorDataPoint(*self._before)

    @property
    def window(self) -> RollingWindow:
        """The last values, two unless its size is set; kept from the first time it is asked for."""
        if self._window is None:
            self._window = RollingWindow(2)
            if self._before is not None:
                self._window.add(IndicatorDataPoint(*self._before))
            if self.samples:
                self._window.add(IndicatorDataPoint(self.last_time, self.value))
        return self._window

    # In C# spelling it is set as well as read, by a strategy's own PythonIndicator.
    @property
    def Value(self) -> float:  # noqa: N802
        return self.value

    @Value.setter
    def Value(self, value: float) -> None:  # noqa: N802
        self.value = float(value)

    @property
    def updated(self) -> EventHook:
        return self._updated

    @updated.setter
    def updated(self, hook: EventHook) -> None:
        self._updated = hook

    def update(self, *args: Any) -> bool:
        """`update(bar)`, `update(point)` or `update(time, value)`; whether it is ready after."""
        if len(args) == 2:
            if self.TAKES_BARS:
                raise NotImplementedError(
                    f"{type(self).__name__} does not support Update(DateTime, decimal) method "
                    "overload. Use Update(IBaseData) instead."
                )
            return self.feed(args[0], float(args[1]))
        (item,) = args
        if isinstance(item, TradeBar):
            return self.feed_bar(item)
        if self.TAKES_BARS:
            raise TypeError(f"IndicatorBase.Update() 'input' expected a bar, got {type(item)!s}")
        return self.feed(getattr(item, "end_time", datetime.min), number(item))

    def reset(self) -> None:
        """Back to the state before the first input."""
        kept = self._updated, self._others
        arguments = self.__dict__.get("_made_with", ((), {}))
        self.__init__(*arguments[0], **arguments[1])  # type: ignore[misc]
        self._updated, self._others = kept

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        both_styles(cls)

    def __new__(cls, *args: Any, **named: Any) -> Any:
        made = super().__new__(cls)
        made.__dict__["_made_with"] = (args, named)
        return made

    def __getitem__(self, index: int) -> IndicatorDataPoint:
        window = self.window
        if index >= window.size:
            window.size = index + 1
        item = window[index]
        return item if item is not None else IndicatorDataPoint()

    def to_detailed_string(self) -> str:
        return f"{self.value:g}"

    def __repr__(self) -> str:
        return f"{self.value:g}"

    def __bool__(self) -> bool:
        return True

    def __hash__(self) -> int:
        return id(self)

    def __getattr__(self, name: str) -> Any:
        return missing(type(self).__name__, name, self)


_compares(IndicatorDataPoint)
_compares(IndicatorBase)
Indicator = IndicatorBase
"""LEAN's base of the indicators of single values."""


def named(default: str, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Split an optional leading name off constructor arguments, as LEAN's overloads do."""
    if args and isinstance(args[0], str):
        return args[0], args[1:]
    return default, args


def whole(value: Any, what: str, owner: str) -> int:
    """A period: a whole number above zero, or the error LEAN gives."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(
            f"No method matches given arguments for {owner}: {what} must be a whole number, "
            f"got {value!r}"
        )
    if int(value) < 1:
        raise ValueError(f"{owner}: {what} must be greater than zero, got {int(value)}")
    return int(value)
