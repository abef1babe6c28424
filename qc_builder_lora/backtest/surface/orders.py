"""Orders as a strategy holds them: tickets, events and the properties it asks for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .enums import OrderDirection, OrderField, OrderStatus, OrderType
from .known import Lean

if TYPE_CHECKING:
    from .trading import Trading

CLOSED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.INVALID})


@both_styles
class CashAmount(Lean):
    """An amount of money in a currency."""

    __slots__ = ("amount", "currency")

    def __init__(self, amount: float, currency: str) -> None:
        self.amount = amount
        self.currency = currency


@both_styles
class OrderFee(Lean):
    """What a fill cost."""

    __slots__ = ("value",)

    def __init__(self, value: CashAmount) -> None:
        self.value = value


@both_styles
class OrderEvent(Lean):
    """One change of an order; `fill_quantity` is signed."""

    def __init__(
        self, ticket: OrderTicket, status: int, quantity: float, price: float, fee: float,
        message: str, utc_time: datetime,
    ) -> None:  # fmt: skip
        self.order_id = ticket.order_id
        self.id = len(ticket.order_events) + 1
        self.symbol = ticket.symbol
        self.status = OrderStatus(status)
        self.fill_quantity = quantity
        self.fill_price = price
        self.order_fee = OrderFee(CashAmount(fee, "USD"))
        self.message = message
        self.utc_time = utc_time
        self.ticket = ticket
        self.quantity = ticket.quantity
        self.is_assignment = False
        self.fill_price_currency = "USD"

    @property
    def absolute_fill_quantity(self) -> float:
        return abs(self.fill_quantity)

    @property
    def direction(self) -> Any:
        return direction_of(self.quantity)

    @property
    def limit_price(self) -> float | None:
        return self.ticket.limit_price

    @property
    def stop_price(self) -> float | None:
        return self.ticket.stop_price

    def __repr__(self) -> str:
        text = f"Time: {self.utc_time} OrderID: {self.order_id} EventID: {self.id} "
        text += f"Symbol: {self.symbol} Status: {self.status} Quantity: {self.quantity:g}"
        if self.fill_quantity:
            text += f" FillQuantity: {self.fill_quantity:g} FillPrice: {self.fill_price:g} USD"
            text += f" OrderFee: {self.order_fee.value.amount:g} USD"
        return text + (f" Message: {self.message}" if self.message else "")


def direction_of(quantity: float) -> Any:
    """BUY, SELL, or HOLD for nothing."""
    if quantity > 0:
        return OrderDirection.BUY
    return OrderDirection.SELL if quantity < 0 else OrderDirection.HOLD


@both_styles
class OrderResponse(Lean):
    """What became of a request; `is_error` carries the reason."""

    def __init__(self, order_id: int, error: str = "") -> None:
        self.order_id = order_id
        self.error_message = error
        self.is_error = bool(error)
        self.is_success = not error
        self.is_processed = True

    def __repr__(self) -> str:
        return f"Error: {self.error_message}" if self.is_error else "Success"


@both_styles
class UpdateOrderFields(Lean):
    """The fields of an order to change; None leaves one as it is."""

    __slots__ = ("limit_price", "quantity", "stop_price", "tag", "trigger_price")

    def __init__(self) -> None:
        self.quantity: float | None = None
        self.limit_price: float | None = None
        self.stop_price: float | None = None
        self.trigger_price: float | None = None
        self.tag: str | None = None


@both_styles
class OrderProperties(Lean):
    """Time in force; other properties are not modelled."""

    __slots__ = ("time_in_force",)

    def __init__(self) -> None:
        self.time_in_force = TimeInForce.GOOD_TIL_CANCELED


@both_styles
class InteractiveBrokersOrderProperties(OrderProperties):
    """As OrderProperties; its own options are not modelled."""


class TimeInForce:
    """How long an order stays: until cancelled, or for the day."""

    GOOD_TIL_CANCELED = "gtc"
    DAY = "day"
    GoodTilCanceled = GOOD_TIL_CANCELED
    Day = DAY

    @staticmethod
    def good_til_date(expiry: datetime) -> str:
        """Until the close of that day."""
        return f"gtd:{expiry:%Y-%m-%d}"

    GOOD_TIL_DATE = GoodTilDate = good_til_date


@both_styles
class OrderTicket(Lean):
    """A strategy's handle on one order; kept up to date as events arrive."""

    def __init__(
        self, trading: Trading, order_id: int, symbol: Any, order_type: int, quantity: float,
        prices: tuple[float | None, float | None, float | None], tag: str, time: datetime,
    ) -> None:  # fmt: skip
        self._trading = trading
        self.order_id = order_id
        self.symbol = symbol
        self.order_type = OrderType(order_type)
        self.quantity = quantity
        self.limit_price, self.stop_price, self.trigger_price = prices
        self.tag = tag
        self.time = time
        self.status = OrderStatus.NEW
        self.quantity_filled = 0.0
        self.average_fill_price = 0.0
        self.order_events: list[OrderEvent] = []
        self.submit_response = OrderResponse(order_id)

    @property
    def quantity_remaining(self) -> float:
        return self.quantity - self.quantity_filled

    @property
    def is_open(self) -> bool:
        return self.status not in CLOSED

    @property
    def has_order(self) -> bool:
        return self.order_id > 0

    @property
    def direction(self) -> Any:
        return direction_of(self.quantity)

    @property
    def type(self) -> Any:
        return self.order_type

    @property
    def id(self) -> int:
        return self.order_id

    @property
    def price(self) -> float:
        return self.average_fill_price

    @property
    def value(self) -> float:
        return self.quantity * self.average_fill_price

    def get(self, field: Any) -> float:
        """`ticket.get(OrderField.LIMIT_PRICE)`."""
        found = {
            OrderField.LIMIT_PRICE: self.limit_price,
            OrderField.STOP_PRICE: self.stop_price,
            OrderField.TRIGGER_PRICE: self.trigger_price,
        }[field]
        if found is None:
            raise ValueError(f"This order has no {field}: it is a {self.order_type} order.")
        return found

    def update(self, fields: UpdateOrderFields) -> OrderResponse:
        """Change quantity, prices or tag of an open order."""
        return self._trading.update_ticket(self, fields)

    def update_limit_price(self, limit_price: float, tag: str = "") -> OrderResponse:
        return self._update(tag, limit_price=limit_price)

    def update_stop_price(self, stop_price: float, tag: str = "") -> OrderResponse:
        return self._update(tag, stop_price=stop_price)

    def update_quantity(self, quantity: float, tag: str = "") -> OrderResponse:
        return self._update(tag, quantity=quantity)

    def update_trigger_price(self, trigger_price: float, tag: str = "") -> OrderResponse:
        return self._update(tag, trigger_price=trigger_price)

    def update_tag(self, tag: str) -> OrderResponse:
        return self._update(tag)

    def _update(self, tag: str, **changed: float) -> OrderResponse:
        fields = UpdateOrderFields()
        fields.tag = tag or None
        for name, value in changed.items():
            setattr(fields, name, float(value))
        return self.update(fields)

    def cancel(self, tag: str = "") -> OrderResponse:
        """Ask for the order to be cancelled."""
        return self._trading.cancel_ticket(self, tag)

    def get_most_recent_order_response(self) -> OrderResponse:
        return self.submit_response

    def __repr__(self) -> str:
        return (
            f"{self.order_id}: {self.symbol} {self.order_type} {self.quantity:g} "
            f"filled {self.quantity_filled:g} @ {self.average_fill_price:g} {self.status}"
        )
