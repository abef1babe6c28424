"""The desk's counter for orders and models: a strategy's requests, and what it is told of them.

Events go to a strategy that listens one by one, as they happen and within whatever it is doing;
to one that does not, together, with the answer or at the end of the moment.
"""

from __future__ import annotations

import json
from math import isclose
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.protocol import MOVED_MONEY
from qc_builder_lora.backtest.simulator.account import Account, Holding
from qc_builder_lora.backtest.simulator.calendar import DAY, day_of
from qc_builder_lora.backtest.simulator.channel import Forged
from qc_builder_lora.backtest.simulator.feed import Mode, NoData
from qc_builder_lora.backtest.simulator.orders import COMBOS, Group, Kind, Lifetime, Order, Wish
from qc_builder_lora.backtest.simulator.past import last_point
from qc_builder_lora.backtest.simulator.reality import OWN, Mistake
from qc_builder_lora.backtest.simulator.refusals import before_it_exists
from qc_builder_lora.backtest.simulator.schema import check_answer
from qc_builder_lora.backtest.simulator.settlement import DAYS, SECOND
from qc_builder_lora.backtest.simulator.slippage import KNOWN as SLIPPAGE
from qc_builder_lora.backtest.simulator.span import standing
from qc_builder_lora.backtest.surface.brokerages import BROKERAGES
from qc_builder_lora.backtest.surface.fees import MODELS as FEES
from qc_builder_lora.backtest.surface.margin import KNOWN as MARGIN
from qc_builder_lora.backtest.surface.wire import pack

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.channel import Channel
    from qc_builder_lora.backtest.simulator.engine import Engine, Security
    from qc_builder_lora.backtest.simulator.shelf import Shelf
    from qc_builder_lora.backtest.simulator.stream import Point, Stream

_FILLS = ("EquityFillModel", "FillModel", "ImmediateFillModel")
_FIELDS = ("quantity", "limit", "stop", "trigger", "trailing", "tag")


class Counter:
    """Order requests of one strategy; the other half of the Desk."""

    engine: Engine
    channel: Channel
    shelf: Shelf

    def __init__(self) -> None:
        self._paid = False
        self._held: list[list[Any]] = []
        """Events that a strategy which does not listen has not been told yet."""
        self.margin_orders: list[Wish] | None = None
        """What a strategy made of a margin call; None where it has not answered."""
        book = self.engine.book
        book.tell = self._relay
        book.numbered = self._number
        book.complain = self.complain
        book.reality.ask = self.ask_model
        self.engine.passes = self._passes
        book.refused = lambda *told: self.channel.send(pack(["refused", *told]))

    def tell(self, message: list[Any]) -> None:
        """The Desk's."""
        raise NotImplementedError

    def serve_until(self, last: str) -> list[Any]:
        """The Desk's."""
        raise NotImplementedError

    def _answer(self, value: Any) -> None:
        raise NotImplementedError

    def _item(self, index: int) -> Security:
        raise NotImplementedError

    def _on_log(self, level: str, text: str) -> None:
        raise NotImplementedError

    def _note(self, text: str) -> None:
        raise NotImplementedError

    def _unknown(self, what: str) -> Exception:
        raise NotImplementedError

    def complain(self, text: str) -> None:
        """A line for the log of errors."""
        self._on_log("error", text)

    # Events.

    def _relay(self, event: list[Any]) -> None:
        if self.engine.plan.flags.get("on_order_event"):
            self.tell(["events", [event]])
        else:
            self._held.append(event)

    def _number(self, order: Order, asked: bool) -> None:
        if asked:
            self.channel.send(pack(["numbered", order.number]))
            return
        self.channel.send(pack(["placed", order.number, order.index, int(order.kind),
                                order.quantity, order.limit, order.stop, order.tag]))  # fmt: skip

    def flush(self) -> None:
        """Tell what has been held back."""
        events = self._take_held()
        if events:
            self.tell(["events", events])

    def _take_held(self) -> list[list[Any]]:
        events, self._held = self._held, []
        return events

    # Orders.

    def _on_submit(
        self, index: int, kind: int, quantity: float, limit: float | None, stop: float | None,
        trigger: float | None, trailing: float | None, by_share: bool, tag: str, lifetime: str,
        plain: bool, converted: bool, direct: bool, group: list[float] | None,
    ) -> None:  # fmt: skip
        self._item(index)
        try:
            known = Kind(kind)
        except ValueError as error:
            raise self._unknown(f"OrderType {kind}") from error
        wish = Wish(index, known, quantity, limit, stop, trigger, trailing, by_share, tag,
                    _lifetime(lifetime), plain, converted, direct,
                    _group(known, group))  # fmt: skip
        number, reply = self.engine.book.submit(wish)
        self._answer([number, reply.code, reply.text, self._take_held()])

    def _on_may_submit(self, index: int, kind: int, quantity: float) -> None:
        """QCAlgorithm's own checks of a leg, before any of the legs is placed."""
        self._item(index)
        book, engine = self.engine.book, self.engine
        wish = Wish(index, _margin_kind(kind), quantity)
        reply = before_it_exists(wish, len(book.orders), engine)
        self._answer([reply.code, reply.text])

    def _on_default_group_fill(self, number: int) -> None:
        """LEAN's own rule for the legs of an order that a strategy's model is filling."""
        order, book = self.engine.book.order(number), self.engine.book
        if order is None or order.group is None:
            raise Forged(f"an order number {number}")
        legs = [(leg, self.engine.securities[leg.index]) for leg in book.groups.of(order)]
        found = book.reality.default_group_fill(order, legs, book.market())
        self._answer([
            [leg.number, fill.price, fill.quantity, fill.message] for leg, fill in found
        ])  # fmt: skip

    def _on_update(self, number: int, *fields: Any) -> None:
        changes = {
            name: value for name, value in zip(_FIELDS, fields, strict=True) if value is not None
        }
        reply = self.engine.book.update(number, changes)
        self._answer([reply.code, reply.text])

    def _on_cancel(self, number: int, tag: str | None) -> None:
        reply = self.engine.book.cancel(number, tag)
        self._answer([reply.code, reply.text, self._take_held()])

    def _on_order(self, number: int) -> None:
        order = self.engine.book.order(number)
        if order is None:
            raise Forged(f"an order number {number}")
        self._answer(order.state())

    def _on_margin_orders(self, orders: list[list[Any]]) -> None:
        self.margin_orders = [
            Wish(self._item(index).index, _margin_kind(kind), float(quantity), limit, stop, tag=tag)
            for index, kind, quantity, limit, stop, tag in orders
        ]

    # Models.

    def ask_model(self, kind: str, index: int, number: Any) -> Any:
        """What the strategy's own model says; Mistake where it raised."""
        self.flush()
        self.channel.send(pack(["own", kind, index, number]))
        _, value = self.serve_until("answer")
        if isinstance(value, dict):
            raise Mistake(str(value.get("error", ""))[:500])
        check_answer(kind, number, value)
        return value

    def _passes(self, stream: Stream, point: Point) -> bool:
        """Whether the strategy's own filter lets a bar through."""
        told = [stream.number, json.loads(stream.text(point)), point[5], point[2]]
        return bool(self.ask_model("data_filter", stream.security, told))

    def _on_pay(self, usd: float, asked: bool) -> None:
        """Money that a model of the strategy's own moves into the cash book, or out of it.

        Where the strategy does so on its own account LEAN does not see it at once.
        """
        account = self.engine.account
        if not any(item.own for item in account.holdings):
            raise self._unknown("money paid in while a backtest runs")
        account.cash += usd
        account.late += 0.0 if asked else usd
        account.version += 1
        if not self._paid:
            self._note(MOVED_MONEY)
        self._paid = True
        self._answer(account.plain())

    def _on_default_fill(self, number: int, name: str) -> None:
        """LEAN's own rule for an order that is being filled by a strategy's model."""
        order, book = self.engine.book.order(number), self.engine.book
        if order is None:
            raise Forged(f"an order number {number}")
        item = self.engine.securities[order.index]
        found = book.reality.default_fill(order, item, book.market(), name)
        self._answer(None if found is None else [found.price, found.quantity, found.message])

    def _on_lacks(self, number: int) -> None:
        order, book = self.engine.book.order(number), self.engine.book
        if order is None:
            raise Forged(f"an order number {number}")
        item = self.engine.securities[order.index]
        self._answer(book.reality.default_lack(self.engine.account, item, order) or "")

    def _on_model(self, index: int, kind: str, described: list[Any]) -> None:
        item = self._item(index)
        if kind == "data_filter":
            item.filtered = described == [OWN]
            return self._answer(None)
        try:
            known = bool(described) and _choose(item.holding, kind, described)
        except (TypeError, ValueError, IndexError) as error:
            raise Forged(f"a {kind} model described as {described!r:.200}") from error
        if not known:
            raise self._unknown(f"Security.set_{kind}_model ({described!r})"[:200])
        self.engine.account.version += 1
        return self._answer(None)

    def _on_margin_calls(self, buffer: float, calls: bool) -> None:
        plan = self.engine.plan
        plan.margin_buffer, plan.margin_calls = float(buffer), calls
        self._answer(None)

    def _on_trades(self) -> None:
        self._answer([trade.plain() for trade in self.engine.book.trades.trades])

    def _on_brokerage(self, name: str, cash: bool) -> None:
        plan = self.engine.plan
        if name not in BROKERAGES:
            raise self._unknown(f"BrokerageName.{name}")
        if cash and not BROKERAGES[name].cash_account:
            raise self._unknown(f"AccountType.CASH of BrokerageName.{name}")
        plan.brokerage, plan.cash_account = BROKERAGES[name], cash
        for item in self.engine.securities:
            leverage = self.engine.account.rates(item.holding).leverage
            furnish(item.holding, self.engine)
            # LEAN keeps the leverage that a security was added with.
            item.holding.lever(leverage)
        self._answer(None)

    def _on_own_brokerage(self, submits: bool, updates: bool) -> None:
        """A brokerage model of the strategy's own: which orders it wants to see."""
        asks = {"submits": submits, "updates": updates}
        self.engine.book.reality.brokerage = frozenset(kind for kind in asks if asks[kind])
        self._answer(None)

    def _on_seed(self, index: int, price: float, quotes: bool) -> None:
        """A security's price before its first bar: that of its last bar, and no other.

        The benchmark's may be adjusted on raw prices: LEAN asks its own subscription.
        """
        item, plan = self._item(index), self.engine.plan
        if quotes:
            return self._seed_quotes(item, price)
        modes = [item.mode]
        if item.ticker.upper() == (plan.benchmark or "SPY").upper():
            modes.append(Mode.ADJUSTED)
        for mode in modes:
            last = self._last(item, mode)
            if last is not None and isclose(last[3].columns[3][last[4]], price, rel_tol=1e-6):
                item.trade = item.seed = last
                item.holding.price = last[3].columns[3][last[4]]
                if mode is not item.mode:
                    item.split = item.company.exact(last[1] // DAY, mode)
                return self._answer(None)
        raise self._unknown(f"a seed that is not the last price of {item.ticker}")

    def _seed_quotes(self, item: Security, price: float) -> None:
        last = self._last(item, item.mode, "quote")
        if last is not None:
            bid, ask = (last[3].columns[column][last[4]] for column in (3, 8))
            if isclose((bid + ask) / 2 if bid and ask else bid or ask, price, rel_tol=1e-6):
                item.quote, item.holding.bid, item.holding.ask = last, bid, ask
                return self._answer(None)
        raise self._unknown(f"a seed that is not the last quote of {item.ticker}")

    def _last(self, item: Security, mode: Mode, kind: str = "trade") -> Point | None:
        """The last bar of a kind before now, of all subscriptions."""
        engine, now = self.engine, standing(self.engine)
        found = [
            last_point(
                self.shelf.source(item.ticker, mode, stream.resolution, kind),
                now.exchange, engine.hours, engine.exchange, extended=stream.extended,
            )
            for stream in item.streams
            if stream.source.kind == kind
        ]  # fmt: skip
        return max((point for point in found if point), key=itemgetter(0), default=None)


def furnish(holding: Holding, engine: Engine) -> None:
    """Give a security the models of the brokerage."""
    plan = engine.plan
    if holding.ticker.upper() in plan.brokerage.unsure:
        raise NoData(f"not modelled: slippage of {holding.ticker} in {plan.brokerage.name}")
    holding.fee_model = plan.brokerage.fee_model
    holding.slippage_model, holding.fill_model = plan.brokerage.slippage_model, ()
    holding.settlement = (DAYS, SECOND) if plan.cash_account else None
    holding.lever(1.0 if plan.cash_account else plan.brokerage.leverage)


def _choose(holding: Holding, kind: str, described: list[Any]) -> bool:
    """Apply a model that a strategy chose; whether it is one we know."""
    if kind == "leverage":
        holding.lever(float(described[0]))
        return True
    name, rest = str(described[0]), described[1:]
    if kind in ("settlement", "margin_interest"):
        holding.own.discard(kind)
    if kind == "margin_interest" and name != OWN:
        return name == "MarginInterestRateModel"
    if name == OWN:
        return _choose_own(holding, kind, tuple(described))
    numbers = [float(item) for item in rest]
    if kind == "fee" and name in FEES:
        holding.fee_model = (name, *numbers)
    elif kind == "slippage" and name in SLIPPAGE:
        holding.slippage_model = (name, *numbers)
    elif kind == "fill" and name in _FILLS:
        holding.fill_model = () if name == "EquityFillModel" else (name,)
    elif kind == "buying_power" and name in MARGIN:
        holding.margin_model = holding.base_margin = (name, *numbers)
    elif kind == "settlement" and name == "ImmediateSettlementModel":
        holding.settlement = None
    elif kind == "settlement" and name == "DelayedSettlementModel":
        holding.settlement = (int(numbers[0]), int(numbers[1]))
    else:
        return False
    return True


def _choose_own(holding: Holding, kind: str, described: tuple[Any, ...]) -> bool:
    if kind == "buying_power":
        # The leverage beneath it follows as numbers.
        numbers = [item for item in described[1:] if not isinstance(item, str)]
        holding.margin_model = tuple(item for item in described if isinstance(item, str))
        holding.base_margin = ("BuyingPowerModel", *numbers) if numbers else ()
        return True
    if kind in ("settlement", "margin_interest"):
        holding.own.add(kind)
        return True
    if kind not in ("fee", "slippage", "fill"):
        return False
    setattr(holding, f"{kind}_model", described)
    return True


def _group(kind: Kind, told: list[float] | None) -> Group | None:
    if (told is None) == (kind in COMBOS):
        raise Forged("a group of orders")
    return None if told is None else Group(int(told[0]), int(told[1]), told[2], told[3])


def _lifetime(text: str) -> Lifetime:
    name, _, moment = text.partition(":")
    if name not in ("gtc", "day", "gtd"):
        raise Forged("a time in force")
    if name != "gtd":
        return Lifetime(name)
    from datetime import datetime

    try:
        expiry = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S")
    except ValueError as error:
        raise Forged("a time in force") from error
    return Lifetime(name, day_of(expiry.date()), moment.replace(" ", "T"))


def _margin_kind(kind: int) -> Kind:
    try:
        return Kind(kind)
    except ValueError as error:
        raise Forged(f"an order type {kind}") from error


__all__ = ["Account", "Counter", "furnish"]
