"""Longer bars out of shorter ones: by time, by calendar, by count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..enums import Resolution
from ..known import not_modelled
from ..quotes import Bar, QuoteBar
from ..subscriptions import SECONDS
from .base import CalendarInfo, ConsolidatorBase, round_down

_DAY = timedelta(days=1)


@both_styles
class PeriodCountConsolidator(ConsolidatorBase):
    """Bars by a number of bars, by a time, or by a calendar function; whichever is over first."""

    LEAN = "TradeBarConsolidator"

    def __init__(self, *span: Any, start_time: timedelta | None = None, **named: Any) -> None:
        super().__init__()
        self._anchor = start_time
        if start_time is None and len(span) > 1 and isinstance(span[0], timedelta):
            self._anchor = next((item for item in span[1:] if isinstance(item, timedelta)), None)
            span = span[:1] if self._anchor is not None else span
        span = (*span, *named.values())
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
        # As in LEAN, what is longer than a day begins where its first bar does.
        if self._count is not None or not self._length or self._length > _DAY:
            return moment
        if self._anchor is None:
            return round_down(moment, self._length)
        first = moment.replace(hour=0, minute=0, second=0, microsecond=0) + self._anchor
        first = first if first <= moment else first - _DAY
        return first + (moment - first) // self._length * self._length

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
        over = moment - working.time >= self._period
        if over and self._rounded(moment) > (self._emitted or datetime.min):
            self.working_data = None
            self._emitted = working.end_time
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
