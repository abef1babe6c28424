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
from qc_builder_lora.backtest.simulator.calendar import DAY, NEW_YORK, OPEN, Hours, zone
from qc_builder_lora.backtest.simulator.feed import Action, Series
from qc_builder_lora.backtest.simulator.orders import (
    Bar,
    Kind,
    Order,
    Status,
    fill_price,
    round_price,
    slipped,
)
from qc_builder_lora.backtest.simulator.trades import TradeBuilder

Event = list[Any]


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
        self.orders: list[Order] = []
        self.pending: list[Order] = []
        self.trades = TradeBuilder()
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

    # Orders.

    def submit(
        self, index: int, kind: Kind, quantity: float,
        prices: tuple[float | None, float | None, float | None], tag: str,
    ) -> tuple[int, str, list[Event]]:  # fmt: skip
        """Number, error and events. An order refused before it exists has number 0, as in LEAN."""
        item = self.subscriptions[index]
        error = self._refusal(item, kind, quantity)
        if error:
            return 0, error, []
        limit, stop, trigger = (item.tick(price) for price in prices)
        order = Order(
            len(self.orders) + 1, index, kind, quantity, limit, stop, trigger, tag, self.now.utc,
            self.now.exchange,
        )  # fmt: skip
        self.orders.append(order)
        lack = self.account.lacks_margin(item.holding, quantity, order.number)
        if lack:
            text = (
                f"Order Error: ids: [{order.number}], Insufficient buying power to complete orders "
                f"(Value:[{quantity * item.holding.price:.4f}]), Reason: {lack}."
            )
            return order.number, "", [self._event(order, Status.INVALID, message=text)]
        self.pending.append(order)
        events = [self._event(order, Status.SUBMITTED)]
        if kind is Kind.MARKET:
            events += self._try(order)
        return order.number, "", events

    def _refusal(self, item: Subscription, kind: Kind, quantity: float) -> str:
        if self.warming_up:
            return (
                "This operation is not allowed in Initialize or during warm up: "
                "OrderRequest.Submit. Please move this code to the OnWarmupFinished() method."
            )
        if quantity == 0 or abs(quantity) < 1:
            return (
                f"Unable to submit order with quantity {quantity:g}: it is less than the lot size "
                "of 1."
            )
        if not item.holding.price:
            return (
                f"{item.ticker}: The security does not have an accurate price as it has not yet "
                "received a bar of data."
            )
        if len(self.orders) > self.plan.max_orders:
            self.quitting = True
            return f"You have exceeded maximum number of orders ({self.plan.max_orders})."
        if kind is Kind.MARKET_ON_OPEN and self.now.is_open:
            return "Cannot submit a MarketOnOpen order while the market is open."
        if kind is Kind.MARKET_ON_CLOSE:
            close = self.hours.next_close(self.now.exchange)
            # LEAN's MarketOnCloseOrder.SubmissionTimeBuffer: 15.5 minutes.
            if self.now.exchange > close - 930:
                return "MarketOnClose orders must be placed within 00:15:30 before market close."
        return ""

    def scan(self) -> Iterator[Event]:
        """Try every pending order once, oldest first; what happens, as it happens."""
        for order in list(self.pending):
            if order.open and (order.utc != self.now.utc or order.kind is Kind.MARKET):
                yield from self._try(order)

    def _try(self, order: Order) -> list[Event]:
        item = self.subscriptions[order.index]
        bar = item.bar
        if order.kind is Kind.MARKET_ON_OPEN and (bar is None or order.local >= bar.end):
            return []
        lack = self.account.lacks_margin(item.holding, order.quantity, order.number)
        if lack:
            text = f"Insufficient buying power to complete order: {lack}"
            return [self._event(order, Status.INVALID, message=text)]
        price = fill_price(order, bar, self.now.exchange, self.hours)
        if price is None:
            return []
        price = slipped(order, price, item.holding.price, item.holding.slippage)
        return [self._fill(order, item, price)]

    def _fill(self, order: Order, item: Subscription, price: float) -> Event:
        cost = self.account.order_fee(item.holding, order.quantity, item.holding.price)
        self.account.fill(item.holding, order.quantity, price, cost, self.now.utc)
        self.trades.add(item.ticker, order.quantity, price, cost, self.now.utc)
        order.price = price
        order.fills.append(
            {"utc": self.now.utc, "quantity": order.quantity, "price": price, "fee": cost}
        )
        return self._event(order, Status.FILLED, order.quantity, price, cost)

    def update(
        self, number: int, quantity: float | None, limit: float | None, stop: float | None,
        trigger: float | None, tag: str | None,
    ) -> tuple[str, list[Event]]:  # fmt: skip
        """Change an open order; error or events."""
        order = self._open_order(number)
        if order is None:
            return f"Unable to update the order with id {number}: it is not open.", []
        order.quantity = order.quantity if quantity is None else quantity
        tick = self.subscriptions[order.index].tick
        order.limit = order.limit if limit is None else tick(limit)
        order.stop = order.stop if stop is None else tick(stop)
        order.trigger = order.trigger if trigger is None else tick(trigger)
        order.tag = order.tag if tag is None else tag
        return "", [self._event(order, Status.UPDATE_SUBMITTED)]

    def cancel(self, number: int, tag: str) -> tuple[str, list[Event]]:
        """Cancel an open order; error or events."""
        order = self._open_order(number)
        if order is None:
            return f"Unable to cancel the order with id {number}: it is not open.", []
        order.tag = tag or order.tag
        return "", [self._event(order, Status.CANCELED)]

    def _open_order(self, number: int) -> Order | None:
        if not 0 < number <= len(self.orders):
            return None
        order = self.orders[number - 1]
        return order if order.open else None

    def _event(
        self, order: Order, status: Status, quantity: float = 0.0, price: float = 0.0,
        cost: float = 0.0, message: str = "",
    ) -> Event:  # fmt: skip
        order.status = status
        order.message = message or order.message
        if not order.open and order in self.pending:
            self.pending.remove(order)
        holding = self.subscriptions[order.index].holding.plain() if quantity else None
        return [
            order.number, int(status), quantity, price, cost, message, self.now.utc, holding,
            self.account.plain(),
        ]  # fmt: skip

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

    def apply(self, index: int, action: Action) -> bool:
        """On raw data a dividend is paid and a split multiplies; whether anything changed."""
        item = self.subscriptions[index]
        if not item.raw or action.warning:
            return False
        if action.kind == "dividend":
            self.account.cash += item.holding.quantity * action.value
            return item.holding.quantity != 0
        self.account.split(item.holding, action.value)
        self.trades.split(item.ticker, action.value)
        for order in self.pending:
            if order.index == index:
                order.quantity = float(int(order.quantity / action.value))
                order.limit = None if order.limit is None else order.limit * action.value
                order.stop = None if order.stop is None else order.stop * action.value
        return True

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
