"""Keeping indicators fed: registering them, letting them go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .desk import Desk
from .enums import Resolution
from .indicators import ForeignIndicator
from .indicators.derived import TradeBarIndicator
from .known import not_modelled
from .security import Security
from .selectors import wants_quotes


def known(desk: Desk, indicator: Any) -> Any:
    """What is fed: LEAN's own indicators, or a strategy's class, wrapped once."""
    if hasattr(indicator, "feed_bar"):
        return indicator
    wrapped: dict[int, Any] = desk.foreign
    if id(indicator) not in wrapped:
        wrapped[id(indicator)] = ForeignIndicator(indicator)
    return wrapped[id(indicator)]


def feed(indicator: Any, item: Any, selector: Any) -> None:
    """Give an indicator one bar or point, through the selector if there is one."""
    if selector is None:
        indicator.feed_bar(item)
    elif getattr(indicator, "TAKES_BARS", False):
        indicator.feed_bar(selector(item))
    else:
        chosen = selector(item)
        if hasattr(chosen, "end_time"):
            raise TypeError(
                f"A selector of {indicator.name} must give a number, not a {type(chosen).__name__}"
            )
        indicator.feed(item.end_time, float(chosen))


def _listener(indicator: Any, selector: Any) -> Callable[[Any], Any]:
    if selector is None:
        listener: Callable[[Any], Any] = indicator.feed_bar
        return listener
    return lambda bar: feed(indicator, bar, selector)


def register(
    desk: Desk, security: Security, indicator: Any, span: Any = None, selector: Any = None
) -> None:
    """Keep an indicator fed, with the security's bars or what a consolidator makes of them."""
    if span is not None and not isinstance(span, timedelta | type(Resolution.DAILY)):
        _follow(desk, security, indicator, _checked(span), selector)
        return
    if span == Resolution.TICK and not isinstance(span, timedelta):
        not_modelled("Resolution.TICK", "for an indicator")
    quotes = wants_quotes(selector)
    config = desk.subscription(security, quotes=quotes)
    if span is None or span in (config.resolution, config.increment):
        listener = _listener(indicator, selector)
        desk.fed.setdefault(id(indicator), []).append(listener)
        config.listeners.append(listener)
        return
    consolidator = desk.consolidator(security, span, quotes=quotes)
    _follow(desk, security, indicator, consolidator, selector)


def _checked(consolidator: Any) -> Any:
    if hasattr(consolidator, "data_consolidated") or hasattr(consolidator, "DataConsolidated"):
        return consolidator
    raise ValueError(
        "Invalid third argument, should be either a valid consolidator or timedelta object, "
        f"got {consolidator!r}"
    )


def _follow(
    desk: Desk, security: Security, indicator: Any, consolidator: Any, selector: Any
) -> None:
    if getattr(consolidator, "TAKES_QUOTES", False) and isinstance(indicator, TradeBarIndicator):
        raise ValueError(
            f"Type mismatch found between consolidator and indicator for symbol: "
            f"{security.symbol}.Consolidator outputs type QuoteBar but indicator expects input "
            "type TradeBar"
        )
    if id(consolidator) not in desk.consolidators:
        desk.consolidate(security, consolidator)
    listener = _listener(indicator, selector)
    consolidator.data_consolidated += lambda _, bar: listener(bar)
    indicator.consolidators.append(consolidator)


def deregister(desk: Desk, indicator: Any) -> None:
    """Feed an indicator no more; its consolidators end with it, as in LEAN."""
    for consolidator in getattr(indicator, "consolidators", ()):
        desk.drop(consolidator)
    if hasattr(indicator, "consolidators"):
        indicator.consolidators.clear()
    desk.forget(desk.fed.pop(id(indicator), []))
