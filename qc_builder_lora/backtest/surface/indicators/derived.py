"""Indicators that only carry what another one computes: a band, a line, a component."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from .base import IndicatorBase, IndicatorDataPoint


class Derived(IndicatorBase):
    """Holds values that its owner feeds; ready when the owner says so."""

    def __init__(self, name: str, ready: Callable[[], bool]) -> None:
        self._begin(name)
        self._ready = ready

    def _next(self, time: datetime, value: float) -> float:
        return value

    @property
    def is_ready(self) -> bool:
        return self._ready()


class BarIndicator(IndicatorBase):
    """Base of the indicators that need whole bars."""

    TAKES_BARS = True


class TradeBarIndicator(BarIndicator):
    """Base of the indicators that need volume as well."""


class FunctionalIndicator(IndicatorBase):
    """Computes and is ready as two functions say."""

    def __class_getitem__(cls, kind: Any) -> type[FunctionalIndicator]:
        return cls

    def _set_up(
        self,
        compute_next_value: Callable[[Any], float],
        is_ready: Callable[[Any], bool],
        reset: Any = None,
    ) -> None:
        self._compute, self._is_ready, self._on_reset = compute_next_value, is_ready, reset

    def _next(self, time: datetime, value: float) -> float:
        return float(self._compute(IndicatorDataPoint(self._ib_symbol, time, value)))

    def feed_bar(self, bar: Any) -> bool:
        """Hand the whole bar to the function."""
        self.samples += 1
        self._moved(bar.end_time, float(self._compute(bar)))
        return self.is_ready

    @property
    def is_ready(self) -> bool:
        return bool(self._is_ready(self))

    def reset(self) -> None:
        """Also calls the function that was given for it."""
        super().reset()
        if self._on_reset is not None:
            self._on_reset()


class ConstantIndicator(IndicatorBase):
    """Always the same value, always ready."""

    def __class_getitem__(cls, kind: Any) -> type[ConstantIndicator]:
        return cls

    def _set_up(self, value: float) -> None:
        self._constant = self.value = float(value)

    def _next(self, time: datetime, value: float) -> float:
        return self._constant

    @property
    def is_ready(self) -> bool:
        return True


class FilteredIdentity(IndicatorBase):
    """The last input that a function let through."""

    def _label(self, values: list[Any]) -> str:
        return type(self).__name__

    def _set_up(self, filter: Any = None) -> None:  # noqa: A002
        self._filter = filter

    def feed_bar(self, bar: Any) -> bool:
        """Take one bar, or a point."""
        if bar.end_time < self._ib_latest or bar is self._ib_bar:
            return self.is_ready
        self._ib_latest, self._ib_bar = bar.end_time, bar
        self.samples += 1
        passed = self._filter is None or bool(self._filter(bar))
        self._moved(bar.end_time, bar.value if passed else self.value)
        return self.is_ready

    def feed(self, time: datetime, value: float) -> bool:
        """Take one value."""
        return self.feed_bar(IndicatorDataPoint(self._ib_symbol, time, value))

    def _update(self, item: Any) -> bool:
        return self.feed_bar(item)
