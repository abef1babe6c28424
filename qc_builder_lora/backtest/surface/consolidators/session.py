"""Consolidators that know the exchange's sessions, that follow one another, or of one's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..enums import LeanEnum
from ..exchange import session_of
from ..quotes import QuoteBar
from ..subscriptions import SECONDS
from .base import CalendarInfo, ConsolidatorBase
from .periods import PeriodCountConsolidator, QuoteBarConsolidator, TradeBarConsolidator


class MarketHourAwareConsolidator(ConsolidatorBase):
    """Bars of the session: a daily one ends at the close, shorter ones begin at the opening."""

    LEAN = "MarketHourAwareConsolidator"

    def __init__(
        self, daily_strict_end_time_enabled: bool, resolution: Any, data_type: Any = None,
        tick_type: Any = None, extended_market_hours: bool = False, **named: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self._strict = bool(daily_strict_end_time_enabled)
        self._extended = bool(extended_market_hours)
        known = isinstance(resolution, LeanEnum)
        self._period = timedelta(seconds=SECONDS[resolution]) if known else resolution
        self.TAKES_QUOTES = data_type is QuoteBar
        kind = QuoteBarConsolidator if self.TAKES_QUOTES else TradeBarConsolidator
        self._inner: PeriodCountConsolidator = kind(self._span())
        self._inner.data_consolidated += lambda _, bar: self.emit(bar)

    def _span(self) -> timedelta | Callable[[datetime], CalendarInfo]:
        if self._period == timedelta(days=1) and self._strict:
            return self._daily
        if self._period < timedelta(days=1) and self._period.total_seconds() not in (1, 60, 3600):
            return self._intraday
        return self._period

    def _daily(self, moment: datetime) -> CalendarInfo:
        start, end = session_of(moment, self._extended)
        return CalendarInfo(start, end - start)

    def _intraday(self, moment: datetime) -> CalendarInfo:
        start, end = session_of(moment, self._extended)
        begin = start + (moment - start) // self._period * self._period
        return CalendarInfo(begin, min(begin + self._period, end) - begin)

    @property
    def ends_at(self) -> datetime | None:
        return self._inner.ends_at

    @property
    def working_data(self) -> Any:
        return self._inner.working_data

    @working_data.setter
    def working_data(self, bar: Any) -> None:
        """Set by the base alone."""

    def update(self, bar: Any) -> None:
        start, end = session_of(bar.time, self._extended)
        # Hourly bars of US equities begin at nine, before the opening.
        long = self._period == timedelta(days=1) and bar.end_time - bar.time >= timedelta(hours=1)
        if start <= bar.time < end or (long and bar.time < end and bar.end_time > start):
            self._inner.update(bar)

    def scan(self, moment: datetime) -> None:
        self._inner.scan(moment)

    def reset(self) -> None:
        super().reset()
        self._inner.reset()


@both_styles
class SequentialConsolidator(ConsolidatorBase):
    """What the first gives is what the second takes."""

    LEAN = "SequentialConsolidator"

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.TAKES_QUOTES = getattr(first, "TAKES_QUOTES", False)
        second.data_consolidated += lambda _, bar: self.emit(bar)
        first.data_consolidated += lambda _, bar: second.update(bar)

    @property
    def ends_at(self) -> datetime | None:
        ends: datetime | None = self.first.ends_at
        return ends

    def update(self, bar: Any) -> None:
        self.first.update(bar)

    def scan(self, moment: datetime) -> None:
        self.first.scan(moment)


@both_styles
class PythonConsolidator(ConsolidatorBase):
    """Base of a strategy's own consolidators."""

    LEAN = "PythonConsolidator"

    def __new__(cls, *args: Any, **named: Any) -> PythonConsolidator:
        made = super().__new__(cls)
        # A strategy's own `__init__` need not call ours.
        ConsolidatorBase.__init__(made)
        return made

    def __init__(self) -> None:
        """Done already."""

    def on_data_consolidated(self, *args: Any) -> None:
        """Tell of a finished bar: `on_data_consolidated(self, bar)`."""
        self.emit(args[-1])
