"""Margin calls: the orders that bring an account back within its margin.

LEAN's DefaultMarginCallModel, looked at every five minutes of the backtest's time, at most once a
moment. A warning when a twentieth of the portfolio or less is left as margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qc_builder_lora.backtest.simulator.account import Account
from qc_builder_lora.backtest.surface.sizing import order_quantity

EVERY_S = 300
_WARN_AT = 0.05


@dataclass(frozen=True)
class Call:
    """What LEAN would order: nothing, and perhaps a warning, or market orders by security."""

    warn: bool
    orders: tuple[tuple[int, float], ...] = ()


def margin_call(account: Account, buffer: float) -> Call:
    """The call that the account's state asks for, once it is over by more than a share."""
    used, value = account.margin_used, account.value
    if used <= 0:
        return Call(warn=False)
    left = value - account.settlement.unsettled - used
    if left > 0:
        return Call(warn=left <= value * _WARN_AT)
    if used <= value * (1 + buffer):
        return Call(warn=False)
    orders = []
    for index in _held(account):
        quantity = _reduction(account, index, used - value)
        if quantity:
            orders.append((index, quantity))
    return Call(warn=bool(orders), orders=tuple(orders))


def _held(account: Account) -> list[int]:
    return [index for index, item in enumerate(account.holdings) if item.quantity]


def _reduction(account: Account, index: int, excess: float) -> float:
    """Shares to trade so that a position's margin falls by the excess, at most all of it."""
    holding, value = account.holdings[index], account.value
    rates = account.rates(holding)
    kept = max(0.0, rates.keep(holding.quantity, holding.price) - excess)
    return order_quantity(
        margin_share=math.copysign(kept, holding.quantity) / value if value else 0.0,
        holding=holding.quantity,
        unit=rates.start(1.0, holding.price),
        portfolio_value=value,
        minimum_share=0.0,
        charge=lambda quantity: account.charge_of(holding, quantity),
    )
