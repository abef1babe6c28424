"""`self.transactions`: orders by number, open orders, cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .keywords import lean_names
from .known import Lean
from .orders import Order, picture
from .tickets import CancelOrderRequest, OrderTicket, SubmitOrderRequest

if TYPE_CHECKING:
    from .trading import Trading


@both_styles
class Transactions(Lean):
    """LEAN's SecurityTransactionManager."""

    LEAN = "SecurityTransactionManager"

    def __init__(self, trading: Trading) -> None:
        self._trading = trading
        self._groups = 0
        self.market_order_fill_timeout: Any = None

    def get_increment_group_order_manager_id(self) -> int:
        """The number of the next order of several legs."""
        self._groups += 1
        return self._groups

    # Orders, as pictures.

    @lean_names("symbol", "filter")
    def get_open_orders(self, wanted: Any = None) -> list[Order]:
        """Open orders, all or of a symbol, or those that a function picks."""
        if callable(wanted):
            return [order for order in self.get_open_orders() if wanted(order)]
        return [picture(ticket) for ticket in self._trading.open_tickets(wanted)]

    @lean_names("filter")
    def get_orders(self, wanted: Callable[[Order], bool] | None = None) -> list[Order]:
        orders = [picture(ticket) for ticket in self._trading.tickets.values()]
        return [order for order in orders if wanted is None or wanted(order)]

    def get_order_by_id(self, order_id: Any) -> Order | None:
        # A ticket stands for its number.
        ticket = self._trading.tickets.get(getattr(order_id, "order_id", order_id))
        return None if ticket is None else picture(ticket)

    def get_orders_by_brokerage_id(self, brokerage_id: Any) -> list[Order]:
        return self.get_orders(lambda order: str(brokerage_id) in order.broker_id)

    # Tickets.

    @lean_names("symbol", "filter")
    def get_open_order_tickets(self, wanted: Any = None) -> list[OrderTicket]:
        if callable(wanted):
            return [ticket for ticket in self._trading.open_tickets() if wanted(ticket)]
        return self._trading.open_tickets(wanted)

    @lean_names("filter")
    def get_order_tickets(self, wanted: Any = None) -> list[OrderTicket]:
        tickets = list(self._trading.tickets.values())
        if wanted is None or callable(wanted):
            return [ticket for ticket in tickets if wanted is None or wanted(ticket)]
        return [ticket for ticket in tickets if ticket.symbol == wanted]

    def get_order_ticket(self, order_id: int) -> OrderTicket | None:
        return self._trading.tickets.get(order_id)

    @lean_names("symbol", "filter")
    def get_open_orders_remaining_quantity(self, wanted: Any = None) -> float:
        return sum(ticket.quantity_remaining for ticket in self.get_open_order_tickets(wanted))

    # Requests.

    def add_order(self, request: SubmitOrderRequest) -> OrderTicket:
        """Send a request without QCAlgorithm's own checks, as LEAN's margin calls do."""
        return self._trading.send(request)

    def process_request(self, request: Any) -> OrderTicket | None:
        if isinstance(request, SubmitOrderRequest):
            return self._trading.send(request)
        ticket = self.get_order_ticket(request.order_id)
        if ticket is not None and isinstance(request, CancelOrderRequest):
            ticket.cancel(request.tag)
        elif ticket is not None:
            ticket.update(request)
        return ticket

    @lean_names("order_id order_tag")
    def cancel_order(self, order_id: int, tag: str | None = None) -> OrderTicket | None:
        ticket = self._trading.tickets.get(order_id)
        if ticket is not None:
            ticket.cancel(tag)
        return ticket

    def cancel_open_orders(self, symbol: Any = None, tag: str | None = None) -> list[OrderTicket]:
        """Cancel all open orders, or those of one symbol."""
        self._trading.only_after_warm_up("CancelOpenOrders")
        tickets = self._trading.open_tickets(symbol)
        for ticket in tickets:
            ticket.cancel(tag)
        return tickets

    def update_order(self, request: Any) -> OrderTicket | None:
        return self.process_request(request)

    def wait_for_order(self, order_id: int) -> bool:
        """Orders of a backtest wait for nobody."""
        return True

    # Counts.

    @property
    def orders_count(self) -> int:
        return len(self._trading.tickets)

    @property
    def last_order_id(self) -> int:
        return max(self._trading.tickets, default=0)

    @property
    def utc_time(self) -> Any:
        return self._trading.utc_time
