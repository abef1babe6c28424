"""What all consolidators share, and LEAN's calendar periods.

The desk feeds a consolidator the bars of one subscription and scans it at the end of each moment
and when the period of its bar is over, so that a bar is complete at its own end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..alias import both_styles
from ..indicators.base import EventHook, RollingWindow
from ..known import Lean

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
    """Who is told of a bar, the bar in the making, and the last ones."""

    TAKES_QUOTES = False

    def __init__(self) -> None:
        self.data_consolidated = EventHook()
        self.consolidated: Any = None
        self.working_data: Any = None
        self._window: Any = None

    @property
    def ends_at(self) -> datetime | None:
        """When the bar in the making is complete, whatever comes; None where time does not say."""
        return None

    def update(self, bar: Any) -> None:
        """Take one bar."""
        raise NotImplementedError(f"{type(self).__name__}.update")

    def scan(self, moment: datetime) -> None:
        """Emit what is over by a moment of the exchange's."""

    def emit(self, bar: Any) -> None:
        """Tell of a finished bar."""
        self.consolidated = bar
        self.window.add(bar)
        self.data_consolidated.fire(self, bar)

    @property
    def window(self) -> Any:
        """The last bars, newest first; two unless its size is set."""
        if self._window is None:
            self._window = RollingWindow(2)
        return self._window

    @property
    def current(self) -> Any:
        return self.window[0]

    @property
    def previous(self) -> Any:
        return self.window[1]

    def __getitem__(self, index: int) -> Any:
        return self.window[index]

    def __bool__(self) -> bool:
        return True

    def reset(self) -> None:
        """Forget the bar in the making."""
        self.working_data = self.consolidated = self._window = None

    def dispose(self) -> None:
        """Nothing to let go of."""


class IdentityConsolidator(ConsolidatorBase):
    """Passes each bar on."""

    LEAN = "IdentityDataConsolidator"

    def update(self, bar: Any) -> None:
        self.emit(bar)
