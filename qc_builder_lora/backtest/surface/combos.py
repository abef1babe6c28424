"""Orders of several legs: at the market, under one limit, or under a limit for each leg."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .enums import OrderStatus, OrderType, SecurityType
from .known import Lean
from .orders import direction_of
from .tickets import NO_ORDER, OrderResponse, OrderTicket, SubmitOrderRequest

if TYPE_CHECKING:
    from .desk import Desk


@both_styles
class Leg(Lean):
    """One part: a symbol, how many of it for one of the whole, and a limit or None."""

    def __init__(self) -> None:
        self.symbol: Any = None
        self.quantity = 0
        self.order_price: float | None = None

    @staticmethod
    def create(symbol: Any, quantity: int, order_price: float | None = None) -> Leg:
        made = Leg()
        made.symbol, made.quantity = symbol, int(quantity)
        made.order_price = None if order_price is None else float(order_price)
        return made


@both_styles
class GroupOrderManager(Lean):
    """What the legs of one order have in common."""

    def __init__(self, id: int, leg_count: int, quantity: float, limit_price: float = 0.0):  # noqa: A002
        self.id, self.count = id, leg_count
        self.quantity, self.limit_price = float(quantity), float(limit_price)
        self.order_ids: set[int] = set()

    @property
    def direction(self) -> Any:
        return direction_of(self.quantity)

    @property
    def absolute_quantity(self) -> float:
        return abs(self.quantity)


def submit(
    desk: Desk, legs: list[Leg], quantity: float, kind: Any, limit: float, how: tuple[Any, ...]
) -> list[OrderTicket]:
    """A ticket for each leg; the refused one alone where a leg fails QCAlgorithm's checks."""
    asynchronous, tag, properties = how
    _check_sizing(legs, quantity)
    number = desk.trading.transactions.get_increment_group_order_manager_id()
    group = GroupOrderManager(number, len(legs), quantity, limit)
    requests = [
        _request(desk, leg, kind, group, asynchronous=asynchronous, tag=tag, properties=properties)
        for leg in legs
    ]
    properties = properties or desk.order_properties
    for request in requests:
        security = desk.security(request.symbol)
        code, text = desk.ask(
            ["may_submit", security.symbol.number, int(request.order_type), request.quantity]
        )
        if text:
            return [_refused(desk, request, properties, code, text)]
    made = []
    for request in requests:
        prices = {}
        if request.order_type == OrderType.COMBO_LEG_LIMIT:
            prices["limit_price"] = request.limit_price
        security = desk.security(request.symbol)
        made.append(desk.trading.place(security, request, properties, prices))
    return made


def _request(
    desk: Desk, leg: Leg, kind: Any, group: GroupOrderManager, **how: Any
) -> SubmitOrderRequest:
    by_itself = leg.order_price is not None
    return SubmitOrderRequest(
        OrderType.COMBO_LEG_LIMIT if by_itself else kind, SecurityType.EQUITY,
        desk.security(leg.symbol).symbol, leg.quantity * group.quantity, 0.0,
        leg.order_price if leg.order_price is not None else group.limit_price,
        time=desk.utc_time, group_order_manager=group, **how,
    )  # fmt: skip


def _refused(
    desk: Desk, request: SubmitOrderRequest, properties: Any, code: int, text: str
) -> OrderTicket:
    ticket = OrderTicket(desk.trading, request, properties.clone())
    request.response = OrderResponse(NO_ORDER, text, code)
    ticket.status = OrderStatus.INVALID
    desk.log("error", text)
    return ticket


def _check_sizing(legs: list[Leg], quantity: float) -> None:
    """As LEAN: the legs say the ratio, the quantity how often."""
    common = gcd(*(abs(leg.quantity) for leg in legs))
    if common != 1:
        have = ", ".join(f"{leg.quantity}" for leg in legs)
        reduced = ", ".join(f"{leg.quantity / common:g}" for leg in legs)
        raise ValueError(
            "The global combo quantity should be used to increase or reduce the size of the order, "
            "while the leg quantities should be used to specify the ratio of the order. The combo "
            f"order quantities should be reduced from {quantity:g}x({have}) to "
            f"{quantity * common:g}x({reduced})."
        )
