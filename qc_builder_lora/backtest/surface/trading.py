"""Sending orders to the simulator and keeping tickets in step with what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .enums import OrderStatus, OrderType
from .fees import fee
from .known import Lean
from .orders import CLOSED, OrderEvent, OrderResponse, OrderTicket, UpdateOrderFields, direction_of
from .security import Security
from .sizing import order_quantity
from .symbol import Symbol

if TYPE_CHECKING:
    from .desk import Desk

_OPEN_MARKET = frozenset({OrderType.MARKET, OrderType.MARKET_ON_OPEN})


class Trading:
    """Orders of one strategy. Every figure that counts comes back from the simulator."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.tickets: dict[int, OrderTicket] = {}
        self._open: dict[int, OrderTicket] = {}
        self.transactions = Transactions(self)
        self._warned = False

    def submit(
        self,
        security: Security,
        order_type: Any,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        trigger: float | None = None,
        tag: str = "",
        properties: Any = None,
    ) -> OrderTicket:
        """Send one order; the ticket's status says whether it was taken."""
        quantity = self._number(quantity, "quantity")
        prices = tuple(None if price is None else float(price) for price in (limit, stop, trigger))
        lifetime = getattr(properties, "time_in_force", "gtc")
        number, error, events = self._desk.ask(
            ["submit", security.symbol.number, int(order_type), quantity, *prices, tag[:1000],
             lifetime]
        )  # fmt: skip
        ticket = OrderTicket(
            self, number, security.symbol, order_type, quantity, prices, tag, self._desk.utc_time  # type: ignore[arg-type]
        )  # fmt: skip
        if error:
            ticket.status = OrderStatus.INVALID
            ticket.submit_response = OrderResponse(number, error)
            return ticket
        self.tickets[number] = self._open[number] = ticket
        self.take(events)
        return ticket

    def _number(self, value: Any, what: str) -> float:
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise TypeError(
                f"No method matches given arguments: {what} must be a number, {value!r}"
            )
        return float(value)

    def market(
        self, security: Security, quantity: float, tag: str = "", properties: Any = None
    ) -> OrderTicket:
        """At the market: now while the exchange is open, else at the next open."""
        if self._desk.exchange_open():
            return self.submit(security, OrderType.MARKET, quantity, tag=tag, properties=properties)
        ticket = self.submit(
            security, OrderType.MARKET_ON_OPEN, quantity, tag=tag, properties=properties
        )
        if not self._warned and ticket.submit_response.is_success:
            self._warned = True
            self._desk.log(
                "debug",
                "Warning: all market orders sent using daily data, or market orders sent after "
                "hours are automatically converted into MarketOnOpen orders.",
            )
        return ticket

    def target_quantity(self, security: Security, target: float) -> float:
        """Shares to order so that the holding becomes `target` of the portfolio; unlevered."""
        target = self._number(target, "target")
        settings = self._desk.settings
        size = abs(target)
        if size > settings.max_absolute_portfolio_target_percentage or (
            0 < size < settings.min_absolute_portfolio_target_percentage
        ):
            self._desk.log(
                "error",
                f"The portfolio target percent: {target:g}, does not comply with the current "
                "'Algorithm.Settings' 'MaxAbsolutePortfolioTargetPercentage': "
                f"{settings.max_absolute_portfolio_target_percentage:g} or "
                "'MinAbsolutePortfolioTargetPercentage': "
                f"{settings.min_absolute_portfolio_target_percentage:g}. Skipping",
            )
            return 0.0
        value = self._desk.portfolio.total_portfolio_value
        if not security.price or not value:
            self._desk.log(
                "error",
                f"{security.symbol}: The security does not have an accurate price as it has not "
                "yet received a bar of data.",
            )
            return 0.0
        return order_quantity(
            target=target,
            holding=security.holdings.quantity,
            price=security.price,
            portfolio_value=value,
            free_buffer=settings.free_buffer(value),
            leverage=security.leverage,
            minimum_share=settings.minimum_order_margin_portfolio_percentage,
            fee_model=security.fee_per_share,
        )

    def reach(
        self, security: Security, delta: float, tag: str = "", properties: Any = None
    ) -> list[OrderTicket]:
        """Order `delta` shares less what open market orders will bring anyway."""
        pending = sum(
            ticket.quantity_remaining
            for ticket in self.open_tickets(security.symbol)
            if ticket.order_type in _OPEN_MARKET
        )
        quantity = delta - pending
        return [self.market(security, quantity, tag, properties)] if abs(quantity) > 0 else []

    def liquidate(
        self, symbols: list[Symbol], tag: str | None = None, properties: Any = None
    ) -> list[OrderTicket]:
        """Cancel open orders and close the position of each symbol, in LEAN's order."""
        if not self._desk.settings.liquidate_enabled:
            self._desk.log("debug", "Liquidate() is currently disabled by settings.")
            return []
        text = "Liquidated" if tag is None else tag
        made = []
        for symbol in symbols:
            quantity = self._desk.securities[symbol].holdings.quantity
            pending = self.open_tickets(symbol)
            if len(pending) == 1 and quantity and self._closes(pending[0], quantity):
                continue
            for ticket in pending:
                ticket.cancel(text)
            if quantity:
                security = self._desk.securities[symbol]
                made.append(self.market(security, -quantity, text, properties))
        return made

    def _closes(self, ticket: OrderTicket, quantity: float) -> bool:
        return ticket.order_type == OrderType.MARKET and ticket.quantity == -quantity

    def open_tickets(self, symbol: Any = None) -> list[OrderTicket]:
        """Tickets of open orders, oldest first."""
        return [
            ticket for ticket in self._open.values() if symbol is None or ticket.symbol == symbol
        ]

    def update_ticket(self, ticket: OrderTicket, fields: UpdateOrderFields) -> OrderResponse:
        """Ask for changed fields."""
        if not ticket.is_open:
            return self._refused(ticket, f"Unable to update the order with id {ticket.order_id}, "
                                 f"which already has {ticket.status} status.")  # fmt: skip
        wanted = (fields.quantity, fields.limit_price, fields.stop_price, fields.trigger_price)
        error, events = self._desk.ask(
            ["update", ticket.order_id, *(None if w is None else float(w) for w in wanted),
             fields.tag]
        )  # fmt: skip
        if error:
            return self._refused(ticket, error)
        names = ("quantity", "limit_price", "stop_price", "trigger_price", "tag")
        for name, value in zip(names, (*wanted, fields.tag), strict=True):
            if value is not None:
                setattr(ticket, name, value)
        self.take(events)
        return OrderResponse(ticket.order_id)

    def cancel_ticket(self, ticket: OrderTicket, tag: str) -> OrderResponse:
        """Ask for a cancellation."""
        if not ticket.is_open:
            return self._refused(ticket, f"Unable to cancel the order with id {ticket.order_id}, "
                                 f"which already has {ticket.status} status.")  # fmt: skip
        error, events = self._desk.ask(["cancel", ticket.order_id, tag[:1000]])
        if error:
            return self._refused(ticket, error)
        if tag:
            ticket.tag = tag
        self.take(events)
        return OrderResponse(ticket.order_id)

    def _refused(self, ticket: OrderTicket, error: str) -> OrderResponse:
        self._desk.log("error", error)
        return OrderResponse(ticket.order_id, error)

    def take(self, events: list[list[Any]]) -> None:
        """Bring the mirror up to date with each event, then tell the strategy of it."""
        for event in events:
            self._take(event)

    def _take(self, event: list[Any]) -> None:
        number, status, quantity, price, cost, message, utc, holding, account = event
        ticket = self.tickets[number]
        ticket.status = OrderStatus(status)
        if ticket.status in CLOSED:
            self._open.pop(number, None)
        if quantity:
            before = ticket.quantity_filled
            total = before + quantity
            ticket.average_fill_price = (
                ticket.average_fill_price * before + price * quantity
            ) / total
            ticket.quantity_filled = total
        if holding is not None:
            self._desk.securities[ticket.symbol].holdings.take(holding)
        self._desk.take_account(account)
        made = OrderEvent(ticket, status, quantity, price, cost, message, self._desk.utc_from(utc))
        ticket.order_events.append(made)
        if status == OrderStatus.INVALID and message:
            self._desk.log("error", message)
        self._desk.order_event(made)

    def set_model(self, security: Security, kind: str, described: list[Any]) -> None:
        """Choose a reality model of a security."""
        self._desk.ask(["model", security.symbol.number, kind, described])
        if kind == "fee":
            security.fee_per_share = tuple(described)

    def fee_of(self, security: Security, quantity: float) -> float:
        """USD that trading `quantity` at the present price would cost."""
        return fee(security.fee_per_share, quantity, quantity * security.price)


@both_styles
class Transactions(Lean):
    """`self.transactions`: orders by number, open orders, cancelling."""

    LEAN = "SecurityTransactionManager"

    def __init__(self, trading: Trading) -> None:
        self._trading = trading

    def get_open_orders(self, wanted: Any = None) -> list[OrderTicket]:
        """Open orders, of a symbol or those a function picks."""
        return self.get_open_order_tickets(wanted)

    def get_open_order_tickets(self, wanted: Any = None) -> list[OrderTicket]:
        if callable(wanted):
            return [ticket for ticket in self._trading.open_tickets() if wanted(ticket)]
        return self._trading.open_tickets(wanted)

    def get_order_tickets(self, wanted: Callable[[OrderTicket], bool] | None = None) -> list[Any]:
        tickets = list(self._trading.tickets.values())
        return [ticket for ticket in tickets if wanted is None or wanted(ticket)]

    def get_orders(self, wanted: Callable[[OrderTicket], bool] | None = None) -> list[Any]:
        return self.get_order_tickets(wanted)

    def get_order_ticket(self, order_id: int) -> OrderTicket | None:
        return self._trading.tickets.get(order_id)

    def get_order_by_id(self, order_id: int) -> OrderTicket | None:
        return self._trading.tickets.get(order_id)

    def get_open_orders_remaining_quantity(self, wanted: Any = None) -> float:
        return sum(ticket.quantity_remaining for ticket in self.get_open_order_tickets(wanted))

    def cancel_order(self, order_id: int, tag: str = "") -> OrderTicket | None:
        ticket = self._trading.tickets.get(order_id)
        if ticket is not None:
            ticket.cancel(tag)
        return ticket

    def cancel_open_orders(self, symbol: Any = None, tag: str = "") -> list[OrderTicket]:
        """Cancel all open orders, or those of one symbol."""
        tickets = self._trading.open_tickets(symbol)
        for ticket in tickets:
            ticket.cancel(tag)
        return tickets

    @property
    def orders_count(self) -> int:
        return len(self._trading.tickets)

    @property
    def last_order_id(self) -> int:
        return max(self._trading.tickets, default=0)


__all__ = ["Trading", "Transactions", "direction_of"]
