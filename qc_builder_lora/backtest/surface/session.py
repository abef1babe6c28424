"""`security.session`: the day's bar so far, and those of the days before it.

Followed once a strategy has set its size, as LEAN wants it. Trades of the regular session of one
subscription; further subscriptions of the same security are not modelled beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from .alias import both_styles
from .bars import TradeBar
from .exchange import session_of
from .known import Lean, not_modelled


@both_styles
@dataclass(eq=False)
class SessionBar(Lean):
    """Prices and volume of one session."""

    LEAN = "SessionBar"
    symbol: Any
    day: date | None = None
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: float = 0.0
    open_interest: float = 0.0

    @property
    def time(self) -> datetime:
        """Midnight at which its day begins."""
        return datetime.combine(self.day or date.min, datetime.min.time())

    @property
    def end_time(self) -> datetime:
        return self.time + timedelta(days=1)

    def take(self, bar: TradeBar) -> None:
        """Add one bar of the day."""
        if self.day is None:
            self.day, self.open, self.high, self.low = bar.time.date(), bar.open, bar.high, bar.low
        self.high, self.low = max(self.high, bar.high), min(self.low, bar.low)
        self.close = bar.close
        self.volume += bar.volume


@both_styles
class Session(Lean):
    """The sessions of one security, today's first."""

    LEAN = "Session"

    def __init__(self, security: Any) -> None:
        self._security = security
        self._size = 0
        self._bars: list[SessionBar] = []
        self._heard: set[int] = set()

    @property
    def size(self) -> int:
        """How many sessions are kept."""
        return self._size

    @size.setter
    def size(self, value: int) -> None:
        self._size = int(value)
        self._listen()

    def _listen(self) -> None:
        trades = [item for item in self._security.subscriptions if item.is_trade]
        if len(trades) > 1:
            not_modelled("Security.session", "of a security with several subscriptions")
        for config in trades:
            if config.number not in self._heard:
                self._heard.add(config.number)
                config.listeners.insert(0, self._take)

    def reset(self) -> None:
        """Begin anew, as when the security has been removed."""
        self._bars.clear()

    def _take(self, bar: TradeBar) -> None:
        opening, closing = session_of(bar.time, False)
        # The first bar of the hour begins half an hour before the exchange opens.
        early = bar.time < opening - timedelta(minutes=opening.minute)
        if bar.period < timedelta(days=1) and (early or bar.time >= closing):
            return
        working = self._working()
        if working is None or working.day not in (None, bar.time.date()):
            working = SessionBar(self._security.symbol)
            self._bars.insert(0, working)
            del self._bars[max(self._size, 1) :]
        working.take(bar)

    def _working(self) -> SessionBar | None:
        """Today's; what is left of another day has moved on by one."""
        if not self._size:
            not_modelled("Security.session", "without session.size")
        first = self._bars[0] if self._bars else None
        if first is not None and first.day not in (None, self._security.local_time.date()):
            self._bars.insert(0, SessionBar(self._security.symbol))
            del self._bars[self._size :]
        return self._bars[0] if self._bars else None

    def _value(self, name: str) -> float:
        working = self._working()
        return 0.0 if working is None else float(getattr(working, name))

    @property
    def open(self) -> float:
        return self._value("open")

    @property
    def high(self) -> float:
        return self._value("high")

    @property
    def low(self) -> float:
        return self._value("low")

    @property
    def close(self) -> float:
        return self._value("close")

    @property
    def volume(self) -> float:
        return self._value("volume")

    @property
    def open_interest(self) -> float:
        return self._value("open_interest")

    @property
    def count(self) -> int:
        self._working()
        return len(self._bars)

    @property
    def is_ready(self) -> bool:
        return self.count >= self._size

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[SessionBar]:
        self._working()
        return iter(list(self._bars))

    def __getitem__(self, index: int) -> SessionBar | None:
        self._working()
        return self._bars[index] if index < len(self._bars) else None
