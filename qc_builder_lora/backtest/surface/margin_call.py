"""A margin call as a strategy hears of it: requests that it may change, and must give back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .enums import OrderType, SecurityType
from .known import Lean, not_modelled
from .tickets import SubmitOrderRequest

if TYPE_CHECKING:
    from .desk import Desk

TAG = "Margin Call"
_BUFFER = 0.10


@both_styles
class NullMarginCallModel(Lean):
    """No margin calls, and no warnings."""

    buffer: float | None = None


@both_styles
class DefaultMarginCallModel(Lean):
    """LEAN's: a call once the margin in use exceeds the portfolio by a buffer."""

    def __init__(
        self, portfolio: Any = None, default_order_properties: Any = None,
        margin_buffer: float = _BUFFER,
    ) -> None:  # fmt: skip
        self.buffer = float(margin_buffer)

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.__module__ == "__main__":
            not_modelled("a subclass of DefaultMarginCallModel", cls.__name__)


class MarginCallModel:
    """The model without calls, by the name of LEAN's static member."""

    NULL = Null = NullMarginCallModel()


def call_margin(desk: Desk, listener: Callable[..., Any], orders: list[list[Any]]) -> None:
    """Ask the strategy what to make of a call's market orders, `[security, quantity]`."""
    requests = [
        SubmitOrderRequest(
            OrderType.MARKET, SecurityType.EQUITY, desk.by_index[index].symbol, quantity,
            time=desk.utc_time, tag=TAG,
        )
        for index, quantity in orders
    ]  # fmt: skip
    found = listener(requests)
    made = list(found) if isinstance(found, Iterable) else []
    kept = [item for item in made if isinstance(item, SubmitOrderRequest)]
    if not kept:
        raise ValueError("OnMarginCall must return a non-empty list of SubmitOrderRequest")
    desk.send(["margin_orders", [_plain(desk, item) for item in kept]])


def _plain(desk: Desk, request: SubmitOrderRequest) -> list[Any]:
    kind = int(request.order_type)
    limited = request.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    stopped = request.order_type in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
    return [
        desk.security(request.symbol).symbol.number, kind, request.quantity,
        request.limit_price if limited else None, request.stop_price if stopped else None,
        str(request.tag or "")[:1000],
    ]  # fmt: skip
