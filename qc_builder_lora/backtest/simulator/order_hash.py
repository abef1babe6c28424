"""LEAN's OrderListHash: the MD5 of all orders as LEAN would print them in JSON.

Two runs with the same hash placed the same orders, at the same times, filled at the same prices to
seven digits. Every property, its spelling and the decimals' trailing zeros count: the order of the
properties is that of LEAN's classes, the derived class's own first.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from qc_builder_lora.backtest.simulator.calendar import utc_datetime
from qc_builder_lora.backtest.simulator.orders import AT_THE_MARKET, Group, Kind, Order

_LEAN = Context(prec=29, rounding=ROUND_HALF_EVEN)
"""A .NET decimal: 28 to 29 significant digits, halves to even."""

_LIFETIMES = {"day": "DayTimeInForce", "gtd": "GoodTilDateTimeInForce"}


@dataclass(frozen=True)
class Traded:
    """What the hash needs to know of an order's security."""

    ticker: str
    identifier: str
    """LEAN's security identifier, `SPY R735QTJ8XC9X`."""
    adjustment: int
    """LEAN's DataNormalizationMode."""


def exact(price: float, factor: str) -> Decimal:
    """A price as LEAN has it: the file's ten-thousandths times the factor, trailing zeros kept."""
    by = Decimal(factor)
    return Decimal(round(price / float(by) * 10000)).scaleb(-4) * by


def order_list_hash(orders: Iterable[tuple[Order, Traded]]) -> str:
    """The hash, in hexadecimal; of no order it is that of the empty text."""
    listed = list(orders)
    groups: dict[int, list[int]] = {}
    for order, _ in listed:
        if order.group is not None:
            groups.setdefault(order.group.number, []).append(order.number)
    with localcontext(_LEAN):
        text = ",".join(_order(order, traded, groups) for order, traded in listed)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _order(order: Order, traded: Traded, groups: dict[int, list[int]]) -> str:
    common = _common(order, traded)
    if order.group is None:
        return "{" + ",".join([*_own(order), *common]) + "}"
    # LEAN's ComboOrder has a quantity of its own, so that it comes before what all orders have.
    quantity = next(item for item in common if item.startswith('"quantity"'))
    common.remove(quantity)
    common.insert(-1, _group(order.group, groups[order.group.number]))
    return "{" + ",".join([*_own(order), quantity, *common]) + "}"


def _group(group: Group, numbers: list[int]) -> str:
    parts = [
        f'"id":{group.number}', f'"quantity":{_rounded(group.quantity)}',
        f'"count":{group.count}', f'"limitPrice":{_rounded(group.limit)}',
        f'"orderIds":{json.dumps(numbers, separators=(",", ":"))}',
        f'"direction":{_direction(group.quantity)}',
    ]  # fmt: skip
    return '"groupOrderManager":{' + ",".join(parts) + "}"


def _own(order: Order) -> list[str]:
    """The properties of the order's own class, then those of the classes between it and Order."""
    kind = f'"type":{int(order.kind)}'
    limit, stop = f'"limitPrice":{_rounded(order.limit)}', f'"stopPrice":{_rounded(order.stop)}'
    if order.kind is Kind.LIMIT:
        return [limit, kind]
    if order.kind is Kind.COMBO_LEG_LIMIT:
        return [kind, limit]
    if order.kind is Kind.STOP_MARKET:
        return [stop, kind]
    if order.kind is Kind.TRAILING_STOP:
        share = f'"trailingAsPercentage":{_flag(order.by_share)}'
        return [f'"trailingAmount":{_rounded(order.trailing)}', share, kind, stop]
    if order.kind is Kind.STOP_LIMIT:
        return [stop, f'"stopTriggered":{_flag(order.triggered)}', limit, kind]
    if order.kind is Kind.LIMIT_IF_TOUCHED:
        trigger = f'"triggerPrice":{_rounded(order.trigger)}'
        return [kind, trigger, limit, f'"triggerTouched":{_flag(order.triggered)}']
    return [kind]


def _common(order: Order, traded: Traded) -> list[str]:
    price = smart_decimal(order.price)
    quantity = Decimal(repr(order.quantity)).normalize()
    placed = _time(order.utc)
    symbol = json.dumps({"value": traded.ticker, "id": traded.identifier,
                         "permtick": traded.ticker}, separators=(",", ":"))  # fmt: skip
    return [
        f'"id":{order.number}',
        '"contingentId":0',
        f'"brokerId":{_broker(order)}',
        f'"symbol":{symbol}',
        f'"price":{_plain(price)}',
        '"priceCurrency":"USD"',
        f'"time":{placed}',
        f'"createdTime":{placed}',
        *_moments(order),
        f'"quantity":{_plain(quantity)}',
        f'"status":{int(order.status)}',
        f'"tag":{json.dumps(order.tag, ensure_ascii=False)}',
        f'"properties":{{"timeInForce":{_lifetime(order)}}}',
        '"securityType":1',
        f'"direction":{_direction(order.quantity)}',
        f'"value":{_plain(_whole(quantity) * price)}',
        f'"orderSubmissionData":{_submission(order)}',
        f'"isMarketable":{_flag(_marketable(order))}',
        f'"priceAdjustmentMode":{traded.adjustment}',
    ]


def _lifetime(order: Order) -> str:
    name, expiry = order.lifetime.name, order.lifetime.expiry
    if name == "gtc":
        return "{}"
    kind = f'"$type":"QuantConnect.Orders.TimeInForces.{_LIFETIMES[name]}"'
    return "{" + kind + (f',"Expiry":"{expiry}"' if expiry else "") + "}"


def _broker(order: Order) -> str:
    return f'["{order.number}"]' if order.placed else "[]"


def _moments(order: Order) -> list[str]:
    moments = (
        ("lastFillTime", order.filled_at),
        ("lastUpdateTime", order.updated_at),
        ("canceledTime", order.canceled_at),
    )
    return [f'"{name}":{_time(utc)}' for name, utc in moments if utc is not None]


def _submission(order: Order) -> str:
    if order.submitted is None:
        return "null"
    names = ("bidPrice", "askPrice", "lastPrice")
    pairs = zip(names, order.submitted, strict=True)
    return "{" + ",".join(f'"{name}":{_plain(exact(*quote))}' for name, quote in pairs) + "}"


def _marketable(order: Order) -> bool:
    """Whether it would fill at once: a market order, or a limit beyond the other side.

    LEAN rounds the limit before it asks this, so a limit at the very quote may not be.
    """
    if order.kind is not Kind.LIMIT or order.submitted is None:
        return order.kind in AT_THE_MARKET
    limit = smart_decimal(order.limit or 0.0)
    bid, ask, _ = (exact(*quote) for quote in order.submitted)
    return limit >= ask if order.quantity > 0 else limit <= bid


def _direction(quantity: float) -> int:
    return 0 if quantity > 0 else 1 if quantity < 0 else 2


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _time(utc: int) -> str:
    return '"' + utc_datetime(utc).isoformat().replace("+00:00", "Z") + '"'


def _rounded(price: float | None) -> str:
    return _plain(smart_decimal(price or 0.0))


def smart_decimal(value: float) -> Decimal:
    """LEAN's SmartRounding: 4 decimals above 1000, else 7 significant digits; no trailing zeros."""
    exact = Decimal(repr(value))
    if not value:
        return Decimal(0)
    digits = 4 if value > 1000 else 6 - math.floor(math.log10(abs(value)))
    return _whole(exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN).normalize())


def _whole(value: Decimal) -> Decimal:
    """Without an exponent above zero, which a .NET decimal does not have."""
    return value.quantize(Decimal(1)) if value.as_tuple().exponent > 0 else value  # type: ignore[operator]


def _plain(value: Decimal) -> str:
    """As Newtonsoft writes a decimal: never an exponent, always a point."""
    text = format(value or Decimal(0), "f")
    return text if "." in text else text + ".0"
