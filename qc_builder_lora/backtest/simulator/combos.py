"""Orders of several legs, which fill together or not at all: LEAN's FillModel on a group.

A group is told of leg by leg; it is placed with its last one. At the market every leg fills at its
own price; under one limit when the legs' prices come to less, or more; under a limit for each when
each would fill by itself. Equities have LEAN's own margin apart for each leg: a group that the
margin left does not carry as a whole is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qc_builder_lora.backtest.simulator.fills import Fill, Market, base_fill, side_of
from qc_builder_lora.backtest.simulator.orders import COMBOS, Group, Kind, Order

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.engine import Engine, Security

Leg = tuple[Order, "Security"]


_SINGLE = {Kind.COMBO_MARKET: Kind.MARKET, Kind.COMBO_LEG_LIMIT: Kind.LIMIT}


@dataclass
class Groups:
    """The groups of one book, by the strategy's number."""

    _legs: dict[int, list[Order]] = field(default_factory=dict)

    def join(self, order: Order) -> bool:
        """Take a leg; whether its group is complete."""
        group = order.group
        if group is None:
            return True
        legs = self._legs.setdefault(group.number, [])
        legs.append(order)
        return len(legs) >= group.count

    def of(self, order: Order) -> list[Order]:
        """All legs of an order's group, or the order alone."""
        return [order] if order.group is None else self._legs[order.group.number]


def combo_fill(order: Order, legs: Sequence[Leg], market: Market) -> list[tuple[Order, Fill]]:
    """What each leg fills at, slippage to come; nothing where one of them does not."""
    assert order.kind in COMBOS
    assert order.group is not None
    if order.kind is Kind.COMBO_LIMIT:
        return _under_one_limit(order.group, legs)
    kind = _SINGLE[order.kind]
    found = []
    for leg, item in legs:
        fill = base_fill(leg, item, market, kind)
        if fill is None:
            return []
        found.append((leg, fill))
    return found


def _under_one_limit(group: Group, legs: Sequence[Leg]) -> list[tuple[Order, Fill]]:
    buys, total, prices = group.quantity > 0, 0.0, []
    for leg, item in legs:
        bar = side_of(leg, item)
        if bar is None or bar.end < leg.local:
            return []
        price = bar.low if buys else bar.high
        prices.append(price)
        total += price * leg.quantity / group.quantity
    if not (total < group.limit if buys else total > group.limit):
        return []
    return [
        (leg, Fill(price, leg.quantity, slips=False))
        for (leg, _), price in zip(legs, prices, strict=True)
    ]


def too_dear(engine: Engine, legs: Sequence[Leg]) -> str:
    """What to say where the margin that is left does not carry all legs together."""
    account, needed = engine.account, 0.0
    for leg, item in legs:
        if account.may_lack(item.holding, leg):
            needed += abs(account.rates(item.holding).start(leg.quantity, item.holding.price))
    if needed <= account.margin_left:
        return ""
    return f"an order of several legs that takes {needed:.2f} USD of margin, more than is left"
