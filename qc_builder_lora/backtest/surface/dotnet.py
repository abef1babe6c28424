"""What LEAN's strategies in Python borrow from .NET and from LEAN's own small tools.

Spans of time are Python's `timedelta`, as they arrive from LEAN in Python.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from .alias import both_styles
from .known import Lean


class _Event:
    """Handlers that are added with `+=` and taken away with `-=`."""

    def __init__(self) -> None:
        self._handlers: list[Callable[..., Any]] = []

    def __iadd__(self, handler: Callable[..., Any]) -> _Event:
        self._handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[..., Any]) -> _Event:
        if handler in self._handlers:
            self._handlers.remove(handler)
        return self

    def fire(self, *arguments: Any) -> None:
        for handler in list(self._handlers):
            handler(*arguments)


@both_styles
class CircularQueue(Lean):
    """Gives its items again and again; tells when the first one comes."""

    def __init__(self, *items: Any) -> None:
        given = items[0] if len(items) == 1 and isinstance(items[0], Iterable) else items
        self._items: deque[Any] = deque(given)
        self._head = self._items[0] if self._items else None
        self.circle_completed = _Event()

    def __class_getitem__(cls, item: Any) -> type[CircularQueue]:
        return cls

    def dequeue(self) -> Any:
        """The next item, which goes to the end of the queue."""
        if not self._items:
            raise Exception("Queue empty.")
        item = self._items.popleft()
        if item == self._head:
            self.circle_completed.fire(self, None)
        self._items.append(item)
        return item


class RegressionTestException(Exception):
    """What LEAN's regression strategies raise when something is not as expected."""


class _TimeSpan(type):
    """`TimeSpan(…)` and its static members, each a timedelta."""

    def __call__(cls, *parts: float) -> timedelta:
        if len(parts) == 1:
            return timedelta(microseconds=parts[0] / 10)
        if len(parts) == 3:
            return timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2])
        names = ("days", "hours", "minutes", "seconds", "milliseconds")
        return timedelta(**dict(zip(names, parts, strict=False)))


class TimeSpan(metaclass=_TimeSpan):
    """.NET's span of time, as Python's timedelta."""

    Zero = ZERO = zero = timedelta(0)
    MaxValue = MAX_VALUE = max_value = timedelta.max
    MinValue = MIN_VALUE = min_value = timedelta.min

    @staticmethod
    def from_days(value: float) -> timedelta:
        return timedelta(days=value)

    @staticmethod
    def from_hours(value: float) -> timedelta:
        return timedelta(hours=value)

    @staticmethod
    def from_minutes(value: float) -> timedelta:
        return timedelta(minutes=value)

    @staticmethod
    def from_seconds(value: float) -> timedelta:
        return timedelta(seconds=value)

    @staticmethod
    def from_milliseconds(value: float) -> timedelta:
        return timedelta(milliseconds=value)

    @staticmethod
    def from_ticks(value: int) -> timedelta:
        return timedelta(microseconds=value / 10)

    FromDays, FromHours, FromMinutes = from_days, from_hours, from_minutes
    FromSeconds, FromMilliseconds, FromTicks = from_seconds, from_milliseconds, from_ticks


class _DateTime(type):
    """`DateTime(…)` is Python's datetime, which has no time before the year 1 either."""

    def __call__(
        cls, year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
    ) -> datetime:
        return datetime(year, month, day, hour, minute, second)


class DateTime(metaclass=_DateTime):
    """.NET's moment, as Python's datetime. It has no `Now`: a backtest has a clock of its own."""

    MinValue = MIN_VALUE = min_value = datetime.min
    MaxValue = MAX_VALUE = max_value = datetime.max


@both_styles
class FuncSecurityInitializer(Lean):
    """Calls a function for each security that is added."""

    def __init__(self, initializer: Callable[[Any], Any]) -> None:
        self._initializer = initializer

    def initialize(self, security: Any) -> None:
        self._initializer(security)


@both_styles
class CompositeSecurityInitializer(Lean):
    """Several initializers, one after the other."""

    def __init__(self, *initializers: Any) -> None:
        self.initializers = list(initializers)

    def initialize(self, security: Any) -> None:
        for one in self.initializers:
            one.initialize(security) if hasattr(one, "initialize") else one(security)

    def add_security_initializer(self, initializer: Any) -> None:
        """One more, after the others."""
        self.initializers.append(initializer)


class _Delegate:
    """`Action` or `Func`: in Python a function is one already, whatever its types."""

    def __getitem__(self, types: Any) -> _Delegate:
        return self

    def __call__(self, function: Any) -> Any:
        return function


def _add_reference(*names: Any) -> None:
    """There are no assemblies to load."""


DOTNET: dict[str, Any] = {
    "Action": _Delegate(),
    "AddReference": _add_reference,
    "Func": _Delegate(),
    "CircularQueue": CircularQueue,
    "RegressionTestException": RegressionTestException,
    "TimeSpan": TimeSpan,
    "DateTime": DateTime,
    "FuncSecurityInitializer": FuncSecurityInitializer,
    "CompositeSecurityInitializer": CompositeSecurityInitializer,
}
