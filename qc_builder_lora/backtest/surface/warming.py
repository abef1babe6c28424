"""Past bars for indicators: fetched, shaped and fed until they are ready."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .consolidators import (
    ConsolidatorBase,
    IdentityConsolidator,
    QuoteBarConsolidator,
    TradeBarConsolidator,
)
from .desk import Desk
from .enums import Resolution
from .feeding import feed
from .known import not_modelled
from .quotes import quote_bars
from .security import Security
from .selectors import wants_quotes
from .subscriptions import SECONDS


def past_bars(
    desk: Desk, security: Security, span: list[Any], resolution: Any = None, *, quotes: bool = False
) -> list[Any]:
    """Past bars of one security, of trades or of quotes."""
    seconds = SECONDS.get(resolution, 0) if resolution is not None else 0
    if not quotes:
        found: list[Any] = desk.bars([security], span, seconds=seconds)[0]
        return found
    symbol = security.symbol
    return list(
        quote_bars(symbol, desk.rows([symbol.number], span, kind="quote", seconds=seconds)[0])
    )


def by_time(rows: list[list[Any]]) -> list[Any]:
    """The bars of several securities, moment by moment, in the order of the securities."""
    if len(rows) == 1:
        return rows[0]
    return sorted((bar for row in rows for bar in row), key=lambda bar: bar.end_time)


def _needed(desk: Desk, indicator: Any) -> int:
    """How many bars make it ready; 0, said in the log, where it does not tell."""
    period = int(getattr(indicator, "warm_up_period", 0) or 0)
    if not period:
        desk.log(
            "debug",
            f"Warning: the 'WarmUpIndicator' feature only works with indicators which inherit from "
            f"'IIndicatorWarmUpPeriodProvider' and define a warm up period, setting property "
            f"'WarmUpPeriod' with a value > 0. The provided indicator of type "
            f"{type(indicator).__name__} will not be warmed up.",
        )
    return period


def warm_up(
    desk: Desk, securities: list[Security], indicator: Any, resolution: Any = None,
    selector: Any = None,
) -> None:  # fmt: skip
    """Reset an indicator and feed it the bars it needs to be ready."""
    period = _needed(desk, indicator)
    if not period:
        return
    indicator.reset()
    quotes = wants_quotes(selector)
    rows = [
        past_bars(desk, security, ["count", period], resolution, quotes=quotes)
        for security in securities
    ]
    for bar in by_time(rows):
        feed(indicator, bar, selector)


_STEPS = (
    (86400, Resolution.DAILY), (3600, Resolution.HOUR), (60, Resolution.MINUTE),
    (1, Resolution.SECOND),
)  # fmt: skip


def warm_up_over(
    desk: Desk, securities: list[Security], indicator: Any, length: timedelta, selector: Any = None
) -> None:
    """Feed an indicator past bars of any length, made of the longest resolution within it."""
    period = _needed(desk, indicator)
    whole = int(length.total_seconds())
    fitting = [item for item in _STEPS if item[0] <= whole]
    if not period:
        return
    if not fitting:
        not_modelled("QCAlgorithm.warm_up_indicator", f"with {length}")
    seconds, resolution = fitting[0]
    count, quotes = period * (whole // seconds), wants_quotes(selector)
    rows = [
        past_bars(desk, security, ["count", count], resolution, quotes=quotes)
        for security in securities
    ]
    _through(rows, lambda: _shaper(length, seconds == whole, quotes=quotes), indicator, selector)


def _shaper(length: timedelta, same: bool, *, quotes: bool) -> ConsolidatorBase:
    if same:
        return IdentityConsolidator()
    return QuoteBarConsolidator(length) if quotes else TradeBarConsolidator(length)


def _through(
    rows: list[list[Any]], make: Callable[[], ConsolidatorBase], indicator: Any, selector: Any
) -> None:
    """Past bars through one consolidator a security, moment by moment."""
    shapers = {}
    for row in rows:
        for bar in row[:1]:
            shapers[bar.symbol] = make()
            shapers[bar.symbol].data_consolidated += lambda _, bar: feed(indicator, bar, selector)
    for bar in by_time(rows):
        shapers[bar.symbol].update(bar)
    for row in rows:
        for bar in row[-1:]:
            shapers[bar.symbol].scan(bar.end_time)
