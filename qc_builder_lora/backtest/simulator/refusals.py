"""Why an order is refused before the market sees it, in LEAN's words.

First QCAlgorithm's own checks: an order that fails them never exists. Then the brokerage's: an
order that fails those exists, and is invalid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qc_builder_lora.backtest.simulator.calendar import DAY, OPEN
from qc_builder_lora.backtest.simulator.orders import Kind, Order, Wish
from qc_builder_lora.backtest.simulator.replies import DONE, Reply

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.engine import Engine

WARMING = (
    "This operation is not allowed in Initialize or during warm up: OrderRequest.{}. Please move "
    "this code to the OnWarmupFinished() method."
)
NO_ORDER = -10
"""LEAN's OrderResponseErrorCode.UnableToFindOrder, the number of an order that never was."""


LACKING, REFUSED, NOT_UPDATED, WRONG_STATUS, UPDATE_REFUSED = -3, -4, -6, -9, -25
NOT_FOUND, ZERO, NO_PRICE, TOO_MANY, TOO_LATE = -10, -11, -16, -20, -21
REPEATED, WARMING_UP, NOT_TRADABLE, TOO_SMALL, OPEN_ALREADY = -22, -24, -28, -30, -35


def warming(what: str) -> Reply:
    """The refusal of everything before trading may begin."""
    return Reply(WARMING_UP, WARMING.format(what))


def before_it_exists(wish: Wish, count: int, engine: Engine) -> Reply:
    """QCAlgorithm's checks; `count` orders there are already."""
    item = engine.securities[wish.index]
    if engine.warming_up:
        return warming("Submit")
    if wish.direct:
        return DONE
    if wish.quantity == 0:
        return Reply(ZERO, f"Unable to submit order with id {NO_ORDER} that have zero quantity.")
    if abs(wish.quantity) < 1:
        return Reply(
            TOO_SMALL,
            f"Unable to submit order with id {NO_ORDER} which quantity ({abs(wish.quantity):g}) "
            "is less than lot size (1).",
        )
    if item.delisted:
        return Reply(
            NOT_TRADABLE,
            f"The security with symbol '{item.ticker}' is marked as non-tradable.",
        )
    if not item.holding.price:
        return Reply(
            NO_PRICE,
            f"{item.ticker}: The security does not have an accurate price as it has not yet "
            "received a bar of data. Before placing a trade (or using SetHoldings) warm up your "
            "algorithm with SetWarmup, or use slice.Contains(symbol) to confirm the Slice object "
            "has price before using the data. Data does not necessarily all arrive at the same "
            "time so your algorithm should confirm the data is ready before using it.",
        )
    if count > engine.plan.max_orders:
        engine.quitting = True
        return Reply(
            TOO_MANY,
            f"You have exceeded maximum number of orders ({engine.plan.max_orders}), for "
            "unlimited orders upgrade your account.",
        )
    return _untimely(wish, engine)


def _untimely(wish: Wish, engine: Engine) -> Reply:
    if wish.kind is Kind.MARKET_ON_OPEN and engine.now.is_open and not wish.converted:
        return Reply(OPEN_ALREADY, "Cannot submit a MarketOnOpen order while the market is open.")
    if wish.kind is Kind.MARKET_ON_CLOSE:
        now, buffer = engine.now.exchange, engine.plan.close_buffer_s
        if now > engine.hours.next_close(now) - buffer:
            return Reply(
                TOO_LATE,
                f"MarketOnClose orders must be placed within {_span(buffer)} before market close. "
                "Override this TimeSpan buffer by setting "
                "Orders.MarketOnCloseOrder.SubmissionTimeBuffer in QCAlgorithm.Initialize().",
            )
    return DONE


def by_the_brokerage(order: Order, engine: Engine) -> str:
    """The brokerage model's checks; empty where it takes the order."""
    model = engine.plan.brokerage
    held = engine.securities[order.index].holding.quantity
    name = "".join(part.capitalize() for part in order.kind.name.split("_"))
    if not model.takes(order.kind):
        taken = ", ".join(
            "".join(part.capitalize() for part in Kind(kind).name.split("_"))
            for kind in model.order_types
        )
        return _warning(
            f"The {model.name} does not support {name} order type. Only supports [{taken}]"
        )
    if model.refuses_crossing(order.kind, held, order.quantity):
        return _warning(
            f"Order type '{name}' is not supported for orders that cross the zero holdings "
            f"threshold by {model.name}"
        )
    return _off_hours(order, engine)


def _off_hours(order: Order, engine: Engine) -> str:
    window = engine.plan.brokerage.market_on_open
    day, second = divmod(engine.now.exchange, DAY)
    if order.kind is not Kind.MARKET_ON_OPEN or window is None:
        return ""
    if not engine.hours.is_open_day(day):
        return ""
    first = engine.hours.close(day) if window[0] is None else window[0]
    last = OPEN - window[1]
    if second >= first or second < last:
        return ""
    return _warning(
        "MarketOnOpen submission time is invalid. Valid local times are "
        f"{_span(first)[:5]}-{_span(last)[:5]}. Consider setting daily_precise_end_time = false or "
        "using self.schedule.on."
    )


def _warning(text: str) -> str:
    return f"Warning - Code: NotSupported - {text}"


def _span(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def lacking(order: Order, price: float, lack: str) -> str:
    """LEAN's sentence for an order that cannot be afforded."""
    return (
        f"Order Error: ids: [{order.number}], Insufficient buying power to complete orders "
        f"(Value:[{order.value(price):.4f}]), Reason: {lack}."
    )
