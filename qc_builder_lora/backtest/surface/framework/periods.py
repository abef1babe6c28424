"""When an insight closes: LEAN steps through the exchange's hours, bar by bar.

The steps are taken a session at a time, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from ..enums import Resolution
from .sessions import DAY, Sessions, moment_of, seconds_of

MINUTE, HOUR = 60, 3600
END_OF_TIME = datetime(2050, 12, 31)
"""LEAN's Time.EndOfTime."""
END_OF_TIME_SPAN = END_OF_TIME - datetime.min
SPANS = {
    Resolution.TICK: timedelta(0),
    Resolution.SECOND: timedelta(seconds=1),
    Resolution.MINUTE: timedelta(minutes=1),
    Resolution.HOUR: timedelta(hours=1),
    Resolution.DAILY: timedelta(days=1),
}
Close = Callable[[datetime, Sessions], tuple[datetime, timedelta]]
"""From the moment an insight is generated to its close, both UTC, and its period."""


def after_bars(sessions: Sessions, local: int, size: int, count: int) -> int:
    """The moment at which `count` bars of `size` seconds have elapsed in market hours."""
    if size == DAY:
        return _after_days(sessions, local, count)
    while count > 0:
        opening, close = _session_from(sessions, local)
        # A bar counts when it overlaps the session.
        local += max((opening - local) // size, 0) * size
        bars = min(-((local - close) // size), count)
        local += bars * size
        count -= bars
    return local


def _session_from(sessions: Sessions, local: int) -> tuple[int, int]:
    """The session that is on, or else the next."""
    day = local // DAY
    while True:
        found = sessions.bounds(day)
        if found is not None and local < found[1]:
            return found
        day += 1


def _after_days(sessions: Sessions, local: int, count: int) -> int:
    while count > 0:
        local += DAY
        if sessions.bounds(local // DAY) is not None:
            count -= 1
    return local


def bars_between(sessions: Sessions, begin: int, end: int, size: int) -> int:
    """How many bars of `size` seconds between two moments overlap market hours."""
    count, local = 0, begin
    while local < end:
        if size == DAY:
            local += DAY
            count += sessions.bounds(local // DAY) is not None
            continue
        opening, close = _session_from(sessions, local)
        local += max((opening - local) // size, 0) * size
        bars = min(-((local - close) // size), -((local - end) // size))
        count += max(bars, 0)
        local += max(bars, 1) * size
    return count


def close_after_bars(
    sessions: Sessions, generated: datetime, resolution: Any, count: int
) -> datetime:
    """UTC close of an insight that lasts `count` bars."""
    if count < 1:
        raise ValueError("Insight barCount must be greater than zero. (Parameter 'barCount')")
    if resolution == Resolution.HOUR:
        resolution, count = Resolution.MINUTE, count * 60
    size = max(int(SPANS[resolution].total_seconds()), 1)
    local = sessions.local(seconds_of(generated))
    return moment_of(sessions.utc(after_bars(sessions, local, size, count)))


def close_after(sessions: Sessions, generated: datetime, period: timedelta) -> datetime:
    """UTC close of an insight that lasts a time span; its days are trading days."""
    if period < timedelta(seconds=1):
        raise ValueError("Insight periods must be greater than or equal to 1 second.")
    unit = _unit(period)
    count = period // SPANS[unit]
    closes = close_after_bars(sessions, generated, unit, count)
    if closes == generated:
        return close_after_bars(sessions, generated, Resolution.SECOND, 1)
    rest = period - SPANS[unit] * count
    if unit == Resolution.DAILY:
        # A part of a day is that part of a session of six and a half hours.
        rest = timedelta(hours=6.5) * (rest / timedelta(days=1))
    minutes = rest // timedelta(minutes=1)
    if minutes > 0:
        return close_after_bars(sessions, closes, Resolution.MINUTE, minutes)
    return closes


def _unit(period: timedelta) -> Any:
    if period >= timedelta(days=1):
        return Resolution.DAILY
    return Resolution.MINUTE if period >= timedelta(minutes=1) else Resolution.SECOND


def period_between(sessions: Sessions, generated: datetime, closes: datetime) -> timedelta:
    """The period of an insight whose close was given."""
    begin, end = sessions.local(seconds_of(generated)), sessions.local(seconds_of(closes))
    if begin // DAY == end // DAY:
        return timedelta(seconds=end - begin)
    best = (0, 0)
    for position, size in enumerate((DAY, MINUTE)):
        count = bars_between(sessions, begin, end, size)
        error = abs(end - after_bars(sessions, begin, size, count))
        if position == 0 or error < best[0]:
            best = (error, size * count)
        if error == 0:
            break
    return timedelta(seconds=best[1])


# The ways in which a strategy may say how long an insight lasts.


def by_span(period: timedelta) -> Close:
    """For a time span."""
    period = period or timedelta(seconds=1)
    if period >= END_OF_TIME_SPAN:
        return lambda generated, sessions: (END_OF_TIME, END_OF_TIME_SPAN)
    return lambda generated, sessions: (close_after(sessions, generated, period), period)


def by_bars(resolution: Any, count: int) -> Close:
    """For a number of bars."""
    if resolution == Resolution.TICK:
        resolution = Resolution.SECOND
    period = SPANS[resolution] * count
    return lambda generated, sessions: (
        close_after_bars(sessions, generated, resolution, count), period,
    )  # fmt: skip


def by_close(local: date) -> Close:
    """Until a moment of the exchange's clock."""
    moment = local if isinstance(local, datetime) else datetime(local.year, local.month, local.day)
    if moment >= END_OF_TIME:
        return by_span(END_OF_TIME_SPAN)

    def close(generated: datetime, sessions: Sessions) -> tuple[datetime, timedelta]:
        closes = moment_of(sessions.utc(seconds_of(moment)))
        if generated > closes:
            raise ValueError("Insight closeTimeLocal must not be in the past. "
                             "(Parameter 'closeTimeLocal')")  # fmt: skip
        return closes, period_between(sessions, generated, closes)

    return close


def by_function(expiry: Callable[[datetime], datetime]) -> Close:
    """Until what a function of the exchange's time says, or the next opening after it."""

    def close(generated: datetime, sessions: Sessions) -> tuple[datetime, timedelta]:
        local = seconds_of(expiry(moment_of(sessions.local(seconds_of(generated)))))
        if not sessions.is_open(local):
            local = sessions.next_open(local)
        closes = moment_of(sessions.utc(local))
        return closes, closes - generated

    return close
