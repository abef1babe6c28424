"""Longer bars out of shorter ones: by time, by calendar, by count; LEAN's PeriodCountConsolidator.

The desk feeds a consolidator the bars of one subscription and scans it at the end of each moment
and when the period of its bar is over, so that a bar is complete at its own end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .alias import both_styles
from .bars import TradeBar
from .enums import Resolution
from .indicators.base import EventHook
from .known import Lean, not_modelled
from .quotes import Bar, QuoteBar
from .subscriptions import SECONDS

_ORIGIN = datetime(1, 1, 1)


def round_down(moment: datetime, step: timedelta) -> datetime:
    """To a whole number of steps since the year 1, as .NET's ticks are counted."""
    return moment - (moment - _ORIGIN) % step


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _month_after(start: datetime, months: int) -> datetime:
    month = start.month - 1 + months
    return start.replace(year=start.year + month // 12, month=month % 12 + 1)


@both_styles
class CalendarInfo(Lean):
    """A period: when it starts and how long it lasts."""

    __slots__ = ("period", "start")

    def __init__(self, start: datetime, period: timedelta) -> None:
        self.start = start
        self.period = period

    @property
    def end(self) -> datetime:
        return self.start + self.period


def _until(start: datetime, end: datetime) -> CalendarInfo:
    return CalendarInfo(start, end - start)


@both_styles
class Calendar(Lean):
    """LEAN's calendar periods; each gives the period that a moment belongs to."""

    @staticmethod
    def weekly(moment: datetime) -> CalendarInfo:
        day = _midnight(moment)
        return CalendarInfo(day - timedelta(days=day.weekday()), timedelta(days=7))

    @staticmethod
    def monthly(moment: datetime) -> CalendarInfo:
        start = _midnight(moment).replace(day=1)
        return _until(start, _month_after(start, 1))

    @staticmethod
    def quarterly(moment: datetime) -> CalendarInfo:
        start = _midnight(moment).replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
        return _until(start, _month_after(start, 3))

    @staticmethod
    def yearly(moment: datetime) -> CalendarInfo:
        start = _midnight(moment).replace(month=1, day=1)
        return _until(start, _month_after(start, 12))


for _name in ("weekly", "monthly", "quarterly", "yearly"):
    setattr(Calendar, _name.upper(), staticmethod(getattr(Calendar, _name)))


@both_styles
class ConsolidatorBase(Lean):
    """What all consolidators share: who is told of a bar, and the last one."""

    TAKES_QUOTES = False

    def __init__(self) -> None:
        self.data_consolidated = EventHook()
        self.consolidated: Any = None
        self.working_data: Any = None

    @property
    def ends_at(self) -> datetime | None:
        """When the bar in the making is complete, whatever comes; None where time does not say."""
        return None

    def update(self, bar: Any) -> None:
        """Take one bar."""
        raise NotImplementedError

    def scan(self, moment: datetime) -> None:
        """Emit what is over by a moment of the exchange's."""

    def emit(self, bar: Any) -> None:
        """Tell of a finished bar."""
        self.consolidated = bar
        self.data_consolidated.fire(self, bar)

    def reset(self) -> None:
        """Forget the bar in the making."""
        self.working_data = self.consolidated = None

    def dispose(self) -> None:
        """Nothing to let go of."""


@both_styles
class PeriodCountConsolidator(ConsolidatorBase):
    """Bars by a number of bars, by a time, or by a calendar function; whichever is over first."""

    LEAN = "TradeBarConsolidator"

    def __init__(self, *span: Any) -> None:
        super().__init__()
        self._count: int | None = None
        self._length: timedelta | None = None
        self._calendar: Callable[[datetime], Any] | None = None
        self._seen = 0
        self._emitted: datetime | None = None
        self._period: timedelta | None = None
        if not span:
            raise TypeError(f"No method matches given arguments for {type(self).__name__}: ()")
        for item in span:
            self._choose(item)

    def _choose(self, span: Any) -> None:
        if isinstance(span, type(Resolution.DAILY)):
            if span not in SECONDS:
                not_modelled(f"{type(self).__name__} for Resolution.{span.name}")
            self._length = self._period = timedelta(seconds=SECONDS[span])
        elif isinstance(span, timedelta):
            self._length = self._period = span
        elif isinstance(span, int) and not isinstance(span, bool):
            self._count = span
        elif callable(span):
            self._calendar, self._period = span, timedelta(seconds=1)
        else:
            raise TypeError(
                f"No method matches given arguments for {type(self).__name__}: {span!r}"
            )

    @property
    def period(self) -> timedelta | None:
        return self._length

    @property
    def ends_at(self) -> datetime | None:
        if self.working_data is None or not self._period:
            return None
        end: datetime = self.working_data.time + self._period
        return end

    @property
    def _by_time(self) -> bool:
        return self._count is None

    def update(self, bar: Any) -> None:
        fire, first = False, self._count is not None
        if self._count is not None:
            self._seen += 1
            if self._seen >= self._count:
                self._seen, fire = 0, True
        if self._emitted is None:
            self._emitted = datetime.min if self._by_time else bar.time
        if self._period is not None:
            working = self.working_data
            if working is not None and bar.time - working.time >= self._period:
                fire = fire or self._rounded(bar.time) > self._emitted
            if not self._period:
                fire = first = True
        if first and bar.time >= self._emitted:
            self._aggregate(bar)
        if fire:
            self._finish(bar)
        if not first and bar.time >= self._emitted:
            self._aggregate(bar)

    def _finish(self, bar: Any) -> None:
        done, self.working_data = self.working_data, None
        if done is not None and self._period:
            done.end_time = done.time + self._period
        self._emitted = (
            done.time + (self._period or timedelta(0))
            if self._by_time and done is not None
            else bar.time
        )
        if done is not None:
            self.emit(done)

    def _rounded(self, moment: datetime) -> datetime:
        """Where the period that a moment belongs to begins."""
        if self._calendar is not None:
            found = self._calendar(moment)
            if not isinstance(found, CalendarInfo):
                raise TypeError(
                    f"A consolidator's calendar function must give a CalendarInfo, not {found!r}"
                )
            if self.working_data is None:
                self._period = found.period
            return found.start
        if self._count is not None or not self._length:
            return moment
        return round_down(moment, self._length)

    def start_of(self, bar: Any) -> datetime:
        """Where the longer bar that begins with this one starts."""
        start = self._rounded(bar.time)
        if self._period and start + self._period < bar.end_time:
            # The bar is longer than what is left of the period.
            start = bar.time
        return start

    def _aggregate(self, bar: Any) -> None:
        if self.working_data is None:
            self.working_data = self._first(bar)
            return
        self._join(self.working_data, bar)
        if not self._by_time:
            self.working_data.end_time = bar.end_time

    def _end(self, start: datetime, bar: Any) -> datetime:
        return start + self._period if self._by_time and self._period else bar.end_time

    def _first(self, bar: Any) -> Any:
        start = self.start_of(bar)
        made = TradeBar(start, bar.symbol, bar.open, bar.high, bar.low, bar.close, bar.volume)
        made.end_time = self._end(start, bar)
        return made

    def _join(self, working: Any, bar: Any) -> None:
        working.close = bar.close
        working.volume += bar.volume
        working.high = max(working.high, bar.high)
        working.low = min(working.low, bar.low)

    def scan(self, moment: datetime) -> None:
        working = self.working_data
        if working is None or not self._period:
            return
        rounded = self._rounded(moment)
        over = rounded - working.time >= self._period
        if over and rounded > (self._emitted or datetime.min):
            self.working_data = None
            self._emitted = rounded
            self.emit(working)

    def reset(self) -> None:
        super().reset()
        self._seen, self._emitted = 0, None


class TradeBarConsolidator(PeriodCountConsolidator):
    """Trade bars out of trade bars."""


class QuoteBarConsolidator(PeriodCountConsolidator):
    """Quote bars out of quote bars."""

    LEAN = "QuoteBarConsolidator"
    TAKES_QUOTES = True

    def _first(self, bar: Any) -> Any:
        start = self.start_of(bar)
        made = QuoteBar(start, bar.symbol, _copy(bar.bid), bar.last_bid_size, _copy(bar.ask),
                        bar.last_ask_size)  # fmt: skip
        made.end_time = self._end(start, bar)
        return made

    def _join(self, working: Any, bar: Any) -> None:
        for side in ("bid", "ask"):
            before, now = getattr(working, side), getattr(bar, side)
            if now is None:
                continue
            if before is None:
                setattr(working, side, _copy(now))
                continue
            before.close = now.close
            before.high = max(before.high, now.high)
            before.low = min(before.low, now.low)
        working.last_bid_size, working.last_ask_size = bar.last_bid_size, bar.last_ask_size


def _copy(side: Bar | None) -> Bar | None:
    return None if side is None else Bar(side.open, side.high, side.low, side.close)


class IdentityConsolidator(ConsolidatorBase):
    """Passes each bar on."""

    LEAN = "IdentityDataConsolidator"

    def update(self, bar: Any) -> None:
        self.emit(bar)


def consolidator_for(span: Any, resolution: Any, *, quotes: bool = False) -> ConsolidatorBase:
    """What `self.consolidate(symbol, span, handler)` means by its span, on bars of a resolution."""
    if isinstance(span, ConsolidatorBase):
        return span
    length = timedelta(seconds=SECONDS[resolution])
    wanted = span
    if isinstance(span, type(Resolution.DAILY)) and span in SECONDS:
        wanted = timedelta(seconds=SECONDS[span])
    if isinstance(wanted, timedelta):
        if wanted < length:
            raise ValueError(
                f"Unable to create a consolidator of {wanted} because the security is registered "
                f"for {resolution} data. Consolidators require higher resolution data to produce "
                "lower resolution data."
            )
        if wanted == length:
            return IdentityConsolidator()
    return QuoteBarConsolidator(span) if quotes else TradeBarConsolidator(span)
