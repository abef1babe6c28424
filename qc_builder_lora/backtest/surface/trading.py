"""Sending orders to the simulator and keeping tickets in step with what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .enums import OrderStatus, OrderType, Resolution, SecurityType
from .fees import fee
from .margin import Rates, rates
from .model import RESERVING, OrderFeeParameters
from .orders import CLOSED, MarketOnCloseOrder, MarketOrder
from .orders import use as use_for_orders
from .own_models import charged
from .security import Security
from .shorting import check_short
from .sizing import order_quantity
from .symbol import Symbol
from .tickets import (
    NO_ORDER,
    PRICES,
    CancelOrderRequest,
    OrderEvent,
    OrderResponse,
    OrderTicket,
    SubmitOrderRequest,
    UpdateOrderFields,
    UpdateOrderRequest,
)
from .transactions import Transactions

if TYPE_CHECKING:
    from .desk import Desk

_EPOCH = datetime(1970, 1, 1)
_COUNTED = frozenset({OrderType.MARKET, OrderType.MARKET_ON_OPEN})
"""Open orders that `set_holdings` takes off what is still to be ordered."""
_LONGEST_TAG = 1000
CLOSED_MARKET = (
    "Warning: market orders submitted while the market is closed are automatically converted into "
    "MarketOnOpen orders to fill at the next market open."
)
DAILY_ONLY = (
    "Warning: market orders on daily resolution data sent during market hours are automatically "
    "converted into MarketOnClose orders (or MarketOnOpen near the close) to avoid filling at the "
    "stale previous close. Note: in live trading this conversion is not applied, as the order "
    "fills at the current market price."
)


class Trading:
    """Orders of one strategy. Every figure that counts comes back from the simulator."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.tickets: dict[int, OrderTicket] = {}
        self._open: dict[int, OrderTicket] = {}
        self._placing: list[OrderTicket] = []
        """Tickets that have no number yet, the innermost last."""
        self.transactions = Transactions(self)
        self._warned: set[str] = set()
        use_for_orders(desk.send)

    def submit(
        self, security: Security, order_type: Any, quantity: Any, *, tag: str = "",
        properties: Any = None, by_share: bool = False, asynchronous: bool = False, **prices: Any,
    ) -> OrderTicket:  # fmt: skip
        """Send one order; the ticket's status says whether it was taken."""
        size = number(quantity, "quantity")
        numbers = {name: number(value, name) for name, value in prices.items()}
        request = SubmitOrderRequest(
            order_type, SecurityType.EQUITY, security.symbol, size,
            numbers.get("stop_price", 0.0), numbers.get("limit_price", 0.0),
            time=self._desk.utc_time, tag=(tag or "")[:_LONGEST_TAG],
            trigger_price=numbers.get("trigger_price", 0.0),
            trailing_amount=numbers.get("trailing_amount", 0.0),
            trailing_as_percentage=by_share, properties=properties, asynchronous=asynchronous,
        )  # fmt: skip
        return self.place(security, request, properties or self._desk.order_properties, numbers)

    def place(
        self, security: Security, request: SubmitOrderRequest, properties: Any,
        prices: dict[str, float], *, direct: bool = False,
    ) -> OrderTicket:  # fmt: skip
        """Send a request; what happens to the order is told while this waits for its number."""
        check_short(self._desk, security, request.quantity)
        converted = "" if direct else self._convert(security, request)
        ticket = OrderTicket(self, request, properties.clone())
        for name, value in prices.items():
            setattr(ticket, name, value)
        lifetime = self._lifetime(request, properties)
        self._placing.append(ticket)
        number, code, error, events = self._desk.ask(
            ["submit", security.symbol.number, int(request.order_type), request.quantity,
             *(prices.get(name) for name in PRICES), request.trailing_as_percentage,
             request.tag, lifetime, properties.plain, bool(converted), direct, request.grouped()]
        )  # fmt: skip
        if ticket in self._placing:
            self._placing.remove(ticket)
        request.response = OrderResponse(number, error, code)
        if number == NO_ORDER:
            ticket.status = OrderStatus.INVALID
            self._desk.log("error", error)
            return ticket
        self.take(events)
        if converted and request.response.is_success:
            self._warn_once(converted)
        return ticket

    def numbered(self, order_id: int) -> None:
        """The order being placed has its number; events for it may follow at once."""
        ticket = self._placing.pop()
        ticket.order_id = ticket.submit_request.order_id = order_id
        if ticket.submit_request.group_order_manager is not None:
            ticket.submit_request.group_order_manager.order_ids.add(order_id)
        self.tickets[order_id] = self._open[order_id] = ticket

    def placed(
        self, number: int, index: int, kind: int, quantity: float, limit: float | None,
        stop: float | None, tag: str,
    ) -> None:  # fmt: skip
        """A margin call has placed an order."""
        desk = self._desk
        request = SubmitOrderRequest(
            kind, SecurityType.EQUITY, desk.by_index[index].symbol, quantity, stop or 0.0,
            limit or 0.0, time=desk.utc_time, tag=tag,
        )  # fmt: skip
        ticket = OrderTicket(self, request, desk.order_properties.clone())
        ticket.limit_price, ticket.stop_price = limit, stop
        self._placing.append(ticket)
        self.numbered(number)

    def _convert(self, security: Security, request: SubmitOrderRequest) -> str:
        """LEAN's conversion of market orders that have no price to fill at; its warning."""
        if request.order_type != OrderType.MARKET:
            return ""
        if not self._desk.exchange_open():
            request.order_type = OrderType.MARKET_ON_OPEN
            return CLOSED_MARKET
        if security.resolution != Resolution.DAILY:
            return ""
        now = int((self._desk.exchange_time - _EPOCH).total_seconds())
        close = self._desk.ask(["hours", "next_close", now])
        late = now > close - MarketOnCloseOrder.submission_time_buffer.total_seconds()
        request.order_type = OrderType.MARKET_ON_OPEN if late else OrderType.MARKET_ON_CLOSE
        return DAILY_ONLY

    def _lifetime(self, request: SubmitOrderRequest, properties: Any) -> str:
        text: str = properties.time_in_force.wire()
        if request.order_type in (OrderType.MARKET_ON_OPEN, OrderType.MARKET_ON_CLOSE) and (
            text.startswith("gtd")
        ):
            self._warn_once(
                "Warning: Good-Til-Date(GTD) Time-In-Force is not supported for MOO and MOC "
                "orders. The order's time-in-force will be reset to Good-Til-Canceled (GTC)."
            )
            return "gtc"
        return text

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._desk.log("debug", text)

    # By share of the portfolio.

    def target_quantity(self, security: Security, target: Any) -> float:
        """Shares to order so that the holding becomes `target` of the portfolio; unlevered."""
        target = number(target, "target")
        settings, portfolio = self._desk.settings, self._desk.portfolio
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
        value = portfolio.total_portfolio_value
        if not security.price or not value:
            self._desk.log(
                "error",
                f"{security.symbol}: The security does not have an accurate price as it has not "
                "yet received a bar of data.",
            )
            return 0.0
        # LEAN: unlevered, so that 2 holds twice the portfolio on twofold leverage.
        share = target * (value - settings.free_buffer(value)) / value / security.leverage
        return security.maximum_order_quantity(
            share, settings.minimum_order_margin_portfolio_percentage
        )

    def quantity_for(self, security: Security, share: float, minimum: float) -> float:
        """LEAN's maximum order quantity for a target buying power."""
        return order_quantity(
            margin_share=share,
            holding=security.holdings.quantity,
            unit=self.rates_of(security).start(1.0, security.price),
            portfolio_value=self._desk.portfolio.total_portfolio_value,
            minimum_share=minimum,
            charge=lambda quantity: self.fee_of(security, quantity),
        )

    def rates_of(self, security: Security) -> Rates:
        """What a position ties up now, by LEAN's model."""
        return rates(security.margin_model, calm=self._desk.calm(security))

    def margin_of(self, security: Security) -> float:
        """USD that a position ties up, as `total_margin_used` counts it."""
        model = security.models.get("buying_power")
        if model is not None and model.own & RESERVING:
            return self._desk.own_models.reserved(model, security)
        return self.rates_of(security).keep(security.holdings.quantity, security.price)

    def opening_margin(self, security: Security) -> float:
        """USD that opening the position anew would take."""
        return abs(self.rates_of(security).start(security.holdings.quantity, security.price))

    def reach(
        self, security: Security, delta: float, tag: str = "", properties: Any = None
    ) -> list[OrderTicket]:
        """Order `delta` shares less what open market orders will bring anyway."""
        pending = sum(
            ticket.quantity_remaining
            for ticket in self.open_tickets(security.symbol)
            if ticket.order_type in _COUNTED
        )
        quantity = delta - pending
        if not abs(quantity) > 0:
            return []
        return [self.submit(security, OrderType.MARKET, quantity, tag=tag, properties=properties)]

    def liquidate(
        self, symbols: list[Symbol], tag: str | None = None, properties: Any = None
    ) -> list[OrderTicket]:
        """Cancel open orders and close the position of each symbol, in LEAN's order."""
        if not self._desk.settings.liquidate_enabled:
            self._desk.log(
                "debug",
                "Liquidate() is currently disabled by settings. To re-enable please set "
                "'Settings.LiquidateEnabled' to true",
            )
            return []
        text = "Liquidated" if tag is None else tag
        made = []
        for symbol in symbols:
            quantity = self._desk.securities[symbol].holdings.quantity
            pending = self.open_tickets(symbol)
            if len(pending) == 1 and quantity and self._closes(pending[0], quantity):
                continue
            on_its_way = 0.0
            for ticket in pending:
                if ticket.order_type == OrderType.MARKET:
                    on_its_way += ticket.quantity_remaining
                else:
                    ticket.cancel(text)
            if quantity:
                security = self._desk.securities[symbol]
                made.append(
                    self.submit(security, OrderType.MARKET, -quantity - on_its_way, tag=text,
                                properties=properties)
                )  # fmt: skip
        return made

    def _closes(self, ticket: OrderTicket, quantity: float) -> bool:
        return ticket.order_type == OrderType.MARKET and ticket.quantity == -quantity

    # Changes of what is open.

    def open_tickets(self, symbol: Any = None) -> list[OrderTicket]:
        """Tickets of open orders, oldest first."""
        return [
            ticket
            for _, ticket in sorted(self._open.items())
            if symbol is None or ticket.symbol == symbol
        ]

    def update_ticket(self, ticket: OrderTicket, fields: UpdateOrderFields) -> OrderResponse:
        """Ask for changed fields; they change with the next requests that LEAN carries out."""
        request = UpdateOrderRequest(self._desk.utc_time, ticket.order_id, fields)
        ticket.update_requests.append(request)
        wanted = (fields.quantity, *(getattr(fields, name) for name in PRICES))
        code, error = self._desk.ask(
            ["update", ticket.order_id, *(None if w is None else float(w) for w in wanted),
             None if fields.tag is None else str(fields.tag)[:_LONGEST_TAG]]
        )  # fmt: skip
        request.response = OrderResponse(ticket.order_id, error, code)
        if fields.tag is not None and not error and not ticket.is_open:
            # No event tells of what is changed on a closed order.
            ticket.tag = str(fields.tag)[:_LONGEST_TAG]
        return request.response

    def cancel_ticket(self, ticket: OrderTicket, tag: str | None) -> OrderResponse:
        """Ask for a cancellation."""
        request = CancelOrderRequest(ticket.order_id, self._desk.utc_time, tag)
        code, error, events = self._desk.ask(
            ["cancel", ticket.order_id, None if tag is None else str(tag)[:_LONGEST_TAG]]
        )
        if ticket.cancel_request is None:
            ticket.cancel_request = request
        request.response = OrderResponse(ticket.order_id, error, code)
        self.take(events)
        return request.response

    def refresh(self, ticket: OrderTicket) -> None:
        """Stops that trail move without an event: ask how an order stands."""
        if ticket.has_order and ticket.order_type in (OrderType.TRAILING_STOP,
                                                      OrderType.STOP_LIMIT):  # fmt: skip
            ticket.take(self._desk.ask(["order", ticket.order_id]))

    # What happens.

    def take(self, events: list[list[Any]]) -> None:
        """Bring the mirror up to date with each event, then tell the strategy of it."""
        for event in events:
            self._take(event)

    def _take(self, event: list[Any]) -> None:
        order_id, status, quantity, price, cost, message, utc, state, holding, account = event
        ticket = self.tickets[order_id]
        ticket.status = OrderStatus(status)
        ticket.take(state)
        time = self._desk.utc_from(utc)
        if ticket.status in CLOSED:
            self._open.pop(order_id, None)
        if quantity:
            self._fill(ticket, quantity, price)
            ticket.last_fill_time = time
        elif ticket.status == OrderStatus.CANCELED:
            ticket.canceled_time = time
        elif ticket.status == OrderStatus.UPDATE_SUBMITTED:
            ticket.last_update_time = time
        if holding is not None:
            self._desk.securities[ticket.symbol].holdings.take(holding)
        self._desk.take_account(account)
        made = OrderEvent(ticket, status, quantity, price, cost, message, time)
        ticket.order_events.append(made)
        made.id = len(ticket.order_events)
        self._desk.order_event(made)

    def _fill(self, ticket: OrderTicket, quantity: float, price: float) -> None:
        before = ticket.quantity_filled
        total = before + quantity
        paid = ticket.average_fill_price * before + price * quantity
        ticket.average_fill_price = paid / total if total else 0.0
        ticket.quantity_filled = total

    def set_model(self, security: Security, kind: str, described: list[Any]) -> None:
        """Choose a reality model of a security."""
        self._desk.ask(["model", security.symbol.number, kind, described])

    def fee_of(self, security: Security, quantity: float) -> float:
        """USD that trading `quantity` at the present price would cost."""
        model = security.models.get("fee")
        if model is None or not model.own:
            return fee(security.fee_numbers, quantity, quantity * security.price)
        order = MarketOrder(security.symbol, quantity, self._desk.utc_time)
        return charged(model.get_order_fee(OrderFeeParameters(security, order)))

    # For `self.transactions`.

    @property
    def utc_time(self) -> Any:
        """The clock, as LEAN shows it."""
        return self._desk.utc_time

    def send(self, request: SubmitOrderRequest) -> OrderTicket:
        """A request that a strategy has made itself."""
        security = self._desk.security(request.symbol)
        wanted = {
            OrderType.LIMIT: ("limit_price",),
            OrderType.STOP_MARKET: ("stop_price",),
            OrderType.STOP_LIMIT: ("limit_price", "stop_price"),
            OrderType.TRAILING_STOP: ("stop_price", "trailing_amount"),
            OrderType.LIMIT_IF_TOUCHED: ("limit_price", "trigger_price"),
        }
        prices = {name: getattr(request, name) for name in wanted.get(request.order_type, ())}
        request.time = self._desk.utc_time
        properties = request.order_properties or self._desk.order_properties
        return self.place(security, request, properties, prices, direct=True)

    def only_after_warm_up(self, what: str) -> None:
        """LEAN raises where orders are cancelled before there may be any."""
        if self._desk.warming_up:
            raise ValueError(
                f"This operation is not allowed in Initialize or during warm up: {what}. Please "
                "move this code to the OnWarmupFinished() method."
            )


def number(value: Any, what: str) -> float:
    """A float, or LEAN's TypeError for what is none."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"No method matches given arguments: {what} must be a number, {value!r}")
    return float(value)
