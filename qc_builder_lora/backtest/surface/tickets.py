"""Tickets, events, requests and responses: what a strategy holds of its orders."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .alias import both_styles, pascal
from .enums import OrderField, OrderStatus, OrderType, SecurityType, enum
from .known import Lean, not_modelled
from .orders import CLOSED, CashAmount, OrderFee, OrderProperties, direction_of

if TYPE_CHECKING:
    from .trading import Trading

NO_ORDER = -10
"""LEAN's number of an order that never was."""
PRICES = ("limit_price", "stop_price", "trigger_price", "trailing_amount")


@both_styles
class OrderEvent(Lean):
    """One change of an order; `fill_quantity` is signed."""

    def __init__(
        self, ticket: Any, status: Any = None, quantity: float = 0.0, price: float = 0.0,
        fee: float = 0.0, message: str = "", utc_time: datetime | None = None,
    ) -> None:  # fmt: skip
        order_like = ticket
        self.order_id = getattr(order_like, "order_id", None) or getattr(order_like, "id", 0)
        self.id = 0
        self.symbol = order_like.symbol
        self.status = OrderStatus(int(order_like.status if status is None else status))
        self.fill_quantity = quantity
        self.fill_price = price
        self.order_fee = OrderFee(CashAmount(fee, "USD"))
        self.message = message
        self.utc_time = utc_time
        self.ticket = ticket
        self.quantity = order_like.quantity
        for name in PRICES:
            setattr(self, name, getattr(order_like, name, None))
        self.is_assignment = False
        self.is_in_the_money = False
        self.fill_price_currency = "USD"

    @property
    def absolute_fill_quantity(self) -> float:
        return abs(self.fill_quantity)

    @property
    def direction(self) -> Any:
        return direction_of(self.quantity)

    def clone(self) -> OrderEvent:
        made = object.__new__(OrderEvent)
        made.__dict__.update(self.__dict__)
        return made

    def to_string(self) -> str:
        """LEAN's line, which strategies log and compare."""
        words = [
            f"Time: {self.utc_time:%m/%d/%Y %H:%M:%S}", f"OrderID: {self.order_id}",
            f"EventID: {self.id}", f"Symbol: {self.symbol}", f"Status: {self.status}",
            f"Quantity: {self.quantity:g}",
        ]  # fmt: skip
        if self.fill_quantity:
            words.append(f"FillQuantity: {self.fill_quantity:g} FillPrice: {_usd(self.fill_price)}")
        for name in ("limit_price", "stop_price", "trigger_price"):
            value = getattr(self, name)
            if value is not None:
                words.append(f"{pascal(name)}: {_usd(value)}")
        if self.trailing_amount is not None:
            amount = self.trailing_amount
            share = getattr(self.ticket, "by_share", False)
            words.append(f"TrailingAmount: {f'{amount:.2%}' if share else _usd(amount)}")
        if self.order_fee.value.amount:
            words.append(f"OrderFee: {self.order_fee}")
        if self.message:
            words.append(f"Message: {self.message}")
        return " ".join(words)

    def __repr__(self) -> str:
        return self.to_string()


def _usd(value: float) -> str:
    return f"${round(value, 4) if value > 1000 else float(f'{value:.7g}'):.10g}"


@both_styles
class OrderResponse(Lean):
    """What became of a request; `is_error` carries the reason."""

    def __init__(self, order_id: int, error: str = "", code: int = 0) -> None:
        self.order_id = order_id
        self.error_message = error
        codes = enum("OrderResponseErrorCode")
        self.error_code = codes(code) if code or not error else codes.PROCESSING_ERROR
        self.is_error = bool(error)
        self.is_success = not error
        self.is_processed = True

    def __repr__(self) -> str:
        return f"Error: {self.error_message}" if self.is_error else "Success"


@both_styles
class OrderRequest(Lean):
    """What was asked, and what was answered."""

    def __init__(self, order_id: int, time: Any, tag: str | None) -> None:
        self.order_id = order_id
        self.time = time
        self.tag = tag
        self.response = OrderResponse(order_id)

    @property
    def status(self) -> Any:
        statuses = enum("OrderRequestStatus")
        return statuses.ERROR if self.response.is_error else statuses.PROCESSED


@both_styles
class SubmitOrderRequest(OrderRequest):
    """A new order, as it was asked for; LEAN's constructor."""

    def __init__(
        self, order_type: Any, security_type: Any, symbol: Any, quantity: float,
        stop_price: float = 0.0, limit_price: float = 0.0, *rest: Any, **named: Any,
    ) -> None:  # fmt: skip
        names = ["time", "tag", "properties", "group_order_manager", "asynchronous"]
        if rest and not isinstance(rest[0], datetime):
            names.insert(0, "trigger_price")
            if len(rest) > 1 and not isinstance(rest[1], datetime):
                names[1:1] = ["trailing_amount", "trailing_as_percentage"]
        given = {**dict(zip(names, rest, strict=False)), **named}
        super().__init__(NO_ORDER, given.get("time"), given.get("tag") or "")
        self.order_type = OrderType(int(order_type))
        self.security_type = security_type
        self.symbol = symbol
        self.quantity = float(quantity)
        self.stop_price, self.limit_price = float(stop_price), float(limit_price)
        self.trigger_price = float(given.get("trigger_price") or 0.0)
        self.trailing_amount = float(given.get("trailing_amount") or 0.0)
        self.trailing_as_percentage = bool(given.get("trailing_as_percentage"))
        self.order_properties = given.get("properties")
        self.asynchronous = bool(given.get("asynchronous"))
        self.group_order_manager = given.get("group_order_manager")

    def grouped(self) -> list[float] | None:
        """Of an order of several legs: the group as the simulator takes it."""
        group = self.group_order_manager
        if group is None:
            return None
        return [group.id, group.count, float(group.quantity), float(group.limit_price)]


@both_styles
class UpdateOrderFields(Lean):
    """The fields of an order to change; None leaves one as it is."""

    __slots__ = (*PRICES, "quantity", "tag")

    def __init__(self) -> None:
        self.quantity: float | None = None
        self.limit_price: float | None = None
        self.stop_price: float | None = None
        self.trigger_price: float | None = None
        self.trailing_amount: float | None = None
        self.tag: str | None = None


@both_styles
class UpdateOrderRequest(OrderRequest):
    """An update, as it was asked for."""

    def __init__(self, time: Any, order_id: int, fields: UpdateOrderFields) -> None:
        super().__init__(order_id, time, fields.tag)
        self.quantity = fields.quantity
        for name in PRICES:
            setattr(self, name, getattr(fields, name))


class CancelOrderRequest(OrderRequest):
    """A cancellation, as it was asked for."""


@both_styles
class OrderTicket(Lean):
    """A strategy's handle on one order; kept up to date as events arrive."""

    def __init__(
        self, trading: Trading, request: SubmitOrderRequest, properties: OrderProperties
    ) -> None:
        self._trading = trading
        self.submit_request = request
        self.update_requests: list[UpdateOrderRequest] = []
        self.cancel_request: CancelOrderRequest | None = None
        self.properties = properties
        self.order_id = NO_ORDER
        self.symbol = request.symbol
        self.security_type = SecurityType.EQUITY
        self.order_type = request.order_type
        self.quantity = request.quantity
        self.limit_price: float | None = None
        self.stop_price: float | None = None
        self.trigger_price: float | None = None
        self.trailing_amount: float | None = None
        self.by_share = request.trailing_as_percentage
        self.triggered = False
        self.tag = request.tag
        self.time = request.time
        self.status = OrderStatus.NEW
        self.quantity_filled = 0.0
        self.average_fill_price = 0.0
        self.last_fill_time: datetime | None = None
        self.last_update_time: datetime | None = None
        self.canceled_time: datetime | None = None
        self.order_events: list[OrderEvent] = []

    def take(self, state: list[Any]) -> None:
        """Copy what the simulator says of the order's fields."""
        (self.quantity, self.limit_price, self.stop_price, self.trigger_price,
         self.trailing_amount, self.triggered, self.tag) = state  # fmt: skip

    @property
    def submit_response(self) -> OrderResponse:
        """What became of the order when it was placed."""
        return self.submit_request.response

    @property
    def quantity_remaining(self) -> float:
        return self.quantity - self.quantity_filled

    @property
    def is_open(self) -> bool:
        return self.status not in CLOSED

    @property
    def has_order(self) -> bool:
        return self.order_id > 0

    def get(self, field: Any) -> Any:
        """`ticket.get(OrderField.LIMIT_PRICE)`, as it stands now."""
        wanted = {
            OrderField.LIMIT_PRICE: "limit_price",
            OrderField.STOP_PRICE: "stop_price",
            OrderField.TRIGGER_PRICE: "trigger_price",
            OrderField.TRAILING_AMOUNT: "trailing_amount",
        }
        if field == OrderField.TRAILING_AS_PERCENTAGE:
            found: Any = self.by_share if self.order_type == OrderType.TRAILING_STOP else None
        else:
            self._trading.refresh(self)
            found = getattr(self, wanted[field])
        if found is None:
            raise ValueError(f"Unable to get field {field} on order of type {self.order_type}")
        return found

    def update(self, fields: UpdateOrderFields) -> OrderResponse:
        """Change quantity, prices or tag of an open order."""
        if self.submit_request.group_order_manager is not None:
            not_modelled("OrderTicket.update", "of an order of several legs")
        return self._trading.update_ticket(self, fields)

    def update_limit_price(self, limit_price: float, tag: str | None = None) -> OrderResponse:
        return self._update(tag, limit_price=limit_price)

    def update_stop_price(self, stop_price: float, tag: str | None = None) -> OrderResponse:
        return self._update(tag, stop_price=stop_price)

    def update_quantity(self, quantity: float, tag: str | None = None) -> OrderResponse:
        return self._update(tag, quantity=quantity)

    def update_trigger_price(self, trigger_price: float, tag: str | None = None) -> OrderResponse:
        return self._update(tag, trigger_price=trigger_price)

    def update_stop_trailing_amount(
        self, trailing_amount: float, tag: str | None = None
    ) -> OrderResponse:
        return self._update(tag, trailing_amount=trailing_amount)

    def update_tag(self, tag: str) -> OrderResponse:
        return self._update(tag)

    def _update(self, tag: str | None, **changed: float) -> OrderResponse:
        fields = UpdateOrderFields()
        fields.tag = tag
        for name, value in changed.items():
            setattr(fields, name, float(value))
        return self.update(fields)

    def cancel(self, tag: str | None = None) -> OrderResponse:
        """Ask for the order to be cancelled."""
        return self._trading.cancel_ticket(self, tag)

    def get_most_recent_order_request(self) -> OrderRequest:
        if self.cancel_request is not None:
            return self.cancel_request
        return self.update_requests[-1] if self.update_requests else self.submit_request

    def get_most_recent_order_response(self) -> OrderResponse:
        return self.get_most_recent_order_request().response

    def __repr__(self) -> str:
        asked = 1 + len(self.update_requests) + (self.cancel_request is not None)
        return (
            f"OrderId: {self.order_id} {self.order_type} order for {self.quantity:g} of "
            f"{self.symbol}: {self.status}, {self.quantity_filled:g} filled at "
            f"{self.average_fill_price:g}, {asked} requests"
        )
