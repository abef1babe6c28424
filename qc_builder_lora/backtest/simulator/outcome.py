"""What a backtest's book says at the end: capacity, the orders' hash, orders as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import date_of, utc_datetime
from qc_builder_lora.backtest.simulator.engine import Engine, Security
from qc_builder_lora.backtest.simulator.order_hash import Traded, order_list_hash
from qc_builder_lora.backtest.simulator.orders import Order
from qc_builder_lora.backtest.simulator.statistics import two_digits

_OLE_ZERO = date(1899, 12, 30).toordinal()
_EQUITY_USA = 101
"""LEAN's SecurityIdentifier: the market's code, 1, times 100, and the security type, 1."""
_DAY = 10**14
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def of_the_book(engine: Engine) -> dict[str, str]:
    """LEAN's summary figures over the orders."""
    capacity = engine.book.capacity
    lowest = None if capacity.lowest is None else engine.securities[capacity.lowest]
    found = {
        "Estimated Strategy Capacity": f"${two_digits(capacity.value)}",
        "Lowest Capacity Asset": "" if lowest is None else identifier(lowest),
    }
    hashed = _hash(engine)
    return found if hashed is None else found | {"OrderListHash": hashed}


def runtime(engine: Engine, start: float, figures: Mapping[str, str]) -> dict[str, str]:
    """LEAN's runtime statistics at the end, in the order in which its results have them."""
    account = engine.account
    net = account.plain()[3]
    return {
        "Equity": _usd(account.value),
        "Fees": f"-{_usd(account.fees)}",
        "Holdings": _usd(sum(abs(item.value) for item in account.holdings)),
        "Net Profit": _usd(net),
        "Probabilistic Sharpe Ratio": figures.get("Probabilistic Sharpe Ratio", "0%"),
        "Return": f"{account.value / start - 1:,.2%}".replace("%", " %") if start else "0.00 %",
        "Unrealized": _usd(sum(account.unrealized_of(item) for item in account.holdings)),
        "Volume": _usd(account.sale_volume),
    }


def _usd(value: float) -> str:
    return f"${value:,.2f}"


def _hash(engine: Engine) -> str | None:
    """None where an order's properties are not LEAN's plain ones: their JSON is not known here."""
    orders = engine.book.orders
    if not all(order.plain for order in orders):
        return None
    pairs = []
    for order in orders:
        item = engine.securities[order.index]
        pairs.append((order, Traded(item.ticker, identifier(item), int(item.mode))))
    return order_list_hash(pairs)


def identifier(item: Security) -> str:
    """LEAN's security identifier: the first ticker, and the day it was listed in base 36."""
    company = item.company
    days = 0 if company.listed is None else date_of(company.listed).toordinal() - _OLE_ZERO
    number, text = days * _DAY + _EQUITY_USA, ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return f"{company.first_name} {text}"


def plain(order: Order, engine: Engine) -> dict[str, Any]:
    """One order as a result has it."""
    return {
        "id": order.number,
        "symbol": engine.securities[order.index].ticker,
        "type": order.kind.name.lower(),
        "quantity": order.quantity,
        "limit_price": order.limit,
        "stop_price": order.stop,
        "trigger_price": order.trigger,
        "trailing_amount": order.trailing,
        "status": order.status.name.lower(),
        "time": iso(order.utc),
        "tag": order.tag,
        "message": order.message,
        "fills": [{**fill, "time": iso(fill["utc"])} for fill in order.fills],
    }


def iso(utc: Any) -> str:
    """UTC seconds as ISO has them."""
    return utc_datetime(int(utc)).isoformat().replace("+00:00", "Z")
