"""`security.exchange`: its hours, asked of the simulator, which keeps the calendar."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from .alias import both_styles
from .known import Lean, not_modelled
from .symbol import Symbol

EPOCH = datetime(1970, 1, 1)


_ask: list[Any] = []
_sessions: dict[tuple[date, bool], tuple[datetime, datetime]] = {}


def use(ask: Any) -> None:
    """Have sessions asked of this strategy's simulator."""
    _ask[:] = [ask]
    _sessions.clear()


def session_of(moment: datetime, extended: bool = False) -> tuple[datetime, datetime]:
    """Opening and close of a moment's day; of the day before where the exchange stays shut."""
    key = (moment.date(), extended)
    if key not in _sessions:
        midnight = _seconds(moment.date())
        opens, closes = _ask[0](["hours", "session_extended" if extended else "session", midnight])
        _sessions[key] = (EPOCH + timedelta(seconds=opens), EPOCH + timedelta(seconds=closes))
    return _sessions[key]


def converted(moment: datetime, zone: Any, into: str) -> datetime:
    """`local`: a UTC moment on a zone's clocks; `utc`: back. New York's and UTC are known."""
    name = str(zone)
    if name in ("UTC", "Etc/UTC"):
        return moment
    if name != "America/New_York":
        not_modelled("Extensions.convert_from_utc", f"time zone {name}")
    part = timedelta(microseconds=moment.microsecond)
    return EPOCH + timedelta(seconds=_ask[0](["hours", into, _seconds(moment)])) + part


def _seconds(moment: Any) -> int:
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return int((moment.replace(tzinfo=None) - EPOCH).total_seconds())


def _regular_only(extended: bool) -> None:
    if extended:
        not_modelled("SecurityExchangeHours", "extended market hours")


@both_styles
class SecurityExchangeHours(Lean):
    """The regular session; times are the exchange's."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    def _ask(self, what: str, moment: Any) -> int:
        answer: int = self._desk.ask(["hours", what, _seconds(moment)])
        return answer

    def is_open(self, moment: Any, *rest: Any) -> bool:
        return bool(self._ask("open_at", moment))

    def is_date_open(self, moment: Any, *rest: Any) -> bool:
        return bool(self._ask("date_open", moment))

    def get_next_market_open(self, moment: Any, extended_market_hours: bool = False) -> datetime:
        _regular_only(extended_market_hours)
        return EPOCH + timedelta(seconds=self._ask("next_open", moment))

    def get_next_market_close(self, moment: Any, extended_market_hours: bool = False) -> datetime:
        _regular_only(extended_market_hours)
        return EPOCH + timedelta(seconds=self._ask("next_close", moment))

    def get_next_trading_day(self, moment: Any) -> datetime:
        return EPOCH + timedelta(seconds=self._ask("next_day", moment))

    def get_previous_trading_day(self, moment: Any) -> datetime:
        return EPOCH + timedelta(seconds=self._ask("previous_day", moment))


@both_styles
class SecurityExchange(Lean):
    """The exchange of one security."""

    LEAN = "EquityExchange"

    def __init__(self, desk: Any, symbol: Symbol) -> None:
        self._desk = desk
        self.symbol = symbol
        self.hours = SecurityExchangeHours(desk)
        self.trading_days_per_year = 252

    @property
    def exchange_open(self) -> bool:
        open_now: bool = self._desk.exchange_open()
        return open_now

    @property
    def local_time(self) -> datetime:
        now: datetime = self._desk.exchange_time
        return now

    @property
    def time_zone(self) -> str:
        return "America/New_York"

    def date_time_is_open(self, moment: datetime) -> bool:
        return self.hours.is_open(moment)

    def date_is_open(self, moment: Any) -> bool:
        return self.hours.is_date_open(moment)
