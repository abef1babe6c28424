"""One order and its life: what was asked, what has become of it, until when it may fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from qc_builder_lora.backtest.simulator.calendar import DAY, Hours
from qc_builder_lora.backtest.simulator.replies import DONE, Reply


class Kind(IntEnum):
    """LEAN's OrderType."""

    MARKET = 0
    LIMIT = 1
    STOP_MARKET = 2
    STOP_LIMIT = 3
    MARKET_ON_OPEN = 4
    MARKET_ON_CLOSE = 5
    LIMIT_IF_TOUCHED = 7
    COMBO_MARKET = 8
    COMBO_LIMIT = 9
    COMBO_LEG_LIMIT = 10
    TRAILING_STOP = 11


COMBOS = frozenset({Kind.COMBO_MARKET, Kind.COMBO_LIMIT, Kind.COMBO_LEG_LIMIT})
AT_THE_MARKET = frozenset({Kind.MARKET, Kind.COMBO_MARKET})


@dataclass(frozen=True)
class Group:
    """What the legs of one order have in common."""

    number: int
    count: int
    quantity: float
    limit: float
    """One limit for all legs together; 0 for none."""


class Status(IntEnum):
    """LEAN's OrderStatus."""

    NEW = 0
    SUBMITTED = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELED = 5
    INVALID = 7
    CANCEL_PENDING = 8
    UPDATE_SUBMITTED = 9


Quote = tuple[float, str]
"""A price, and the factor that the data file's price was multiplied by, as the file has it."""
CLOSED = frozenset({Status.FILLED, Status.CANCELED, Status.INVALID})


@dataclass
class Bar:
    """Prices of one period in USD; its times are the exchange's, in seconds since 1970."""

    start: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


@dataclass(frozen=True)
class Lifetime:
    """LEAN's TimeInForce: until cancelled, for the day, or up to a date."""

    name: str = "gtc"
    last_day: int = 0
    """Of `gtd`: the exchange's day."""
    expiry: str = ""
    """Of `gtd`: what the strategy gave, in ISO's form."""

    def over(self, placed: int, now: int, hours: Hours) -> bool:
        """Whether an order placed at one time of the exchange has expired at another."""
        if self.name == "day":
            return now >= hours.next_close(placed)
        if self.name == "gtd":
            return now >= hours.next_close(self.last_day * DAY)
        return False


@dataclass(frozen=True)
class Wish:
    """What a strategy asks of a new order; prices in USD, quantity signed."""

    index: int
    """The security's number."""
    kind: Kind
    quantity: float
    limit: float | None = None
    stop: float | None = None
    trigger: float | None = None
    trailing: float | None = None
    """A trailing stop's distance: USD, or a fraction of the price where `by_share`."""
    by_share: bool = False
    tag: str = ""
    lifetime: Lifetime = Lifetime()
    plain: bool = True
    """Whether its properties are LEAN's own class with nothing but the time in force set."""
    converted: bool = False
    """Whether it was a market order that LEAN turned into one for an auction."""
    direct: bool = False
    """Whether it goes past QCAlgorithm's own checks, as `transactions.add_order` does."""
    group: Group | None = None


@dataclass
class Order:
    """One order; prices in USD, quantity signed, times in seconds."""

    number: int
    index: int
    kind: Kind
    quantity: float
    limit: float | None
    stop: float | None
    trigger: float | None
    trailing: float | None
    by_share: bool
    tag: str
    lifetime: Lifetime
    plain: bool
    utc: int
    local: int
    """New York time at which it was placed."""
    status: Status = Status.NEW
    triggered: bool = False
    """The stop of a stop limit order, the trigger of a limit if touched."""
    placed: bool = False
    """Whether the brokerage took it."""
    canceling: bool = False
    """Whether a cancellation was ever asked for."""
    updated: bool = False
    message: str = ""
    price: float = 0.0
    """Average fill price."""
    filled: float = 0.0
    filled_at: int | None = None
    updated_at: int | None = None
    canceled_at: int | None = None
    submitted: tuple[Quote, Quote, Quote] | None = None
    """Bid, ask and last price when it was placed."""
    reply: Reply = DONE
    """What became of it when it was placed."""
    fills: list[dict[str, object]] = field(default_factory=list)
    group: Group | None = None

    @property
    def open(self) -> bool:
        """Whether it can still fill."""
        return self.status not in CLOSED

    @property
    def left(self) -> float:
        """Signed quantity that has not been filled."""
        return self.quantity - self.filled

    def add(self, quantity: float, price: float, fee: float, utc: int) -> None:
        """Take one fill."""
        total = self.filled + quantity
        self.price = (self.price * self.filled + price * quantity) / total if total else price
        self.filled, self.filled_at = total, utc
        self.fills.append({"utc": utc, "quantity": quantity, "price": price, "fee": fee})

    def state(self) -> list[object]:
        """As the strategy's ticket takes it."""
        return [self.quantity, self.limit, self.stop, self.trigger, self.trailing, self.triggered,
                self.tag]  # fmt: skip

    def value(self, price: float) -> float:
        """USD at a price, signed; a resting one at its own price where that is worse."""
        stops = (Kind.STOP_MARKET, Kind.TRAILING_STOP)
        own = self.stop if self.kind in stops else self.limit
        if self.kind is Kind.COMBO_LIMIT and self.group is not None:
            own = self.group.limit
        if own is None:
            return self.quantity * price
        return self.quantity * (min(own, price) if self.quantity > 0 else max(own, price))


def ordered(wish: Wish, number: int, utc: int, local: int) -> Order:
    """The order that a wish becomes."""
    return Order(
        number, wish.index, wish.kind, wish.quantity, wish.limit, wish.stop, wish.trigger,
        wish.trailing, wish.by_share, wish.tag, wish.lifetime, wish.plain, utc, local,
        group=wish.group,
    )  # fmt: skip


def round_price(price: float | None) -> float | None:
    """To the tick of a US equity, as LEAN's transaction handler rounds what is submitted."""
    if price is None:
        return None
    tick = 0.01 if price >= 1 else 0.0001
    return round(round(price / tick) * tick, 4)
