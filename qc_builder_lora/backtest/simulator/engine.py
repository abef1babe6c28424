"""One backtest on the simulator's side: clock, prices, orders, account, samples.

The strategy's process is led step by step: it is told what has happened up to a moment, and asks
for what it wants, until it says `done`. Nothing later than the clock ever crosses the channel.
LEAN's order within a moment: prices, fills, scheduled events, corporate actions, consolidators and
indicators, on_data, fills again (AlgorithmManager).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.simulator.account import Account, Holding
from qc_builder_lora.backtest.simulator.book import Book
from qc_builder_lora.backtest.simulator.calendar import DAY, NEW_YORK, OPEN, Hours, zone
from qc_builder_lora.backtest.simulator.feed import Action, Series
from qc_builder_lora.backtest.simulator.orders import Bar, round_price


@dataclass
class Subscription:
    """One security: its bars, and how far the clock has come in them."""

    ticker: str
    series: Series
    raw: bool
    fill_forward: bool
    holding: Holding
    next_row: int = 0
    bar: Bar | None = None

    def tick(self, price: float | None) -> float | None:
        """To the price tick. Adjusted prices have none (LEAN's AdjustedPriceVariationModel)."""
        return round_price(price) if self.raw else price


@dataclass
class Moment:
    """Where the clock stands; three views of one time, in seconds since 1970."""

    utc: int = 0
    local: int = 0
    """The algorithm's zone."""
    exchange: int = 0
    is_open: bool = False

    def plain(self) -> list[Any]:
        """As the strategy's clock takes it."""
        return [self.utc, self.local, self.exchange, self.is_open]

    def text(self) -> str:
        """The same, as JSON."""
        return f"[{self.utc},{self.local},{self.exchange},{'true' if self.is_open else 'false'}]"


@dataclass
class Plan:
    """What the strategy chose in initialize."""

    start: int | None = None
    end: int | None = None
    warm_up_bars: int | None = None
    warm_up_seconds: int | None = None
    benchmark: str | None = None
    trading_days: int = 252
    max_orders: int = 10_000
    """LEAN's default for a backtest."""
    flags: dict[str, bool] = field(default_factory=dict)


class Engine:
    """The state of one backtest that counts."""

    def __init__(self, hours: Hours) -> None:
        self.hours = hours
        self.exchange = zone(NEW_YORK)
        self.zone = self.exchange
        self.now = Moment()
        self.plan = Plan()
        self.account = Account()
        self.subscriptions: list[Subscription] = []
        self.book = Book(self)
        self.warming_up = True
        self.quitting = False
        self.initialized = False
        self.timers: list[int] = []
        self._action_days: set[int] = set()

    # The clock.

    def move_to(self, utc: int) -> None:
        """Set all three clocks."""
        exchange = self.exchange.local(utc)
        local = exchange if self.zone is self.exchange else self.zone.local(utc)
        self.now = Moment(utc, local, exchange, self.hours.is_open(exchange))

    def close_of(self, day: int) -> int:
        """UTC seconds at which a trading day's bars end."""
        return self.exchange.utc(day * DAY + self.hours.close(day))

    def advance(self, day: int) -> tuple[list[int], list[str], list[int]]:
        """Move every security to the bar of a trading day: indices, bars as JSON, filled ones."""
        indices, frames, filled = [], [], []
        for index, item in enumerate(self.subscriptions):
            series, row = item.series, item.next_row
            if row < len(series.days) and series.days[row] <= day:
                while row < len(series.days) and series.days[row] < day:
                    row += 1
                if row < len(series.days) and series.days[row] == day:
                    item.next_row = row + 1
                    indices.append(index)
                    frames.append(series.frame(row))
                    self._take(item, row, day)
                    continue
                item.next_row = row
            if item.bar is not None and item.fill_forward and self._lists(series, day):
                # Nothing traded: the last bar again, with no volume, as LEAN fills forward.
                bar = item.bar
                frames.append(f"[{bar.open!r},{bar.high!r},{bar.low!r},{bar.close!r},0.0]")
                filled.append(len(indices))
                indices.append(index)
                self._take_bar(item, day, bar.open, bar.high, bar.low, bar.close)
        return indices, frames, filled

    def _lists(self, series: Series, day: int) -> bool:
        return series.delisted is None or day <= series.delisted

    def _take(self, item: Subscription, row: int, day: int) -> None:
        series = item.series
        self._take_bar(
            item, day, series.open[row], series.high[row], series.low[row], series.close[row]
        )

    def _take_bar(
        self, item: Subscription, day: int, open_: float, high: float, low: float, close: float
    ) -> None:
        start = day * DAY
        item.bar = Bar(start + OPEN, start + self.hours.close(day), open_, high, low, close)
        item.holding.price = close

    def skip_to(self, day: int) -> None:
        """Forget bars before a day: the backtest begins there."""
        for item in self.subscriptions:
            item.next_row = item.series.row_at(day - 1) + 1

    # Corporate actions.

    def actions(self, day: int) -> list[tuple[int, Action]]:
        """Dividends and splits that take effect on a day, by subscription."""
        if day not in self._action_days:
            return []
        return [
            (index, action)
            for index, item in enumerate(self.subscriptions)
            for action in item.series.actions.get(day, ())
        ]

    def subscribe(self, item: Subscription) -> int:
        """Add a security; its number."""
        self.subscriptions.append(item)
        self.account.holdings.append(item.holding)
        self._action_days.update(item.series.actions)
        return len(self.subscriptions) - 1

    # Timers of consolidators.

    def add_timer(self, exchange_local: int) -> None:
        """Wake the strategy at a New York time."""
        heapq.heappush(self.timers, self.exchange.utc(exchange_local))

    def due_timers(self, before: int) -> Iterator[int]:
        """UTC seconds of the timers that are over before a moment, each once."""
        while self.timers and self.timers[0] < before:
            due = heapq.heappop(self.timers)
            while self.timers and self.timers[0] == due:
                heapq.heappop(self.timers)
            yield due
