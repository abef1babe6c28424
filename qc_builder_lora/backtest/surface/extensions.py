"""LEAN's extension methods on orders, which strategies call by the class's name."""

from __future__ import annotations

from typing import Any

from .alias import both_styles
from .enums import OrderStatus, OrderType
from .known import Lean
from .orders import CLOSED

_FILLS = frozenset({OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED})
_LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED})
_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


@both_styles
class OrderExtensions(Lean):
    """What an order's status and type mean."""

    @staticmethod
    def is_closed(status: Any) -> bool:
        return status in CLOSED

    @staticmethod
    def is_open(status: Any) -> bool:
        return status not in CLOSED

    @staticmethod
    def is_fill(status: Any) -> bool:
        return status in _FILLS

    @staticmethod
    def is_limit_order(order_type: Any) -> bool:
        return order_type in _LIMITS

    @staticmethod
    def is_stop_order(order_type: Any) -> bool:
        return order_type in _STOPS
