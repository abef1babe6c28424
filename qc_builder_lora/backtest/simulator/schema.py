"""What a strategy's process may say, field by field; anything else is Forged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from qc_builder_lora.backtest.simulator.channel import Forged

Check = Callable[[Any], bool]
_HUGE = 1e15


def _text(limit: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= limit


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _HUGE


def _number(value: Any) -> bool:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return good and math.isfinite(value) and abs(value) < _HUGE


def _within(low: int, high: int) -> Check:
    return lambda value: _whole(value) and low <= value <= high


_DAY = _within(-719_162, 2_932_896)
"""Days since 1970 that are a date, from year 1 to 9999."""
_MOMENT = _within(-719_162 * 86_400, 2_932_896 * 86_400)
_SETTINGS: dict[str, Check] = {
    "cash": _number,
    "benchmark": _text(200),
    "own_benchmark": _within(0, 1),
    "own_rates": _within(0, 1),
    "start": _DAY,
    "end": _DAY,
    "warm_up_bars": _within(0, 10**6),
    "warm_up_seconds": _within(0, 10**10),
    "warm_up_resolution": _within(1, 86400),
    "trading_days": _within(1, 366),
    "max_orders": _within(0, 10**12),
    "close_buffer_s": _within(0, 86_400),
    "stale_price_s": _within(0, 10**9),
    "precise": _within(0, 1),
}


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _many(check: Check, limit: int) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= limit and all(map(check, value))


def _number_or_date(value: Any) -> bool:
    return _number(value) or (isinstance(value, str) and len(value) == 10)


def _rule(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= 3
        and isinstance(value[0], str)
        and all(
            item is None or _number(item) or _many(_number_or_date, 20_000)(item) or _text(60)(item)
            for item in value[1:]
        )
    )


def _resolution(value: Any) -> bool:
    """In seconds; 0 is the finest that a security has."""
    return _whole(value) and value in (0, 1, 60, 3600, 86_400)


def _flags(value: Any) -> bool:
    return isinstance(value, dict) and len(value) < 20 and all(map(_flag, value.values()))


def _group(value: Any) -> bool:
    """Of an order of several legs: its number, how many legs, its quantity, its limit or 0."""
    if not isinstance(value, list) or len(value) != 4 or not all(map(_number, value)):
        return False
    return _whole(value[0]) and _within(1, 100)(value[1]) and value[2] != 0


def _event(value: Any) -> bool:
    """A fill by a strategy's own model: status, quantity, price, fee, message, order's number."""
    if not isinstance(value, list) or len(value) != 6:
        return False
    return all(map(_number, value[:4])) and _text(1000)(value[4]) and _whole(value[5])


def _modelled(value: Any) -> bool:
    """What a strategy's own model answers, of any kind; or the error it raised."""
    if isinstance(value, dict):
        return set(value) == {"error"} and _text(2000)(value["error"])
    return _number(value) or isinstance(value, list)


def _margin_order(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 6:
        return False
    index, kind, quantity, limit, stop, tag = value
    prices = _maybe(_number)(limit) and _maybe(_number)(stop)
    return _whole(index) and _whole(kind) and _number(quantity) and prices and _text(1000)(tag)


def check_answer(kind: str, number: int, value: Any) -> None:
    """Forged unless a model of that kind may answer so."""
    if kind == "fill":
        good = _many(_event, 100)(value)
    elif (kind == "buying_power" and number) or kind in ("submits", "updates"):
        good = isinstance(value, list) and len(value) == 2 and _flag(value[0])
        good = good and _text(500)(value[1])
    else:
        good = _number(value)
    if not good:
        raise Forged(f"an answer of a {kind} model that is out of bounds")


_WORD = _text(50)
_PRICE = _maybe(_number)
FORMS: dict[str, Sequence[Check]] = {
    "set": (
        lambda value: isinstance(value, str) and value in _SETTINGS,
        lambda value: _number(value) or _text(200)(value),
    ),
    "security": (_text(50), _whole, _number, _whole, _flag, _flag),
    "subscribe": (_whole, _whole, _flag, _flag),
    "unsubscribe": (_whole,),
    "submit": (
        *(_whole, _whole, _number, _PRICE, _PRICE, _PRICE, _PRICE, _flag),
        *(_text(1000), _text(50), _flag, _flag, _flag, _maybe(_group)),
    ),
    "may_submit": (_whole, _whole, _number),
    "default_group_fill": (_whole,),
    "update": (_whole, _PRICE, _PRICE, _PRICE, _PRICE, _PRICE, _maybe(_text(1000))),
    "cancel": (_whole, _maybe(_text(1000))),
    "order": (_whole,),
    "default_fill": (_whole, _WORD),
    "lacks": (_whole,),
    "answer": (_modelled,),
    "pay": (_number, _flag),
    "margin_orders": (_many(_margin_order, 2000),),
    "brokerage": (_WORD, _flag),
    "own_brokerage": (_flag, _flag),
    "margin_calls": (_number, _flag),
    "trades": (),
    "dates": (_rule, _whole),
    "history": (
        _many(lambda x: _whole(x) or _text(50)(x), 2000),
        ("trade", "quote", "action").__contains__,
        _resolution,
        _maybe(_flag),
        _maybe(_flag),
        _maybe(_whole),
        _WORD,
        _MOMENT,
    ),
    "schedule": (_whole, _rule, _rule, _within(0, 2)),
    "unschedule": (_whole,),
    "hours": (_WORD, _MOMENT),
    "rates": (_DAY,),
    "model": (_whole, _WORD, _many(lambda x: _number(x) or _text(100)(x), 40)),
    "normalization": (_whole, _whole),
    "seed": (_whole, _number, _flag),
    "zone": (_text(60),),
    "log": (_WORD, _text(20_000)),
    "plot": (_text(200), _text(200), _number),
    "figures": (),
    "runtime": (_text(200), _text(200)),
    "statistic": (_text(200), _text(200)),
    "quit": (_text(1000),),
    "phase": (_WORD,),
    "ready": (_flags,),
    "done": (_MOMENT,),
    "failed": (_WORD, _text(200), _text(2000), _maybe(_whole), _text(200)),
    "unknown": (_WORD, _text(300), _text(1000)),
}
# A history's `"range", from, to` has one field more.
_EXTRA: dict[str, Check] = {"history": _maybe(_MOMENT)}


def check(message: list[Any]) -> None:
    """Forged unless the message is of a known form."""
    kind, fields = message[0], message[1:]
    form = FORMS.get(kind)
    if form is None:
        raise Forged(f"an unknown message {kind[:50]!r}")
    extra = _EXTRA.get(kind)
    if extra is not None and len(fields) == len(form) + 1:
        form = (*form, extra)
    if len(fields) != len(form):
        raise Forged(f"a {kind!r} message with {len(fields)} fields")
    for position, (good, value) in enumerate(zip(form, fields, strict=True)):
        if not good(value):
            raise Forged(f"a {kind!r} message whose field {position} is out of bounds")
    if kind == "set" and not _SETTINGS[fields[0]](fields[1]):
        raise Forged(f"a setting {fields[0]!r} that is out of bounds")
