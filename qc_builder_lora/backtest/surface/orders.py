"""Orders as a strategy sees them: LEAN's Order classes, and the properties it may ask for.

An Order is a picture of one moment, as LEAN's clones are; what changes an order is its ticket.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .alias import both_styles
from .enums import OrderDirection, OrderStatus, OrderType, SecurityType
from .known import Lean, LeanType

if TYPE_CHECKING:
    from .tickets import OrderTicket

CLOSED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.INVALID})


@both_styles
class CashAmount(Lean):
    """An amount of money in a currency."""

    __slots__ = ("amount", "currency")

    def __init__(self, amount: float, currency: str) -> None:
        self.amount = float(amount)
        self.currency = currency


@both_styles
class OrderFee(Lean):
    """What a fill cost."""

    __slots__ = ("value",)

    def __init__(self, value: CashAmount) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"{self.value.amount:g} {self.value.currency}"


OrderFee.ZERO = OrderFee.Zero = OrderFee(CashAmount(0.0, "USD"))  # type: ignore[attr-defined]


def direction_of(quantity: float) -> Any:
    """BUY, SELL, or HOLD for nothing."""
    if quantity > 0:
        return OrderDirection.BUY
    return OrderDirection.SELL if quantity < 0 else OrderDirection.HOLD


class TimeInForce(Lean):
    """How long an order stays: until cancelled, for the day, or up to the close of a date."""

    WIRE = ""
    GOOD_TIL_CANCELED: Any
    DAY: Any

    @staticmethod
    def good_til_date(expiry: datetime) -> GoodTilDateTimeInForce:
        """Until the close of that day."""
        return GoodTilDateTimeInForce(expiry)

    GOOD_TIL_DATE = GoodTilDate = good_til_date

    def wire(self) -> str:
        """As the simulator takes it."""
        return self.WIRE


class GoodTilCanceledTimeInForce(TimeInForce):
    """Until cancelled, LEAN's default."""

    WIRE = "gtc"


class DayTimeInForce(TimeInForce):
    """Until the close of the day."""

    WIRE = "day"


class GoodTilDateTimeInForce(TimeInForce):
    """Until the close of a date."""

    def __init__(self, expiry: datetime) -> None:
        self.expiry = expiry

    @property
    def Expiry(self) -> datetime:  # noqa: N802 - LEAN's spelling
        return self.expiry

    def wire(self) -> str:
        return f"gtd:{self.expiry:%Y-%m-%d %H:%M:%S}"


TimeInForce.GOOD_TIL_CANCELED = TimeInForce.GoodTilCanceled = GoodTilCanceledTimeInForce()  # type: ignore[attr-defined]
TimeInForce.DAY = TimeInForce.Day = DayTimeInForce()  # type: ignore[attr-defined]


@both_styles
class OrderProperties(Lean):
    """Time in force; the exchange an order is routed to changes nothing in a backtest."""

    def __init__(self) -> None:
        self.time_in_force = TimeInForce.GOOD_TIL_CANCELED
        self.exchange: Any = None

    @property
    def plain(self) -> bool:
        """Whether it is LEAN's own class, with nothing but the time in force set."""
        return type(self) is OrderProperties and self.exchange is None

    def clone(self) -> OrderProperties:
        made = type(self)()
        made.__dict__.update(self.__dict__)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, "time_in_force" if name == "TimeInForce" else name, value)


@both_styles
class InteractiveBrokersOrderProperties(OrderProperties):
    """As OrderProperties: LEAN looks at the rest in live trading alone."""

    def __init__(self) -> None:
        super().__init__()
        self.account = self.fa_group = self.fa_method = self.fa_profile = ""
        self.fa_percentage = 0
        self.outside_regular_trading_hours = False


@both_styles
class AlpacaOrderProperties(OrderProperties):
    """As OrderProperties: LEAN looks at the rest in live trading alone."""

    def __init__(self) -> None:
        super().__init__()
        self.outside_regular_trading_hours = False


@both_styles
class OrderSubmissionData(Lean):
    """Bid, ask and last price when the order was placed."""

    def __init__(self, bid: float, ask: float, last: float) -> None:
        self.bid_price, self.ask_price, self.last_price = bid, ask, last


@both_styles
class Order(Lean):
    """One order as it stands; `price` is its average fill price, 0 before it fills."""

    TYPE = OrderType.MARKET

    def __init__(
        self, symbol: Any = None, quantity: float = 0.0, time: Any = None, tag: str | None = "",
        properties: Any = None, **more: Any,
    ) -> None:  # fmt: skip
        self.id = 0
        self.contingent_id = 0
        self.broker_id: list[str] = []
        self.symbol = symbol
        self.quantity = float(quantity)
        self.time = self.created_time = time
        self.tag = tag
        self.properties = properties or OrderProperties()
        self.status = OrderStatus.NONE
        self.price = 0.0
        self.price_currency = "USD"
        self.last_fill_time: datetime | None = None
        self.last_update_time: datetime | None = None
        self.canceled_time: datetime | None = None
        self.order_submission_data: OrderSubmissionData | None = None
        self.group_order_manager: Any = None

    @property
    def type(self) -> Any:
        return self.TYPE

    @property
    def security_type(self) -> Any:
        return SecurityType.EQUITY

    @property
    def direction(self) -> Any:
        return direction_of(self.quantity)

    @property
    def absolute_quantity(self) -> float:
        return abs(self.quantity)

    @property
    def value(self) -> float:
        return self.quantity * self.price

    @property
    def time_in_force(self) -> Any:
        return self.properties.time_in_force

    def get_value(self, security: Any) -> float:
        """What it is worth now; a resting order at its own price where that is worse."""
        own = self._own_price()
        price: float = security.price
        if own is not None:
            price = min(own, price) if self.quantity > 0 else max(own, price)
        return self.quantity * price

    def _own_price(self) -> float | None:
        return None

    def clone(self) -> Order:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __repr__(self) -> str:
        return (
            f"OrderId: {self.id} (BrokerId: {', '.join(self.broker_id)}) {self.status} "
            f"{self.type} order for {self.quantity:g} unit{'' if self.quantity == 1 else 's'} of "
            f"{self.symbol}"
        )


class MarketOrder(Order):
    """At the market, now."""


class MarketOnOpenOrder(Order):
    """At the next opening."""

    TYPE = OrderType.MARKET_ON_OPEN


_STANDARD_BUFFER = timedelta(minutes=15, seconds=30)
_buffer: list[Any] = [_STANDARD_BUFFER, None]
"""How long before the close such an order must be there, and who is told of it."""


def use(send: Callable[[list[Any]], Any]) -> None:
    """Begin with LEAN's own buffer; where a strategy sets another, the simulator is sent it."""
    _buffer[:] = [_STANDARD_BUFFER, send]


class _Buffered(LeanType):
    """Type of MarketOnCloseOrder, whose buffer is a static member that can be set."""

    @property
    def submission_time_buffer(self) -> Any:
        return _buffer[0]

    @submission_time_buffer.setter
    def submission_time_buffer(self, span: timedelta) -> None:
        _buffer[0] = span
        if _buffer[1] is not None:
            _buffer[1](["set", "close_buffer_s", int(span.total_seconds())])

    SubmissionTimeBuffer = submission_time_buffer


@both_styles
class MarketOnCloseOrder(Order, metaclass=_Buffered):
    """At the next close."""

    TYPE = OrderType.MARKET_ON_CLOSE
    DEFAULT_SUBMISSION_TIME_BUFFER = DefaultSubmissionTimeBuffer = _STANDARD_BUFFER


@both_styles
class LimitOrder(Order):
    """At its price or a better one."""

    TYPE = OrderType.LIMIT
    limit_price = 0.0

    def _own_price(self) -> float | None:
        return self.limit_price


@both_styles
class StopMarketOrder(Order):
    """At the market once the stop is reached."""

    TYPE = OrderType.STOP_MARKET
    stop_price = 0.0

    def _own_price(self) -> float | None:
        return self.stop_price


@both_styles
class TrailingStopOrder(StopMarketOrder):
    """A stop that follows the price."""

    TYPE = OrderType.TRAILING_STOP
    trailing_amount = 0.0
    trailing_as_percentage = False


@both_styles
class StopLimitOrder(LimitOrder):
    """A limit order from when the stop is reached."""

    TYPE = OrderType.STOP_LIMIT
    stop_price = 0.0
    stop_triggered = False


@both_styles
class LimitIfTouchedOrder(LimitOrder):
    """A limit order from when the trigger is touched."""

    TYPE = OrderType.LIMIT_IF_TOUCHED
    trigger_price = 0.0
    trigger_touched = False


class ComboOrder(Order):
    """One leg of an order of several, which fill together."""


class ComboMarketOrder(ComboOrder):
    """At the market, now."""

    TYPE = OrderType.COMBO_MARKET


class ComboLimitOrder(ComboOrder):
    """When the legs together come to the group's limit."""

    TYPE = OrderType.COMBO_LIMIT

    def _own_price(self) -> float | None:
        return float(self.group_order_manager.limit_price)


@both_styles
class ComboLegLimitOrder(ComboOrder):
    """When every leg has come to its limit."""

    TYPE = OrderType.COMBO_LEG_LIMIT
    limit_price = 0.0

    def _own_price(self) -> float | None:
        return self.limit_price


ORDERS: dict[Any, type[Order]] = {
    cls.TYPE: cls
    for cls in (MarketOrder, MarketOnOpenOrder, MarketOnCloseOrder, LimitOrder, StopMarketOrder,
                StopLimitOrder, LimitIfTouchedOrder, TrailingStopOrder, ComboMarketOrder,
                ComboLimitOrder, ComboLegLimitOrder)
}  # fmt: skip
_PRICES = ("limit_price", "stop_price", "trigger_price", "trailing_amount")


def picture(ticket: OrderTicket) -> Order:
    """The order behind a ticket, as it stands."""
    made = ORDERS[ticket.order_type](ticket.symbol, ticket.quantity, ticket.time, ticket.tag)
    made.id, made.status = ticket.order_id, ticket.status
    made.price = ticket.average_fill_price
    made.properties = ticket.properties
    made.broker_id = [str(ticket.order_id)] if ticket.order_id > 0 else []
    made.last_fill_time, made.last_update_time = ticket.last_fill_time, ticket.last_update_time
    made.canceled_time = ticket.canceled_time
    made.group_order_manager = ticket.submit_request.group_order_manager
    for name in _PRICES:
        value = getattr(ticket, name)
        if value is not None and hasattr(type(made), name):
            setattr(made, name, value)
    if isinstance(made, TrailingStopOrder):
        made.trailing_as_percentage = ticket.by_share
    for name in ("stop_triggered", "trigger_touched"):
        if hasattr(type(made), name):
            setattr(made, name, ticket.triggered)
    return made
