"""When scheduled events fire: LEAN's date rules and time rules over the exchange's calendar.

Dates come as day numbers, times as UTC seconds. Rules arrive from the strategy as plain lists and
are checked here; what is not of the expected form raises ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import DAY, Hours, Zone, date_of, day_of
from qc_builder_lora.backtest.simulator.calendar import zone as named_zone

_SESSION = ("after_open", "before_close", "before_open", "after_close")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_EDGES = ("month", "week", "quarter", "year")


def event_times(
    dates: list[Any], times: list[Any], first: int, last: int, hours: Hours, zone: Zone,
    exchange: Zone,
) -> Iterator[int]:  # fmt: skip
    """UTC seconds at which an event fires, from day `first` to day `last`, in order.

    `zone` is the algorithm's, in which plain times of day are meant.
    """
    at = _times_of_day(times, hours, zone, exchange)
    for day in rule_days(dates, first, last, hours):
        yield from at(day)


def rule_days(rule: list[Any], first: int, last: int, hours: Hours) -> Iterator[int]:
    """The days of a date rule from `first` to `last`, in order."""
    kind = rule[0]
    if kind == "every_day":
        yield from range(first, last + 1) if rule[1] is None else hours.between(first, last)
    elif kind == "weekdays":
        # LEAN counts from Sunday, day numbers begin on a Thursday.
        wanted = {int(number) for number in rule[1]}
        yield from (day for day in range(first, last + 1) if (day + 4) % 7 in wanted)
    elif kind == "dates":
        days = sorted({day_of(date.fromisoformat(text)) for text in rule[1]})
        yield from (day for day in days if first <= day <= last)
    else:
        period, _, edge = str(kind).partition("_")
        if period not in _EDGES or edge not in ("start", "end"):
            raise ValueError(f"unknown date rule {kind!r}")
        yield from _edge_days(period, edge == "end", rule[1] is not None, int(rule[2]),
                              first, last, hours)  # fmt: skip


def _edge_days(
    period: str, at_end: bool, trading: bool, offset: int, first: int, last: int, hours: Hours
) -> Iterator[int]:
    """The first or last day of every period, `offset` days into it, trading days or any."""
    begin, end = _period_start(date_of(first), period), date_of(last)
    while begin <= end:
        following = _next_period(begin, period)
        low, high = day_of(begin), day_of(following) - 1
        if period == "week" and not trading:
            high -= 2
        days = hours.between(low, high) if trading else list(range(low, high + 1))
        if days:
            position = min(offset, len(days) - 1)
            day = days[-1 - position] if at_end else days[position]
            if first <= day <= last:
                yield day
        begin = following


def _period_start(day: date, period: str) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[period]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _next_period(start: date, period: str) -> date:
    if period == "week":
        return start + timedelta(days=7)
    later = start.month - 1 + _MONTHS[period]
    return start.replace(year=start.year + later // 12, month=later % 12 + 1)


def _times_of_day(
    rule: list[Any], hours: Hours, zone: Zone, exchange: Zone
) -> Callable[[int], Iterator[int]]:
    kind = rule[0]
    if kind in ("at", "every") and len(rule) > 2 and rule[2] is not None:
        zone = named_zone(rule[2])
    if kind == "at":
        second = int(rule[1])
        return lambda day: iter((zone.utc(day * DAY + second),))
    if kind == "every":
        step = int(rule[1])
        if step <= 0:
            raise ValueError("an interval must be above zero")
        return lambda day: (zone.utc(day * DAY + second) for second in range(0, DAY, step))
    longer, _, plain = str(kind).rpartition("extended_")
    if plain in _SESSION and not longer:
        extended = plain != kind
        return _session(plain, extended, int(float(rule[2]) * 60), hours, exchange)
    raise ValueError(f"unknown time rule {kind!r}")


def _session(
    kind: str, extended: bool, offset: int, hours: Hours, exchange: Zone
) -> Callable[[int], Iterator[int]]:
    def at(day: int) -> Iterator[int]:
        # A day rule may name days on which the exchange stays shut: nothing fires then.
        if hours.is_open_day(day):
            first, last = hours.session(day, extended)
            edge = first if kind.endswith("open") else last
            sign = 1 if kind.startswith("after") else -1
            yield exchange.utc(day * DAY + edge + sign * offset)

    return at
