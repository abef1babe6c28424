"""Longer bars out of daily ones: every n days, by calendar week or month, or every n bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .alias import both_styles
from .bars import TradeBar
from .enums import Resolution
from .indicators.base import EventHook
from .known import Lean, not_modelled

Period = Callable[[datetime], Any]
"""From a bar's start to the start of the longer bar it belongs to."""


@both_styles
class Calendar(Lean):
    """LEAN's calendar periods."""

    @staticmethod
    def weekly(moment: datetime) -> datetime:
        day = _midnight(moment)
        return day - timedelta(days=day.weekday())

    @staticmethod
    def monthly(moment: datetime) -> datetime:
        return _midnight(moment).replace(day=1)

    @staticmethod
    def quarterly(moment: datetime) -> datetime:
        return _midnight(moment).replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)

    @staticmethod
    def yearly(moment: datetime) -> datetime:
        return _midnight(moment).replace(month=1, day=1)


for _name in ("weekly", "monthly", "quarterly", "yearly"):
    setattr(Calendar, _name.upper(), staticmethod(getattr(Calendar, _name)))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


@both_styles
class TradeBarConsolidator(Lean):
    """Joins daily bars; `data_consolidated` fires when a longer bar is complete.

    By count it is complete with its last bar. By time it is complete when its period is over: the
    simulator wakes the strategy then, before the next bar arrives, as LEAN's scan does.
    """

    def __init__(self, span: Any) -> None:
        self.data_consolidated = EventHook()
        self.consolidated: TradeBar | None = None
        self.working_data: TradeBar | None = None
        self.on_start: Callable[[datetime], None] | None = None
        """Told when the period of a new bar will be over."""
        self._count = 0
        self._bars = 0
        self._period: Period | None = None
        self._days = 0
        self._end = datetime.max
        self._choose(span)

    def _choose(self, span: Any) -> None:
        if isinstance(span, type(Resolution.DAILY)):
            if span != Resolution.DAILY:
                not_modelled(f"TradeBarConsolidator for Resolution.{span.name}")
            self._days = 1
        elif isinstance(span, timedelta):
            if span < timedelta(days=1) or span % timedelta(days=1):
                not_modelled("TradeBarConsolidator", f"{span} on daily bars")
            self._days = span.days
        elif isinstance(span, int):
            self._bars = span
        elif callable(span):
            self._period = span
        else:
            raise TypeError(f"No method matches given arguments for TradeBarConsolidator: {span!r}")

    @property
    def period(self) -> timedelta | None:
        return timedelta(days=self._days) if self._days else None

    def update(self, bar: TradeBar) -> None:
        """Take one daily bar."""
        if self._bars:
            self._join(bar, bar.time)
            self._count += 1
            if self._count >= self._bars:
                self._emit()
            return
        if self.working_data is not None and bar.time >= self._end:
            self._emit()
        if self.working_data is None:
            start, self._end = self._bounds(bar.time)
            self._join(bar, start)
            if self.on_start is not None:
                self.on_start(self._end)
        else:
            self._join(bar, bar.time)

    def _bounds(self, moment: datetime) -> tuple[datetime, datetime]:
        if self._period is not None:
            found = self._period(moment)
            if isinstance(found, CalendarInfo):
                return found.start, found.end
            return found, _NEXT[self._period](found) if self._period in _NEXT else _refuse(found)
        day = _midnight(moment)
        start = day - timedelta(days=(day - datetime(1, 1, 1)).days % self._days)
        return start, start + timedelta(days=self._days)

    def _join(self, bar: TradeBar, start: datetime) -> None:
        working = self.working_data
        if working is None:
            working = TradeBar(start, bar.symbol, bar.open, bar.high, bar.low, bar.close, 0)
            self.working_data = working
        working.high = max(working.high, bar.high)
        working.low = min(working.low, bar.low)
        working.close = bar.close
        working.volume += bar.volume
        working.end_time = bar.end_time if self._bars else self._end

    def _emit(self) -> None:
        done, self.working_data = self.working_data, None
        self._count = 0
        if done is not None:
            self.consolidated = done
            self.data_consolidated.fire(self, done)

    def scan(self, moment: datetime) -> None:
        """Emit the bar whose period is over by `moment`."""
        if not self._bars and self.working_data is not None and self._end <= moment:
            self._emit()

    def dispose(self) -> None:
        """Nothing to let go of."""


class IdentityConsolidator(TradeBarConsolidator):
    """Daily bars out of daily bars: passes each one on."""

    def __init__(self) -> None:
        super().__init__(1)


@both_styles
class CalendarInfo(Lean):
    """A period that a strategy's own function gives: start and length."""

    __slots__ = ("period", "start")

    def __init__(self, start: datetime, period: timedelta) -> None:
        self.start = start
        self.period = period

    @property
    def end(self) -> datetime:
        return self.start + self.period


def _month_after(start: datetime, months: int) -> datetime:
    month = start.month - 1 + months
    return start.replace(year=start.year + month // 12, month=month % 12 + 1)


_NEXT: dict[Any, Period] = {
    Calendar.weekly: lambda start: start + timedelta(days=7),
    Calendar.monthly: lambda start: _month_after(start, 1),
    Calendar.quarterly: lambda start: _month_after(start, 3),
    Calendar.yearly: lambda start: _month_after(start, 12),
}


def _refuse(found: Any) -> Any:
    raise TypeError(f"A consolidator's calendar function must give a CalendarInfo, not {found!r}")


def consolidator_for(span: Any) -> TradeBarConsolidator:
    """What `self.consolidate(symbol, span, handler)` means by its span."""
    if isinstance(span, TradeBarConsolidator):
        return span
    day = isinstance(span, timedelta) and span == timedelta(days=1)
    if day or (isinstance(span, type(Resolution.DAILY)) and span == Resolution.DAILY):
        return IdentityConsolidator()
    return TradeBarConsolidator(span)
