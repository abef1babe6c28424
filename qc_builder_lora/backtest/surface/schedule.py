"""Scheduled events: a strategy names the rules, the simulator keeps the calendar and the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from .alias import both_styles
from .enums import DayOfWeek
from .keywords import lean_names
from .known import Lean, not_modelled
from .symbol import ticker_of

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
    """A subscribed security's number; -1 for any other equity: all have the same hours."""
    found = desk.securities.get(ticker_of(symbol))
    return -1 if found is None else int(found.symbol.number)


_EDGE = lean_names("symbol days_offset extended_market_hours", "days_offset")


@both_styles
class DateRules(Lean):
    """`self.date_rules`."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    def every_day(self, symbol: Any = None, extended_market_hours: bool = False) -> DateRule:
        return DateRule("EveryDay", ["every_day", self._optional(symbol)])

    @lean_names("day", "days")
    def every(self, *days: Any) -> DateRule:
        """`every(DayOfWeek.MONDAY, …)`, or a list of them."""
        listed = days[0] if len(days) == 1 and isinstance(days[0], list | tuple) else days
        numbers = [int(day) for day in listed]
        if any(not 0 <= number <= 6 for number in numbers):
            not_modelled("DateRules.every", f"{days!r}")
        return DateRule("Every", ["weekdays", numbers])

    @lean_names("year month day", "dates")
    def on(self, *args: Any) -> DateRule:
        """`on(2020, 1, 31)`, or dates."""
        if len(args) == 3 and all(isinstance(item, int) for item in args):
            days = [date(*args)]
        else:
            days = [*args[0]] if isinstance(args[0], list | tuple | set) else list(args)
        return DateRule("On", ["dates", [f"{day:%Y-%m-%d}" for day in days]])

    @_EDGE
    def month_start(self, *args: Any) -> DateRule:
        return self._edge("month_start", args)

    @_EDGE
    def month_end(self, *args: Any) -> DateRule:
        return self._edge("month_end", args)

    @_EDGE
    def week_start(self, *args: Any) -> DateRule:
        return self._edge("week_start", args)

    @_EDGE
    def week_end(self, *args: Any) -> DateRule:
        return self._edge("week_end", args)

    @_EDGE
    def quarter_start(self, *args: Any) -> DateRule:
        return self._edge("quarter_start", args)

    @_EDGE
    def quarter_end(self, *args: Any) -> DateRule:
        return self._edge("quarter_end", args)

    @_EDGE
    def year_start(self, *args: Any) -> DateRule:
        return self._edge("year_start", args)

    @_EDGE
    def year_end(self, *args: Any) -> DateRule:
        return self._edge("year_end", args)

    @property
    def today(self) -> DateRule:
        return self.on(self._desk.time.date())

    @property
    def tomorrow(self) -> DateRule:
        return self.on(self._desk.time.date() + timedelta(days=1))

    def _edge(self, kind: str, args: tuple[Any, ...]) -> DateRule:
        """`(symbol, days_offset)`, either left out; extended hours add no day to US equities'."""
        symbol = next((item for item in args if not isinstance(item, int)), None)
        offset = next((item for item in args if isinstance(item, int) and item is not True), 0)
        return DateRule(kind, [kind, self._optional(symbol), int(offset)])

    def _optional(self, symbol: Any) -> int | None:
        return None if symbol is None else _index(self._desk, symbol)


@both_styles
class TimeRules(Lean):
    """`self.time_rules`."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk
        self._zone: str | None = None

    @lean_names("hour minute second time_zone", "hour minute time_zone", "time_of_day time_zone")
    def at(self, *args: Any) -> TimeRule:
        """`at(10, 30)`, `at(10, 30, 15)`, `at(timedelta(hours=10))` or `at(time(10, 30))`."""
        zone = args[-1] if len(args) > 1 and isinstance(args[-1], str) else self._zone
        args = args[:-1] if len(args) > 1 and isinstance(args[-1], str) else args
        first = args[0]
        if isinstance(first, timedelta):
            seconds = int(first.total_seconds())
        elif isinstance(first, time | datetime):
            seconds = first.hour * 3600 + first.minute * 60 + first.second
        else:
            if not all(isinstance(item, int) for item in args):
                raise TypeError(f"No method matches given arguments for At: {args!r}")
            hour, minute, second = (*args, 0, 0)[:3]
            seconds = hour * 3600 + minute * 60 + second
        return TimeRule("At", ["at", seconds, zone])

    def every(self, interval: timedelta) -> TimeRule:
        seconds = int(interval.total_seconds())
        if seconds <= 0:
            raise ValueError("TimeRules.Every(): time span interval should be greater than zero")
        return TimeRule("Every", ["every", seconds, self._zone])

    @lean_names("symbol minutes_after_open extended_market_open", "minutes_after_open")
    def after_market_open(self, *args: Any) -> TimeRule:
        return self._session("after_open", args)

    @lean_names("symbol minutes_before_close extended_market_close", "minutes_before_close")
    def before_market_close(self, *args: Any) -> TimeRule:
        return self._session("before_close", args)

    @lean_names("symbol minutes_before_open extended_market_open", "minutes_before_open")
    def before_market_open(self, *args: Any) -> TimeRule:
        return self._session("before_open", args)

    @lean_names("symbol minutes_after_close extended_market_close", "minutes_after_close")
    def after_market_close(self, *args: Any) -> TimeRule:
        return self._session("after_close", args)

    @property
    def midnight(self) -> TimeRule:
        return TimeRule("Midnight", ["at", 0, self._zone])

    @property
    def noon(self) -> TimeRule:
        return TimeRule("Noon", ["at", 43200, self._zone])

    @property
    def now(self) -> TimeRule:
        moment = self._desk.time
        return self.at(moment.hour, moment.minute, moment.second)

    def set_default_time_zone(self, time_zone: Any) -> None:
        """For the rules made after it that name none."""
        self._zone = str(time_zone)

    def _session(self, kind: str, args: tuple[Any, ...]) -> TimeRule:
        """`(symbol, minutes, extended)`: the market opens and closes at the same time for all."""
        symbol = next((item for item in args if not isinstance(item, int | float)), None)
        minutes = next((item for item in args if not isinstance(item, bool)
                        and isinstance(item, int | float)), 0)  # fmt: skip
        number = -1 if symbol is None else _index(self._desk, symbol)
        hours = "extended_" if True in args[-1:] and isinstance(args[-1], bool) else ""
        return TimeRule(kind, [hours + kind, number, float(minutes)])


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

    @lean_names("name date_rule time_rule callback", "date_rule time_rule callback")
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

    def remove(self, scheduled_event: ScheduledEvent) -> None:
        """Fire it no more."""
        self.callbacks.pop(scheduled_event.number, None)
        self._desk.send(["unschedule", scheduled_event.number])

    def fire(self, number: int) -> None:
        """Call what was scheduled under that number."""
        event, callback = self.callbacks.get(number, (None, None))
        if event is not None and callback is not None and event.enabled:
            callback()


WEEKDAYS = DayOfWeek
