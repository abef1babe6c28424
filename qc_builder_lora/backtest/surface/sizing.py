"""The quantity that brings a holding to a share of the portfolio, as LEAN's buying power model.

The strategy's side sizes its orders with it, the simulator its margin calls; whether an order can
be afforded the simulator checks on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor


def order_quantity(
    *,
    margin_share: float,
    holding: float,
    unit: float,
    portfolio_value: float,
    minimum_share: float,
    charge: Callable[[float], float],
) -> float:
    """Shares to order, signed; 0 where the change is below `minimum_share` of the portfolio.

    `margin_share` is the fraction of the portfolio that shall be tied up as margin, signed; `unit`
    is the margin of one share, `charge` gives the fee of an order.
    """
    wanted = margin_share * portfolio_value
    if wanted == 0:
        return -holding
    if not unit or abs(wanted - holding * unit) < minimum_share * portfolio_value:
        return 0.0
    last = None
    while True:
        order = _towards(wanted, holding, unit)
        if order in (0, last):
            return order
        last = order
        wanted = (portfolio_value - charge(order)) * margin_share
        if abs((order + holding) * unit) <= abs(wanted):
            return order


def _towards(wanted: float, holding: float, unit: float) -> float:
    """Whole shares that end at or just inside the wanted margin."""
    raw = wanted / unit - holding
    order = float(ceil(raw) if wanted < 0 else floor(raw))
    step = 1.0 if wanted < 0 else -1.0
    while (wanted < 0 and (order + holding) * unit < wanted) or (
        wanted > 0 and (order + holding) * unit > wanted
    ):
        order += step
    return order
