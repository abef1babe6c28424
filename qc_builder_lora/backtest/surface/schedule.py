"""Scheduled events: a strategy names the rules, the simulator keeps the calendar and the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from .alias import both_styles
from .enums import DayOfWeek
from .known import Lean, not_modelled

Rule = list[Any]


@both_styles
class DateRule(Lean):
    """On which days: plain words that the simulator understands."""

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.rule = rule


@both_styles
class TimeRule(Lean):
    """At which times of a day."""

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.rule = rule


def _index(desk: Any, symbol: Any) -> int:
    found: int = desk.security(symbol).symbol.number
    return found


@both_styles
class DateRules(Lean):
    """`self.date_rules`."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    def every_day(self, symbol: Any = None) -> DateRule:
        return DateRule("EveryDay", ["every_day", self._optional(symbol)])

    def every(self, *days: Any) -> DateRule:
        """`every(DayOfWeek.MONDAY, …)`."""
        numbers = [int(day) for day in days]
        if any(not 0 <= number <= 6 for number in numbers):
            not_modelled("DateRules.every", f"{days!r}")
        return DateRule("Every", ["weekdays", numbers])

    def on(self, *args: Any) -> DateRule:
        """`on(2020, 1, 31)`, or dates."""
        if len(args) == 3 and all(isinstance(item, int) for item in args):
            days = [date(*args)]
        else:
            days = [*args[0]] if isinstance(args[0], list | tuple | set) else list(args)
        return DateRule("On", ["dates", [f"{day:%Y-%m-%d}" for day in days]])

    def month_start(self, *args: Any) -> DateRule:
        return self._edge("month_start", args)

    def month_end(self, *args: Any) -> DateRule:
        return self._edge("month_end", args)

    def week_start(self, *args: Any) -> DateRule:
        return self._edge("week_start", args)

    def week_end(self, *args: Any) -> DateRule:
        return self._edge("week_end", args)

    def year_start(self, *args: Any) -> DateRule:
        return self._edge("year_start", args)

    def year_end(self, *args: Any) -> DateRule:
        return self._edge("year_end", args)

    @property
    def today(self) -> DateRule:
        return self.on(self._desk.time.date())

    @property
    def tomorrow(self) -> DateRule:
        return self.on(self._desk.time.date() + timedelta(days=1))

    def _edge(self, kind: str, args: tuple[Any, ...]) -> DateRule:
        """`(symbol, days_offset)`, either left out."""
        symbol = next((item for item in args if not isinstance(item, int)), None)
        offset = next((item for item in args if isinstance(item, int)), 0)
        return DateRule(kind, [kind, self._optional(symbol), int(offset)])

    def _optional(self, symbol: Any) -> int | None:
        return None if symbol is None else _index(self._desk, symbol)


@both_styles
class TimeRules(Lean):
    """`self.time_rules`."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    def at(self, *args: Any) -> TimeRule:
        """`at(10, 30)`, `at(10, 30, 15)`, `at(timedelta(hours=10))` or `at(time(10, 30))`."""
        first = args[0]
        if isinstance(first, timedelta):
            seconds = int(first.total_seconds())
        elif isinstance(first, time | datetime):
            seconds = first.hour * 3600 + first.minute * 60 + first.second
        else:
            numbers = [item for item in args if isinstance(item, int)]
            if len(numbers) < len(args):
                not_modelled("TimeRules.at", "with a time zone")
            hour, minute, second = (*numbers, 0, 0)[:3]
            seconds = hour * 3600 + minute * 60 + second
        return TimeRule("At", ["at", seconds])

    def every(self, interval: timedelta) -> TimeRule:
        seconds = int(interval.total_seconds())
        if seconds <= 0:
            raise ValueError("TimeRules.Every(): time span interval should be greater than zero")
        return TimeRule("Every", ["every", seconds])

    def after_market_open(self, symbol: Any, minutes: float = 0, *extended: Any) -> TimeRule:
        return self._session("after_open", symbol, minutes, extended)

    def before_market_close(self, symbol: Any, minutes: float = 0, *extended: Any) -> TimeRule:
        return self._session("before_close", symbol, minutes, extended)

    def before_market_open(self, symbol: Any, minutes: float = 0, *extended: Any) -> TimeRule:
        return self._session("before_open", symbol, minutes, extended)

    def after_market_close(self, symbol: Any, minutes: float = 0, *extended: Any) -> TimeRule:
        return self._session("after_close", symbol, minutes, extended)

    @property
    def midnight(self) -> TimeRule:
        return TimeRule("Midnight", ["at", 0])

    @property
    def noon(self) -> TimeRule:
        return TimeRule("Noon", ["at", 43200])

    @property
    def now(self) -> TimeRule:
        moment = self._desk.time
        return self.at(moment.hour, moment.minute, moment.second)

    def set_default_time_zone(self, zone: Any) -> None:
        not_modelled("TimeRules.set_default_time_zone")

    def _session(
        self, kind: str, symbol: Any, minutes: float, extended: tuple[Any, ...]
    ) -> TimeRule:
        if any(extended):
            not_modelled("TimeRules with extended market hours")
        return TimeRule(kind, [kind, _index(self._desk, symbol), float(minutes)])


@both_styles
class ScheduledEvent(Lean):
    """A handle on one scheduled event."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.enabled = True


@both_styles
class ScheduleManager(Lean):
    """`self.schedule`."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk
        self.callbacks: dict[int, tuple[ScheduledEvent, Callable[..., Any]]] = {}
        self._made = 0
        self.date_rules = DateRules(desk)
        self.time_rules = TimeRules(desk)

    def on(self, *args: Any) -> ScheduledEvent:
        """`on(date_rule, time_rule, callback)`, with a name in front or not."""
        name = args[0] if isinstance(args[0], str) else ""
        rest = args[1:] if name else args
        if len(rest) != 3 or not isinstance(rest[0], DateRule) or not isinstance(rest[1], TimeRule):
            raise TypeError(
                "No method matches given arguments for On: expected a DateRule, a TimeRule and a "
                f"function, got {tuple(type(item).__name__ for item in rest)}"
            )
        dates, times, callback = rest
        if not callable(callback):
            raise TypeError(f"schedule.on needs a function, got {callback!r}")
        return self.take(name or f"{dates.name}: {times.name}", dates, times, callback)

    def take(
        self, name: str, dates: DateRule, times: TimeRule, callback: Callable[..., Any],
        *, selects: int = 0,
    ) -> ScheduledEvent:  # fmt: skip
        """Schedule a function; `selects`: 1 for a universe's selection, 2 for one by rules."""
        # Not how many there are: those that were removed keep their numbers.
        number, self._made = self._made, self._made + 1
        event = ScheduledEvent(number, name)
        self.callbacks[number] = (event, callback)
        self._desk.ask(["schedule", number, dates.rule, times.rule, selects])
        return event

    def remove(self, event: ScheduledEvent) -> None:
        """Fire it no more."""
        self.callbacks.pop(event.number, None)
        self._desk.send(["unschedule", event.number])

    def fire(self, number: int) -> None:
        """Call what was scheduled under that number."""
        event, callback = self.callbacks.get(number, (None, None))
        if event is not None and callback is not None and event.enabled:
            callback()


WEEKDAYS = DayOfWeek
