"""The quantity that brings a holding to a share of the portfolio, as LEAN's buying power model.

The strategy's side sizes its orders with it; the simulator checks buying power on its own.
"""

from __future__ import annotations

from math import ceil, floor

from .fees import fee


def order_quantity(
    *,
    target: float,
    holding: float,
    price: float,
    portfolio_value: float,
    free_buffer: float,
    leverage: float,
    minimum_share: float,
    fee_model: tuple[object, ...] = (),
) -> float:
    """Shares to order, signed; 0 where the change is below `minimum_share` of the portfolio.

    `target` is a fraction of the portfolio, unlevered. `free_buffer` USD are left alone, so that an
    overnight gap does not refuse the order.
    """
    margin_share = target * (portfolio_value - free_buffer) / portfolio_value / leverage
    wanted = margin_share * portfolio_value
    if wanted == 0:
        return -holding
    unit = price / leverage
    if abs(wanted - holding * unit) < minimum_share * portfolio_value:
        return 0.0
    last = None
    while True:
        order = _towards(wanted, holding, unit)
        if order in (0, last):
            return order
        last = order
        cost = fee(fee_model, order, order * price)
        wanted = (portfolio_value - cost) * margin_share
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
