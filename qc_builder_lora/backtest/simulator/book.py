"""The book of one backtest: every order, which are open, what becomes of them at a moment.

LEAN's BrokerageTransactionHandler and BacktestingBrokerage in one: requests queue up and are
handled in turn, every request is followed by a look at all open orders, and so is every moment.
Which price an order fills at is `fills.py`'s, what a fill does to the money `account.py`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.simulator import refusals
from qc_builder_lora.backtest.simulator.capacity import Capacity
from qc_builder_lora.backtest.simulator.combos import Groups, Leg, too_dear
from qc_builder_lora.backtest.simulator.fills import Fill, Market
from qc_builder_lora.backtest.simulator.orders import (
    AT_THE_MARKET,
    Kind,
    Order,
    Status,
    Wish,
    ordered,
)
from qc_builder_lora.backtest.simulator.reality import Dishonest, Mistake, Reality
from qc_builder_lora.backtest.simulator.refusals import NO_ORDER
from qc_builder_lora.backtest.simulator.replies import DONE, Reply
from qc_builder_lora.backtest.simulator.trades import TradeBuilder

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.engine import Engine, Security

_NO_UPDATE = "BrokerageModel declared unable to update order"
DELISTING = "Liquidate from delisting"
"""LEAN's tag of the order that closes what is left of a company."""
Event = list[Any]
Changes = dict[str, Any]


class Book:
    """Orders by number, oldest first, and the closed trades that they make."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.orders: list[Order] = []
        self.pending: dict[int, Order] = {}
        self.trades = TradeBuilder()
        self.capacity = Capacity()
        self.reality = Reality()
        self.tell: Callable[[Event], None] = lambda event: None
        """Takes an event as it happens; the strategy may ask for more before it returns."""
        self.numbered: Callable[[Order, bool], None] = lambda order, asked: None
        """Takes an order before anything happens to it, and whether the strategy waits for it."""
        self.refused: Callable[[int, int, str], None] = lambda number, code, text: None
        """Takes an update that was not taken: the order's number, LEAN's code, why."""
        self.complain: Callable[[str], None] = lambda text: None
        """Takes a line for the strategy's log of errors."""
        self.groups = Groups()
        self._queue: deque[Callable[[], None]] = deque()
        self._restless: dict[int, Order] = {}
        """Open orders of which a second look at the same prices may end differently."""
        self._seen = (-1, -1)
        """Time and account version of the last full look at the open orders."""

    @property
    def idle(self) -> bool:
        """Whether nothing is open and nothing asked for."""
        return not self.pending and not self._queue

    # What a strategy asks.

    def submit(self, wish: Wish) -> tuple[int, Reply]:
        """The order's number and what became of it; LEAN's number for none where it never was."""
        refused = refusals.before_it_exists(wish, len(self.orders), self._engine)
        if refused:
            return NO_ORDER, refused
        return self.add(wish, asked=True)

    def add(self, wish: Wish, *, asked: bool = False) -> tuple[int, Reply]:
        """The same without QCAlgorithm's checks, as a margin call orders."""
        now = self._engine.now
        order = ordered(wish, len(self.orders) + 1, now.utc, now.exchange)
        self.orders.append(order)
        self.numbered(order, asked)
        self._queue.append(lambda: self._place(order))
        self._run()
        return order.number, order.reply

    def update(self, number: int, changes: Changes) -> Reply:
        """Ask for changed fields of an order; they change when the queue is next worked off."""
        order = self.order(number)
        if order is None:
            return _unknown(number)
        if order.group is not None:
            raise Dishonest("an update of an order of several legs")
        order.updated = True
        self._restless[number] = order
        tag_alone = set(changes) == {"tag"}
        if not order.open and not tag_alone:
            return _closed("update", order)
        if changes.get("quantity") == 0:
            text = f"Unable to update order with id {number} that have zero quantity."
            return Reply(refusals.ZERO, text)
        if self._engine.warming_up:
            return refusals.warming("Update")
        self._queue.append(lambda: self._change(order, changes))
        return DONE

    def cancel(self, number: int, tag: str | None) -> Reply:
        """Ask for a cancellation; it is carried out when the queue is next worked off."""
        order = self.order(number)
        if order is None:
            return _unknown(number)
        if order.canceling:
            return Reply(refusals.REPEATED, "Cancellation is already in progress.")
        order.canceling = True
        order.tag = order.tag if tag is None else tag
        if not order.open:
            return _closed("cancel", order)
        if self._engine.warming_up:
            return refusals.warming("Cancel")
        self._event(order, Status.CANCEL_PENDING)
        self._queue.append(lambda: self._drop(order))
        return DONE

    def delist(self, index: int) -> None:
        """Close what is held at the last price, free of charge, and cancel what is open."""
        item = self._engine.securities[index]
        quantity = -item.holding.quantity
        if quantity:
            now = self._engine.now
            wish = Wish(index, Kind.MARKET, quantity, tag=DELISTING)
            order = ordered(wish, len(self.orders) + 1, now.utc, now.exchange)
            self.orders.append(order)
            self.numbered(order, False)
            self._fill(order, item, Fill(item.holding.price, quantity))
        self.cancel_all(index)

    def cancel_all(self, index: int, tag: str | None = None) -> None:
        """Ask for the cancellation of every open order of a security, oldest first."""
        for number in sorted(self.pending):
            if self.pending[number].index == index:
                self.cancel(number, tag)

    def order(self, number: int) -> Order | None:
        """The order of that number."""
        return self.orders[number - 1] if 0 < number <= len(self.orders) else None

    # How it is carried out.

    def synchronize(self) -> None:
        """Carry out what was asked for, then try the open orders: before on_data, and after it."""
        self._run()
        self.scan()

    def _run(self) -> None:
        # Shared with calls further out: a request made within an event joins the same queue.
        while self._queue:
            self._queue.popleft()()
            self.scan()

    def _place(self, order: Order) -> None:
        if not self.groups.join(order):
            return
        legs = self.groups.of(order)
        if len(legs) > 1 and (why := too_dear(self._engine, self._legs(order))):
            raise Dishonest(why)
        for leg in legs:
            self._place_one(leg)

    def _legs(self, order: Order) -> list[Leg]:
        return [(leg, self._engine.securities[leg.index]) for leg in self.groups.of(order)]

    def _place_one(self, order: Order) -> None:
        item = self._engine.securities[order.index]
        order.quantity = float(int(order.quantity))
        self._round(order, item)
        order.submitted = item.quotes()
        lack = self._lack(order, item)
        if lack is not None:
            self._refuse(order, refusals.LACKING, refusals.lacking(order, item.holding.price, lack))
            return
        refused = refusals.by_the_brokerage(order, self._engine)
        refused = refused or self.reality.refusal("submits", item, order)
        if refused:
            text = f"BrokerageModel declared unable to submit order: [{order.number}] {refused}"
            self._refuse(order, refusals.REFUSED, text)
            return
        order.placed = True
        self.pending[order.number] = order
        asks_again = order.kind in (*AT_THE_MARKET, Kind.TRAILING_STOP)
        if asks_again or order.group or item.holding.fill_model:
            self._restless[order.number] = order
        self._event(order, Status.SUBMITTED)

    def _refuse(self, order: Order, code: int, text: str) -> None:
        order.reply = Reply(code, text)
        self.complain(text)
        self._event(order, Status.INVALID, message=text)

    def _round(self, order: Order, item: Security) -> None:
        for name in ("limit", "stop", "trigger"):
            setattr(order, name, item.tick(getattr(order, name)))
        if not order.by_share:
            order.trailing = item.tick(order.trailing)

    def _change(self, order: Order, changes: Changes) -> None:
        if not order.open:
            order.tag = changes.get("tag", order.tag)
            return
        item = self._engine.securities[order.index]
        refused = self.reality.refusal("updates", item, order)
        if refused:
            text = f"OrderID: {order.number} {refused}"
            self.complain(text)
            self.refused(order.number, refusals.UPDATE_REFUSED, text)
            self._event(order, order.status, message=_NO_UPDATE)
            return
        before = {name: getattr(order, name) for name in changes}
        _apply(order, changes)
        lack = self._lack(order, item)
        if lack is not None:
            _apply(order, before)
            text = (
                f"Brokerage failed to update order with id: {order.number}, Symbol: {item.ticker}, "
                f"Insufficient buying power to complete order, Reason: {lack}."
            )
            self.complain(text)
            self._event(order, order.status, message=text)
            return
        self._round(order, item)
        self._event(order, Status.UPDATE_SUBMITTED)

    def _drop(self, order: Order) -> None:
        # The legs of one order go together.
        for leg in self.groups.of(order):
            if leg.open:
                self.pending.pop(leg.number, None)
                self._event(leg, Status.CANCELED)

    # Every moment.

    def scan(self) -> None:
        """Try the open orders, oldest first."""
        if not self.pending:
            return
        now = self._engine.now.utc
        state = (now, self._engine.account.version)
        full, self._seen = state != self._seen, state
        looked_at = self.pending if full else self._restless
        for order in sorted(looked_at.values(), key=lambda item: item.number):
            # All but market orders wait for the next moment.
            if order.number not in self.pending:
                self._restless.pop(order.number, None)
            elif order.open and (order.utc != now or order.kind in AT_THE_MARKET):
                self._try(order)

    def _try(self, order: Order) -> None:
        engine = self._engine
        item = engine.securities[order.index]
        bar = item.bar
        if order.kind is Kind.MARKET_ON_OPEN and (bar is None or order.local >= bar.end):
            return
        if order.lifetime.over(order.local, engine.now.exchange, engine.hours):
            self._end(order, Status.CANCELED, "The order has expired.")
            return
        lack = self._lack(order, item)
        if lack is not None:
            if order.status is not Status.CANCEL_PENDING:
                text = refusals.lacking(order, item.holding.price, lack)
                self.complain(text)
                self._end(order, Status.INVALID, text)
            return
        if order.group is not None:
            legs = self._legs(order)
            # As LEAN: at every leg's turn all of them are tried, by the model of that leg.
            for leg, fill in self.reality.group_fills(order, legs, self.market()):
                self._fill(leg, engine.securities[leg.index], fill)
            return
        for fill in self._fills(order, item):
            self._fill(order, item, fill)

    def _end(self, order: Order, status: Status, message: str) -> None:
        self.pending.pop(order.number, None)
        self._event(order, status, message=message)

    def _lack(self, order: Order, item: Security) -> str | None:
        """Why the order cannot be afforded; None where it can."""
        try:
            return self.reality.lack(self._engine.account, item, order)
        except Mistake as mistake:
            self.complain(
                f"Order Error: id: {order.number}, Error executing margin models: {mistake}"
            )
            return str(mistake)

    def _fills(self, order: Order, item: Security) -> list[Fill]:
        try:
            return self.reality.fills(order, item, self.market())
        except Mistake as mistake:
            name = "".join(part.capitalize() for part in order.kind.name.split("_"))
            self.complain(
                f"Order Error: id: {order.number}, Transaction model failed to fill for order "
                f"type: {name} with error: {mistake}"
            )
            return []

    def market(self) -> Market:
        """This moment, as fill models see it."""
        engine = self._engine
        return Market(engine.now.exchange, engine.hours, engine.plan.stale_price_s)

    def _fill(self, order: Order, item: Security, fill: Fill) -> None:
        engine = self._engine
        now, account = engine.now.utc, engine.account
        if fill.done:
            self.pending.pop(order.number, None)
        self.reality.settle(account, item, order, fill)
        account.fill(item.holding, fill.quantity, fill.price, fill.fee, now)
        self._settle_later(item, fill)
        self.trades.add(item.ticker, fill.quantity, fill.price, fill.fee, now, order.number)
        order.add(fill.quantity, fill.price, fill.fee, now)
        self.capacity.fill(order.index, now, fill.price, fill.quantity)
        status = Status.FILLED if fill.done else Status.PARTIALLY_FILLED
        self._event(order, status, fill.quantity, fill.price, fill.fee, fill.message)

    def _settle_later(self, item: Security, fill: Fill) -> None:
        """In a cash account the money of a sale comes a day later."""
        delay = item.holding.settlement
        if delay is None or fill.quantity > 0 or "settlement" in item.holding.own:
            return
        engine = self._engine
        usd = -fill.quantity * fill.price
        engine.account.cash -= usd
        engine.account.settlement.delay(
            engine.now.exchange, usd, *delay, engine.hours, engine.exchange
        )

    def _event(
        self, order: Order, status: Status, quantity: float = 0.0, price: float = 0.0,
        cost: float = 0.0, message: str = "",
    ) -> None:  # fmt: skip
        now, account = self._engine.now.utc, self._engine.account
        order.status = status
        order.message = message or order.message
        if status is Status.CANCELED:
            order.canceled_at = now
        elif status in (Status.SUBMITTED, Status.UPDATE_SUBMITTED) and order.updated:
            order.updated_at = now
        holding = account.holdings[order.index].plain() if quantity else None
        self.tell([order.number, int(status), quantity, price, cost, message, now, order.state(),
                   holding, account.plain()])  # fmt: skip


def _apply(order: Order, changes: Changes) -> None:
    for name, value in changes.items():
        setattr(order, name, value)


def _unknown(number: int) -> Reply:
    return Reply(refusals.NOT_FOUND, f"Unable to locate order with id {number}.")


def _closed(what: str, order: Order) -> Reply:
    status = "".join(part.capitalize() for part in order.status.name.split("_"))
    return Reply(
        refusals.WRONG_STATUS,
        f"Unable to {what} order with id {order.number} which already has {status} status.",
    )
