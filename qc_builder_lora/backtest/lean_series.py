"""Orders, closed trades and the equity curve out of LEAN's JSON, in the form all engines share.

Numbers of enumerations, names in either style, times as ISO text or UNIX seconds: all are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_TYPES = {
    0: "market", 1: "limit", 2: "stop_market", 3: "stop_limit", 4: "market_on_open",
    5: "market_on_close", 6: "option_exercise", 7: "limit_if_touched", 8: "combo_market",
    9: "combo_limit", 10: "combo_leg_limit", 11: "trailing_stop",
}  # fmt: skip
_STATUSES = {
    0: "new", 1: "submitted", 2: "partially_filled", 3: "filled", 5: "canceled", 6: "none",
    7: "invalid", 8: "cancel_pending", 9: "update_submitted",
}  # fmt: skip
_DIRECTIONS = {0: "long", 1: "short"}
_FILLED = ("filled", "partially_filled")
_NEW_YORK = ZoneInfo("America/New_York")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = 10**11
"""From here on a UNIX time is not one in seconds."""


def entry(value: Any, name: str) -> Any:
    """What an object has under a name, whatever the capitals; None if nothing."""
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    wanted = name.lower()
    return next((found for key, found in value.items() if str(key).lower() == wanted), None)


def listed(value: Any) -> list[Any]:
    """What a list holds, or an object's values; nothing where it is neither."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def printable(text: str) -> str:
    """Without what would move a terminal's cursor: a strategy names statistics and errors."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def order_of(order: Mapping[str, Any], apart: Mapping[int, Sequence[Any]]) -> dict[str, Any]:
    """One order; its events are its own or those kept apart."""
    number = int(number_of(entry(order, "id")) or 0)
    events = listed(entry(order, "events")) or apart.get(number) or ()
    status = _named(_STATUSES, entry(order, "status"))
    fills = [_fill(event) for event in events if _is_fill(event)]
    if not fills and status in _FILLED:
        fills = [_whole_fill(order)]
    messages = [str(entry(event, "message") or "") for event in events]
    return {
        "id": number,
        "symbol": _ticker(entry(order, "symbol")),
        "type": _named(_TYPES, entry(order, "type")),
        "quantity": number_of(entry(order, "quantity")),
        "limit_price": number_of(entry(order, "limitPrice")),
        "stop_price": number_of(entry(order, "stopPrice")),
        "status": status,
        "time": moment_of(entry(order, "time") or entry(order, "createdTime")),
        "tag": printable(str(entry(order, "tag") or "")),
        "message": printable(next((message for message in messages if message), "")),
        "fills": fills,
    }


def _is_fill(event: Any) -> bool:
    named = _named(_STATUSES, entry(event, "status"))
    return named in _FILLED and bool(number_of(entry(event, "fillQuantity")))


def _fill(event: Any) -> dict[str, Any]:
    return {
        "time": moment_of(entry(event, "time")),
        "quantity": number_of(entry(event, "fillQuantity")),
        "price": number_of(entry(event, "fillPrice")),
        "fee": number_of(_fee(event)),
    }


def _fee(event: Any) -> Any:
    amount = entry(event, "orderFeeAmount")
    if amount is not None:
        return amount
    value = entry(entry(event, "orderFee"), "value")
    return entry(value, "amount") if isinstance(value, Mapping) else value


def _whole_fill(order: Mapping[str, Any]) -> dict[str, Any]:
    """Without events an order still says at which average price it was filled; not the fee."""
    return {
        "time": moment_of(entry(order, "lastFillTime") or entry(order, "time")),
        "quantity": number_of(entry(order, "quantity")),
        "price": number_of(entry(order, "price")),
        "fee": None,
    }


def closed_trade(trade: Any) -> dict[str, Any]:
    """One closed trade."""
    symbols = entry(trade, "symbols")
    symbol = symbols[0] if isinstance(symbols, list) and symbols else entry(trade, "symbol")
    return {
        "symbol": _ticker(symbol),
        "direction": _named(_DIRECTIONS, entry(trade, "direction")),
        "quantity": number_of(entry(trade, "quantity")),
        "entry_time": moment_of(entry(trade, "entryTime")),
        "entry_price": number_of(entry(trade, "entryPrice")),
        "exit_time": moment_of(entry(trade, "exitTime")),
        "exit_price": number_of(entry(trade, "exitPrice")),
        "profit": number_of(entry(trade, "profitLoss")),
        "fees": number_of(entry(trade, "totalFees")),
    }


def daily_equity(points: Sequence[Any]) -> tuple[tuple[str, float], ...]:
    """The last value of each day in New York; a weekend that only repeats Friday is left out."""
    samples = sorted(found for found in map(_point, points) if found is not None)
    days: dict[str, float] = {}
    for time, value in samples:
        # A sample at midnight belongs to the day that has just ended.
        local = _utc(time).astimezone(_NEW_YORK) - timedelta(seconds=1)
        day = local.date().isoformat()
        last = next(reversed(days.values()), None)
        if local.weekday() >= 5 and day not in days and last in (None, value):
            continue
        days[day] = value
    return tuple(days.items())


def _point(point: Any) -> tuple[float, float] | None:
    if isinstance(point, Mapping):
        time = entry(point, "x") if entry(point, "x") is not None else entry(point, "time")
        values = [entry(point, name) for name in ("y", "close", "value")]
        value = next((found for found in values if found is not None), None)
    elif isinstance(point, Sequence) and not isinstance(point, str) and len(point) >= 2:
        # [t, y], or a candle [t, open, high, low, close]: what counts is how it ended.
        time, value = point[0], point[-1]
    else:
        return None
    seconds, number = seconds_of(time), number_of(value)
    return None if seconds is None or number is None else (seconds, number)


def seconds_of(time: Any) -> float | None:
    """A time, as ISO text or a number of any unit, as UNIX seconds."""
    if isinstance(time, str):
        found = _parsed(time)
        return None if found is None else found.timestamp()
    number = number_of(time)
    if number is None:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS else number
    # Later or earlier than these it is no time.
    return seconds if -_MILLISECONDS / 2 < seconds < _MILLISECONDS else None


def moment_of(time: Any) -> str | None:
    """A time as ISO text in UTC, to the second."""
    seconds = seconds_of(time)
    if seconds is None:
        return None
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _parsed(text: str) -> datetime | None:
    try:
        # .NET prints seven digits of a second.
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def number_of(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _ticker(symbol: Any) -> str:
    value = entry(symbol, "value") if isinstance(symbol, Mapping) else symbol
    # As text a symbol is its id: "SPY R735QTJ8XC9X".
    return str(value or "").split(" ", 1)[0]


def _named(names: Mapping[int, str], value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return names.get(value, str(value))
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(value or "")).lower()
