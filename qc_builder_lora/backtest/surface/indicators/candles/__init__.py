"""LEAN's candlestick patterns: `CLASSES` holds every one, by name."""

from __future__ import annotations

from typing import Any

from . import longer, ones, pattern, stars, threes, twos
from .pattern import CandleSetting, CandleSettings, CandlestickPattern

__all__ = ["CLASSES", "PATTERNS", "CandleSetting", "CandleSettings", "CandlestickPattern"]

PATTERNS: dict[str, type[CandlestickPattern]] = {
    name: thing
    for module in (ones, twos, threes, stars, longer)
    for name, thing in vars(module).items()
    if isinstance(thing, type) and thing.__module__ == module.__name__ and name[0] != "_"
}
CLASSES: dict[str, type[Any]] = {
    **PATTERNS,
    "CandleSetting": pattern.CandleSetting,
    "CandleSettings": pattern.CandleSettings,
    "CandlestickPattern": pattern.CandlestickPattern,
}
