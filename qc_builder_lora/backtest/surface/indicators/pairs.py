"""Two symbols against each other: beta, alpha, correlation, covariance, a line through both."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from itertools import pairwise
from math import isnan
from typing import Any

from ..enums import enum
from ..symbol import ticker_of
from .arguments import Period
from .derived import BarIndicator
from .statistics import line, rate_of
from .windowed import Identity, RateOfChange

_PEARSON = enum("CorrelationType").PEARSON


class MultiSymbolIndicator(BarIndicator):
    """Moves when a bar of every symbol has come for the same moment."""

    def _watch(self, symbols: list[Any]) -> None:
        self._keys = [ticker_of(symbol) for symbol in symbols]
        self._arrived: dict[str, Any] = {}
        self._seen: dict[str, datetime] = {}
        self._unit = timedelta()
        self._found = 0.0

    def feed_bar(self, bar: Any) -> bool:
        """Take a bar of one of the symbols; the clock of each goes forward by itself."""
        key = ticker_of(bar.symbol)
        if key not in self._keys:
            raise ValueError(
                f"Input symbol {bar.symbol} does not correspond to any of the symbols this "
                f"indicator works on ({', '.join(self._keys)})"
            )
        before = self._arrived.get(key)
        if before is not None and (bar is before or bar.end_time < before.end_time):
            return self.is_ready
        self._arrived[key] = bar
        self.samples += 1
        self._moved(bar.end_time, self._next_bar(bar))
        return self.is_ready

    def _next_bar(self, bar: Any) -> float:
        if self.samples == 1:
            self._unit = _unit(bar.end_time - bar.time)
            return 0.0
        if len(self._arrived) == len(self._keys) and self._together():
            self._found = self._compute([self._arrived[key] for key in self._keys])
        return self._found

    def _together(self) -> bool:
        moments = {_floor(bar.end_time, self._unit) for bar in self._arrived.values()}
        return len(moments) == 1

    def _compute(self, bars: list[Any]) -> float:
        raise NotImplementedError


def _unit(length: timedelta) -> timedelta:
    """The resolution that a bar's length stands for."""
    if length > timedelta(hours=1):
        return timedelta(days=1)
    for unit in (timedelta(hours=1), timedelta(minutes=1)):
        if length >= unit:
            return unit
    return timedelta(seconds=1)


def _floor(moment: datetime, unit: timedelta) -> datetime:
    beginning = datetime.min
    return moment - (moment - beginning) % unit


class DualSymbolIndicator(MultiSymbolIndicator):
    """A target and the reference it is held against, by their closes."""

    SET_UPS: tuple[str, ...] = ("_set_up", "_set_up_period_first")

    def _set_up(self, target_symbol: Symbol, reference_symbol: Symbol, period: Period) -> None:
        self._watch([target_symbol, reference_symbol])
        self.period = int(period)
        if period < 2:
            raise ValueError(
                f"Period parameter for {type(self).__name__} indicator must be greater than 2 "
                f"but was {period}"
            )
        self.warm_up_period = self._needed()
        self._targets: deque[float] = deque(maxlen=self.warm_up_period)
        self._references: deque[float] = deque(maxlen=self.warm_up_period)

    def _set_up_period_first(
        self, period: Period, target_symbol: Symbol, reference_symbol: Symbol
    ) -> None:
        self._set_up(target_symbol, reference_symbol, period)

    def _needed(self) -> int:
        return self.period

    @property
    def is_ready(self) -> bool:
        return len(self._targets) == self.warm_up_period

    def _compute(self, bars: list[Any]) -> float:
        self._targets.append(bars[0].close)
        self._references.append(bars[1].close)
        return self._relate(list(self._targets), list(self._references))

    def _relate(self, targets: list[float], references: list[float]) -> float:
        raise NotImplementedError


Symbol = Any
"""A Symbol, ticker or security."""


def _returns(closes: list[float]) -> list[float]:
    return [new / old - 1 if old else -1.0 for old, new in pairwise(closes)]


def covariance(ones: list[float], others: list[float]) -> float:
    """The sample covariance; NaN of less than two."""
    count = len(ones)
    if count < 2:
        return float("nan")
    mean, middle = sum(ones) / count, sum(others) / count
    pairs = zip(ones, others, strict=True)
    return sum((one - mean) * (other - middle) for one, other in pairs) / (count - 1)


class Beta(DualSymbolIndicator):
    """The covariance of the returns over the variance of the reference's."""

    SHORT = "B"

    def _needed(self) -> int:
        return self.period + 1

    def _relate(self, targets: list[float], references: list[float]) -> float:
        ones, others = _returns(targets), _returns(references)
        joint, spread = covariance(ones, others), covariance(others, others)
        joint = 0.0 if isnan(joint) else joint
        return joint / (1.0 if isnan(spread) or spread == 0 else spread)


class Covariance(DualSymbolIndicator):
    """The sample covariance of the returns."""

    SHORT = "COV"

    def _needed(self) -> int:
        return self.period + 1

    def _relate(self, targets: list[float], references: list[float]) -> float:
        joint = covariance(_returns(targets), _returns(references))
        return 0.0 if isnan(joint) else joint


class Correlation(DualSymbolIndicator):
    """The correlation of the closes themselves, Pearson's or Spearman's."""

    SET_UPS: tuple[str, ...] = ("_set_up",)

    def _set_up(
        self,
        target_symbol: Symbol,
        reference_symbol: Symbol,
        period: Period,
        correlation_type: CorrelationType = _PEARSON,
    ) -> None:
        super()._set_up(target_symbol, reference_symbol, period)
        self._ranked = correlation_type != _PEARSON

    def _relate(self, targets: list[float], references: list[float]) -> float:
        if self._ranked:
            targets, references = _ranks(targets), _ranks(references)
        joint = covariance(targets, references)
        spread = covariance(targets, targets) * covariance(references, references)
        return joint / spread**0.5 if spread > 0 else 0.0


CorrelationType = Any


def _ranks(values: list[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]


class LeastSquaresMovingAverageWithReference(DualSymbolIndicator):
    """Where the line of the target's closes on the reference's stands at the newest of those."""

    SHORT = "LSMA"
    SET_UPS: tuple[str, ...] = ("_set_up",)

    def _set_up(self, target_symbol: Symbol, reference_symbol: Symbol, period: Period) -> None:
        super()._set_up(target_symbol, reference_symbol, period)
        self.intercept = Identity(f"{self.name}_Intercept")
        self.slope = Identity(f"{self.name}_Slope")

    def _relate(self, targets: list[float], references: list[float]) -> float:
        if not self.is_ready:
            return targets[-1]
        intercept, slope = line(references, targets)
        if isnan(slope):
            return targets[-1]
        moment = self._arrived[self._keys[0]].end_time
        self.intercept.feed(moment, intercept)
        self.slope.feed(moment, slope)
        return intercept + slope * references[-1]


class Alpha(BarIndicator):
    """The target's return above what its beta makes of the reference's (the CAPM)."""

    SHORT = "ALPHA"
    SET_UPS: tuple[str, ...] = ("_set_up", "_set_up_same", "_set_up_model", "_set_up_same_model")

    def _set_up(
        self,
        target_symbol: Symbol,
        reference_symbol: Symbol,
        alpha_period: Period,
        beta_period: Period,
        risk_free_rate: Any = None,
    ) -> None:
        if ticker_of(target_symbol) == ticker_of(reference_symbol):
            raise ValueError("The target and reference symbols cannot be the same.")
        if beta_period < 2:
            raise ValueError("The beta period must be equal or greater than 2.")
        self._keys = [ticker_of(target_symbol), ticker_of(reference_symbol)]
        self._period = int(alpha_period)
        self._free = 0.0 if risk_free_rate is None else risk_free_rate
        self._changes = [RateOfChange(self._period), RateOfChange(self._period)]
        self._beta = Beta(f"{self.name}_Beta", target_symbol, reference_symbol, beta_period)
        self.warm_up_period = max(self._period, int(beta_period)) + 1
        self._found = 0.0

    def _set_up_same(
        self,
        target_symbol: Symbol,
        reference_symbol: Symbol,
        period: Period,
        risk_free_rate: Any = None,
    ) -> None:
        self._set_up(target_symbol, reference_symbol, period, period, risk_free_rate)

    def _set_up_model(
        self,
        target_symbol: Symbol,
        reference_symbol: Symbol,
        alpha_period: Period,
        beta_period: Period,
        risk_free_rate_model: Any,
    ) -> None:
        self._set_up(
            target_symbol, reference_symbol, alpha_period, beta_period, risk_free_rate_model
        )

    def _set_up_same_model(
        self,
        target_symbol: Symbol,
        reference_symbol: Symbol,
        period: Period,
        risk_free_rate_model: Any,
    ) -> None:
        self._set_up_same(target_symbol, reference_symbol, period, risk_free_rate_model)

    @property
    def is_ready(self) -> bool:
        return self._beta.is_ready and all(change.is_ready for change in self._changes)

    def feed_bar(self, bar: Any) -> bool:
        """Take a bar of one of the two."""
        key = ticker_of(bar.symbol)
        if key not in self._keys:
            raise ValueError(f"The input symbol {key} is not the target or reference symbol.")
        self.samples += 1
        self._changes[self._keys.index(key)].feed(bar.end_time, bar.close)
        self._beta.feed_bar(bar)
        target, reference = self._changes
        if target.samples == reference.samples:
            self._found = self._alpha(bar.end_time) if self.is_ready else 0.0
        self._moved(bar.end_time, self._found)
        return self.is_ready

    def _alpha(self, time: datetime) -> float:
        # LEAN takes the rate as it is, a year's against a period's returns.
        rate = rate_of(self._free, time)
        target, reference = (change.value / self._period for change in self._changes)
        return target - (rate + self._beta.value * (reference - rate))
