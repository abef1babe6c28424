"""LEAN's consolidators, and which of them a strategy means by a span."""

from __future__ import annotations

from datetime import timedelta
from inspect import getattr_static
from typing import Any

from ..enums import Resolution
from ..known import not_modelled
from ..quotes import QuoteBar
from ..subscriptions import SECONDS
from .base import Calendar, CalendarInfo, ConsolidatorBase, IdentityConsolidator
from .bricks import (
    ClassicRangeConsolidator,
    ClassicRenkoConsolidator,
    DollarVolumeRenkoConsolidator,
    RangeBar,
    RangeConsolidator,
    RenkoBar,
    RenkoConsolidator,
    VolumeRenkoBar,
    VolumeRenkoConsolidator,
)
from .periods import QuoteBarConsolidator, TradeBarConsolidator
from .session import MarketHourAwareConsolidator, PythonConsolidator, SequentialConsolidator

NAMES: dict[str, Any] = {
    "BaseDataConsolidator": TradeBarConsolidator,
    "Calendar": Calendar,
    "CalendarInfo": CalendarInfo,
    "ClassicRangeConsolidator": ClassicRangeConsolidator,
    "ClassicRenkoConsolidator": ClassicRenkoConsolidator,
    "DataConsolidator": ConsolidatorBase,
    "DollarVolumeRenkoConsolidator": DollarVolumeRenkoConsolidator,
    "IDataConsolidator": ConsolidatorBase,
    "IdentityDataConsolidator": IdentityConsolidator,
    "MarketHourAwareConsolidator": MarketHourAwareConsolidator,
    "PythonConsolidator": PythonConsolidator,
    "QuoteBarConsolidator": QuoteBarConsolidator,
    "RangeBar": RangeBar,
    "RangeConsolidator": RangeConsolidator,
    "RenkoBar": RenkoBar,
    "RenkoConsolidator": RenkoConsolidator,
    "SequentialConsolidator": SequentialConsolidator,
    "TradeBarConsolidator": TradeBarConsolidator,
    "VolumeRenkoBar": VolumeRenkoBar,
    "VolumeRenkoConsolidator": VolumeRenkoConsolidator,
}
"""As `from AlgorithmImports import *` gives them."""


def takes_quotes(consolidator: Any) -> bool:
    """Whether it is fed with quotes; a strategy's own says so by its `input_type`."""
    own = (getattr_static(consolidator, name, None) for name in ("input_type", "InputType"))
    return bool(getattr(consolidator, "TAKES_QUOTES", False)) or QuoteBar in own


def consolidator_for(
    span: Any, resolution: Any, *, quotes: bool = False, strict: bool = True, extended: bool = False
) -> ConsolidatorBase:
    """What `self.consolidate(symbol, span, handler)` means by its span, on bars of a resolution.

    `strict` and `extended` are LEAN's daily_precise_end_time and the subscription's hours.
    """
    if isinstance(span, ConsolidatorBase):
        return span
    kind = QuoteBarConsolidator if quotes else TradeBarConsolidator
    if isinstance(span, type(Resolution.DAILY)) and span in SECONDS:
        length = timedelta(seconds=SECONDS[span])
    elif isinstance(span, timedelta):
        length = span
    else:
        return kind(span)
    own = timedelta(seconds=SECONDS[resolution])
    if length < own:
        raise ValueError(
            f"Unable to create a consolidator of {length} because the security is registered for "
            f"{resolution} data. Consolidators require higher resolution data to produce lower "
            "resolution data."
        )
    if length == own:
        return IdentityConsolidator()
    if span == Resolution.DAILY and not isinstance(span, timedelta):
        from ..bars import TradeBar
        from ..quotes import QuoteBar

        taken = QuoteBar if quotes else TradeBar
        return MarketHourAwareConsolidator(strict, span, taken, None, extended)
    return kind(length)


_SIZED: dict[str, Any] = {
    "BaseData": TradeBarConsolidator,
    "QuoteBar": QuoteBarConsolidator,
    "RangeBar": RangeConsolidator,
    "RenkoBar": RenkoConsolidator,
    "TradeBar": TradeBarConsolidator,
    "VolumeRenkoBar": VolumeRenkoConsolidator,
}
"""Which consolidator LEAN makes for a type of bars and a size."""


def sized(kind: Any, size: Any) -> ConsolidatorBase:
    """What `self.consolidate(RenkoBar, symbol, size, None, handler)` means."""
    name = getattr(kind, "_name", None) or kind.__name__
    if name not in _SIZED:
        not_modelled("QCAlgorithm.consolidate", f"by size into {name}")
    made: ConsolidatorBase = _SIZED[name](size)
    return made


__all__ = [
    "NAMES", "ConsolidatorBase", "IdentityConsolidator", "QuoteBarConsolidator",
    "TradeBarConsolidator", "consolidator_for", "sized",
]  # fmt: skip
