"""QCAlgorithm's orders of several legs."""

from __future__ import annotations

from typing import Any

from ..combos import submit
from ..desk import Desk
from ..enums import OrderType
from ..tickets import OrderTicket


class ComboMethods:
    """Each gives a list of tickets, one a leg."""

    _desk: Desk

    def combo_market_order(
        self, legs: list[Any], quantity: int, asynchronous: bool = False, tag: str = "",
        order_properties: Any = None,
    ) -> list[OrderTicket]:  # fmt: skip
        how = (asynchronous, tag, order_properties)
        return submit(self._desk, list(legs), quantity, OrderType.COMBO_MARKET, 0.0, how)

    def combo_limit_order(
        self, legs: list[Any], quantity: int, limit_price: float, asynchronous: Any = False,
        tag: str = "", order_properties: Any = None,
    ) -> list[OrderTicket]:  # fmt: skip
        """One limit for all legs together."""
        how = (asynchronous, tag, order_properties)
        if isinstance(asynchronous, str):
            how = (False, asynchronous, tag or order_properties)
        if not limit_price:
            raise ValueError("Limit price cannot be zero")
        if any(leg.order_price is not None for leg in legs):
            raise ValueError("ComboLimitOrder does not support limit prices for legs")
        return submit(self._desk, list(legs), quantity, OrderType.COMBO_LIMIT, limit_price, how)

    def combo_leg_limit_order(
        self, legs: list[Any], quantity: int, asynchronous: Any = False, tag: str = "",
        order_properties: Any = None,
    ) -> list[OrderTicket]:  # fmt: skip
        """Every leg with a limit of its own."""
        how = (asynchronous, tag, order_properties)
        if isinstance(asynchronous, str):
            how = (False, asynchronous, tag or order_properties)
        if any(leg.order_price is None for leg in legs):
            raise ValueError("ComboLegLimitOrder requires a limit price for each leg")
        return submit(self._desk, list(legs), quantity, OrderType.COMBO_LEG_LIMIT, 0.0, how)
