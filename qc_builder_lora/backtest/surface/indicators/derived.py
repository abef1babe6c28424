"""Indicators that only carry what another one computes: a band, a line, a component."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from .base import IndicatorBase


class Derived(IndicatorBase):
    """Holds values that its owner feeds; ready when the owner says so."""

    def __init__(self, name: str, ready: Callable[[], bool]) -> None:
        super().__init__(name)
        self._ready = ready

    def _next(self, time: datetime, value: float) -> float:
        return value

    @property
    def is_ready(self) -> bool:
        return self._ready()


class BarIndicator(IndicatorBase):
    """Base of the indicators that need whole bars."""

    TAKES_BARS = True


TradeBarIndicator = BarIndicator
