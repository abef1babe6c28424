"""The models that decide over an order: LEAN's own, or the strategy's, which are asked and checked.

A strategy's own model answers from its process. It may make its trades worse than the market was,
never better: a fill outside of what was traded, or a fee below zero, is not modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qc_builder_lora.backtest.simulator.account import Account
from qc_builder_lora.backtest.simulator.combos import Leg, combo_fill
from qc_builder_lora.backtest.simulator.fills import Fill, Market, base_fill, equity_fill
from qc_builder_lora.backtest.simulator.orders import Order, Status
from qc_builder_lora.backtest.simulator.slippage import slippage
from qc_builder_lora.backtest.surface.fees import fee

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.engine import Security

OWN = "own"
_TICK = 1e-6
Ask = Callable[[str, int, Any], Any]


class Mistake(Exception):
    """A strategy's own model raised; LEAN goes on without what it was asked for."""


class Dishonest(Exception):
    """A strategy's own model claims what the market did not give; names model and claim."""


def _nobody(kind: str, index: int, number: Any) -> Any:
    raise Mistake(f"nobody answers for the {kind} model")


class Reality:
    """Fees, slippage, fills and buying power of every security."""

    def __init__(self) -> None:
        self.ask: Ask = _nobody
        """Asks the strategy: which model, the security's number, the order's number."""
        self.brokerage: frozenset[str] = frozenset()
        """What a brokerage model of the strategy's own is asked: `submits`, `updates`."""

    # Money.

    def charge(self, item: Security, order: Order) -> float:
        """USD that an order costs at the present price."""
        model = item.holding.fee_model
        if model and model[0] == OWN:
            return self._at_least_zero("fee", item, order)
        return fee(model, order.quantity, order.value(item.holding.price))

    def _at_least_zero(self, kind: str, item: Security, order: Order) -> float:
        usd = float(self.ask(kind, item.index, order.number))
        if usd < 0:
            raise Dishonest(f"a {kind} model that gives {usd:g} USD for order {order.number}")
        return usd

    def kept(self, item: Security) -> float | None:
        """USD that a position ties up by the strategy's own model; None where LEAN's counts."""
        model = item.holding.margin_model
        if not model or model[0] != OWN or not _keeps(model):
            return None
        return float(self.ask("buying_power", item.index, 0))

    def settle(self, account: Account, item: Security, order: Order, fill: Fill) -> None:
        """Have the strategy's own model move the money of a fill; the fee is paid before."""
        if "settlement" in item.holding.own:
            account.cash -= fill.fee
            self.ask("settlement", item.index, [order.number, fill.quantity, fill.price, fill.fee])

    def scan(self, item: Security) -> None:
        """LEAN's hourly look at the models that move money."""
        if "margin_interest" in item.holding.own:
            self.ask("margin_interest", item.index, 0)
        if "settlement" in item.holding.own:
            self.ask("settlement_scan", item.index, 0)

    def lack(self, account: Account, item: Security, order: Order) -> str | None:
        """Why an order cannot be afforded; None where it can."""
        model = item.holding.margin_model
        if model and model[0] == OWN and "has_sufficient_buying_power_for_order" in model:
            enough, reason = self.ask("buying_power", item.index, order.number)
            return None if enough else reason
        return self.default_lack(account, item, order)

    def default_lack(self, account: Account, item: Security, order: Order) -> str | None:
        """The same by LEAN's model."""
        cost = self.charge(item, order) if account.may_lack(item.holding, order) else 0.0
        return account.lacks_margin(item.holding, order, cost)

    def refusal(self, kind: str, item: Security, order: Order) -> str:
        """Why the strategy's own brokerage does not take an order; empty where it does."""
        if kind not in self.brokerage:
            return ""
        takes, reason = self.ask(kind, item.index, order.number)
        return "" if takes else str(reason)

    # Fills.

    def fills(self, order: Order, item: Security, market: Market) -> list[Fill]:
        """What fills now, slippage and fee in it; nothing where the order rests on."""
        model = item.holding.fill_model
        if model and model[0] == OWN:
            return self._own_fills(order, item)
        found = self.default_fill(order, item, market, str(model[0]) if model else "")
        if found is None:
            return []
        return [replace(found, fee=self.charge(item, order))]

    def group_fills(
        self, order: Order, legs: Sequence[Leg], market: Market
    ) -> list[tuple[Order, Fill]]:
        """What fills now of an order of several legs, slippage and fee in it."""
        items = {leg.number: (leg, item) for leg, item in legs}
        model = items[order.number][1].holding.fill_model
        if model and model[0] == OWN:
            return self._own_group_fills(order, items)
        return [
            (leg, replace(fill, fee=self.charge(items[leg.number][1], leg)))
            for leg, fill in self.default_group_fill(order, legs, market)
        ]

    def default_group_fill(
        self, order: Order, legs: Sequence[Leg], market: Market
    ) -> list[tuple[Order, Fill]]:
        """LEAN's fill of every leg with its slippage, without the fee; nothing, or all of them."""
        items = {leg.number: item for leg, item in legs}
        found = combo_fill(order, legs, market)
        return [
            (leg, self._slipped(fill, leg, items[leg.number]) if fill.slips else fill)
            for leg, fill in found
        ]

    def _own_group_fills(self, order: Order, items: dict[int, Leg]) -> list[tuple[Order, Fill]]:
        told: dict[int, list[Any]] = {}
        for event in self.ask("fill", items[order.number][1].index, order.number):
            told.setdefault(int(event[5]) if len(event) > 5 else order.number, []).append(event)
        if not told.keys() <= items.keys():
            raise Dishonest(f"a fill model that fills other orders than {sorted(items)}")
        return [
            (items[number][0], fill)
            for number in sorted(told)
            for fill in self._taken(told[number], *items[number])
        ]

    def default_fill(self, order: Order, item: Security, market: Market, name: str) -> Fill | None:
        """LEAN's fill with its slippage, without the fee."""
        rule = base_fill if name in ("FillModel", "ImmediateFillModel") else equity_fill
        found = rule(order, item, market)
        if found is None or not found.slips:
            return found
        return self._slipped(found, order, item)

    def _slipped(self, found: Fill, order: Order, item: Security) -> Fill:
        slip = self._slip(order, item)
        buys = order.quantity > 0
        price = found.price + (slip if buys else -slip)
        if found.worst is not None:
            price = max(found.worst, price) if buys else min(found.worst, price)
        return replace(found, price=price)

    def _slip(self, order: Order, item: Security) -> float:
        model = item.holding.slippage_model
        if model and model[0] == OWN:
            return self._at_least_zero("slippage", item, order)
        return slippage(model, order, item.bar)

    def _own_fills(self, order: Order, item: Security) -> list[Fill]:
        return self._taken(self.ask("fill", item.index, order.number), order, item)

    def _taken(self, events: list[list[Any]], order: Order, item: Security) -> list[Fill]:
        """The fills that a strategy's own model has told of, checked."""
        found = []
        left = order.left
        for status, quantity, price, cost, message, *_ in events:
            if not quantity:
                continue
            # Of a group LEAN takes more than is left, where the legs' models do not agree.
            _check(order, item, quantity, order.quantity if order.group else left, price)
            left -= quantity
            done = status == Status.FILLED
            if cost < 0:
                raise Dishonest(f"a fill model that gives a fee of {cost:g} USD")
            fee = cost or (self.charge(item, order) if done else 0.0)
            found.append(Fill(price, quantity, message, fee=fee, done=done))
        return found


def _keeps(model: Any) -> bool:
    return "get_maintenance_margin" in model or "get_reserved_buying_power_for_position" in model


def _check(order: Order, item: Security, quantity: float, left: float, price: float) -> None:
    """A fill no better than the last bars, and no larger than the order."""
    said = f"a fill model that fills {quantity:g} of {item.ticker} at {price:g}"
    if quantity * order.quantity < 0 or abs(quantity) > abs(left) + _TICK:
        raise Dishonest(f"{said}, of an order with {left:g} left")
    bars = [bar for bar in (item.bar, item.quoted(ask=order.quantity > 0)) if bar is not None]
    if not bars or price <= 0:
        raise Dishonest(f"{said}, without a price in the market")
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    better = price < low * (1 - _TICK) if order.quantity > 0 else price > high * (1 + _TICK)
    if better:
        raise Dishonest(f"{said}, where the market traded from {low:g} to {high:g}")
