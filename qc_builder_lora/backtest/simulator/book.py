"""The book of one backtest: every order, which are open, what becomes of them at a moment.

Which price an order fills at is `orders.py`'s, what a fill does to the money `account.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.simulator.orders import (
    Kind,
    Order,
    Status,
    fill_price,
    slipped,
)
from qc_builder_lora.backtest.simulator.trades import TradeBuilder

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.actions import Action
    from qc_builder_lora.backtest.simulator.engine import Engine, Security

Event = list[Any]


class Book:
    """Orders by number, oldest first, and the closed trades that they make."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.orders: list[Order] = []
        self.pending: list[Order] = []
        self.trades = TradeBuilder()

    def submit(
        self, index: int, kind: Kind, quantity: float,
        prices: tuple[float | None, float | None, float | None], tag: str,
    ) -> tuple[int, str, list[Event]]:  # fmt: skip
        """Number, error and events. An order refused before it exists has number 0, as in LEAN."""
        item = self._engine.securities[index]
        error = self._refusal(item, kind, quantity)
        if error:
            return 0, error, []
        limit, stop, trigger = (item.tick(price) for price in prices)
        order = Order(
            len(self.orders) + 1, index, kind, quantity, limit, stop, trigger, tag,
            self._engine.now.utc, self._engine.now.exchange,
        )  # fmt: skip
        self.orders.append(order)
        lack = self._engine.account.lacks_margin(item.holding, quantity, order.number)
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

    def _refusal(self, item: Security, kind: Kind, quantity: float) -> str:
        if self._engine.warming_up:
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
        if len(self.orders) > self._engine.plan.max_orders:
            self._engine.quitting = True
            return f"You have exceeded maximum number of orders ({self._engine.plan.max_orders})."
        if kind is Kind.MARKET_ON_OPEN and self._engine.now.is_open:
            return "Cannot submit a MarketOnOpen order while the market is open."
        if kind is Kind.MARKET_ON_CLOSE:
            close = self._engine.hours.next_close(self._engine.now.exchange)
            # LEAN's MarketOnCloseOrder.SubmissionTimeBuffer: 15.5 minutes.
            if self._engine.now.exchange > close - 930:
                return "MarketOnClose orders must be placed within 00:15:30 before market close."
        return ""

    def scan(self) -> Iterator[Event]:
        """Try every pending order once, oldest first; what happens, as it happens."""
        for order in list(self.pending):
            if order.open and (order.utc != self._engine.now.utc or order.kind is Kind.MARKET):
                yield from self._try(order)

    def _try(self, order: Order) -> list[Event]:
        item = self._engine.securities[order.index]
        bar = item.bar
        if order.kind is Kind.MARKET_ON_OPEN and (bar is None or order.local >= bar.end):
            return []
        lack = self._engine.account.lacks_margin(item.holding, order.quantity, order.number)
        if lack:
            text = f"Insufficient buying power to complete order: {lack}"
            return [self._event(order, Status.INVALID, message=text)]
        price = fill_price(order, bar, self._engine.now.exchange, self._engine.hours)
        if price is None:
            return []
        price = slipped(order, price, item.holding.price, item.holding.slippage)
        return [self._fill(order, item, price)]

    def _fill(self, order: Order, item: Security, price: float) -> Event:
        cost = self._engine.account.order_fee(item.holding, order.quantity, item.holding.price)
        self._engine.account.fill(item.holding, order.quantity, price, cost, self._engine.now.utc)
        self.trades.add(item.ticker, order.quantity, price, cost, self._engine.now.utc)
        order.price = price
        order.fills.append(
            {"utc": self._engine.now.utc, "quantity": order.quantity, "price": price, "fee": cost}
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
        tick = self._engine.securities[order.index].tick
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
        holding = self._engine.securities[order.index].holding.plain() if quantity else None
        return [
            order.number, int(status), quantity, price, cost, message, self._engine.now.utc,
            holding,
            self._engine.account.plain(),
        ]  # fmt: skip

    def act(self, index: int, action: Action) -> bool:
        """On raw data a dividend is paid and a split multiplies; whether anything changed."""
        item = self._engine.securities[index]
        if not item.raw or action.warning:
            return False
        if action.kind == "dividend":
            self._engine.account.cash += item.holding.quantity * action.value
            return item.holding.quantity != 0
        self._engine.account.split(item.holding, action.value)
        self.trades.split(item.ticker, action.value)
        for order in self.pending:
            if order.index == index:
                order.quantity = float(int(order.quantity / action.value))
                order.limit = None if order.limit is None else order.limit * action.value
                order.stop = None if order.stop is None else order.stop * action.value
        return True
