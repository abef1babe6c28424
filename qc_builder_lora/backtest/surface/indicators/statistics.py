"""Dispersion, regression, risk and return over the last `period` values."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from math import log, sqrt
from typing import Any

from .arguments import Period
from .averages import SimpleMovingAverage
from .base import IndicatorBase
from .running import Running, Spread
from .windowed import Identity, LaterWindowIndicator, RateOfChange, WindowIndicator


class Variance(IndicatorBase):
    """The population variance of the last `period` values."""

    SHORT = "VAR"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._spread = Spread(self.period)

    def _next(self, time: datetime, value: float) -> float:
        return self._spread.add(value)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period


class StandardDeviation(Variance):
    """The population standard deviation of the last `period` values."""

    SHORT = "STD"

    def _next(self, time: datetime, value: float) -> float:
        return sqrt(self._spread.add(value))


class MeanAbsoluteDeviation(WindowIndicator):
    """The mean distance of the last `period` values from their mean."""

    SHORT = "MAD"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self.mean = SimpleMovingAverage(f"{self.name}_Mean", self.period)

    def _next(self, time: datetime, value: float) -> float:
        self.mean.feed(time, value)
        return super()._next(time, value)

    def _over(self, values: deque[float], value: float) -> float:
        if len(values) < 2:
            return 0.0
        mean = self.mean.value
        return sum(abs(item - mean) for item in values) / len(values)


def line(xs: Any, ys: Any) -> tuple[float, float]:
    """Intercept and slope of the least-squares line."""
    count = len(ys)
    middle_x, middle_y = sum(xs) / count, sum(ys) / count
    spread = sum((x - middle_x) ** 2 for x in xs)
    joint = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    slope = joint / spread if spread else float("nan")
    return middle_y - slope * middle_x, slope


class LeastSquaresMovingAverage(WindowIndicator):
    """Where the line through the last `period` values stands now."""

    SHORT = "LSMA"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self.intercept = Identity(f"{self.name}_Intercept")
        self.slope = Identity(f"{self.name}_Slope")
        self._xs = range(1, self.period + 1)

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples < self.period:
            return value
        intercept, slope = line(self._xs, values) if self.period > 1 else (value, 0.0)
        self.intercept.feed(self._ib_latest, intercept)
        self.slope.feed(self._ib_latest, slope)
        return intercept + slope * self.period


class TimeSeriesForecast(WindowIndicator):
    """Where that line will stand one step from now."""

    SHORT = "TSF"

    def _set_up(self, period: Period) -> None:
        if period < 2:
            raise ValueError("TimeSeriesForecast: period must be greater than 1")
        super()._set_up(period)
        self._xs = range(1, self.period + 1)

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples < self.period:
            return 0.0
        intercept, slope = line(self._xs, values)
        return intercept + slope * (self.period + 1)


class HurstExponent(WindowIndicator):
    """The slope of log deviation over log lag: below 0.5 returning, above it trending."""

    SHORT = "HE"

    def _set_up(self, period: Period, max_lag: int = 20) -> None:
        if max_lag < 2:
            raise ValueError(
                "The maxLag parameter must be greater than 2 to compute the Hurst Exponent."
            )
        super()._set_up(period)
        self._lags = range(2, max_lag)
        self._logs = [log(lag) for lag in self._lags]

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples < self.period:
            return 0.0
        items = list(values)
        spreads = [_log_deviation(items, lag) for lag in self._lags]
        return line(self._logs, spreads)[1]


def _log_deviation(items: list[float], lag: int) -> float:
    """Of the differences over a lag; 0 where there is no deviation."""
    changes = [new - old for new, old in zip(items[lag:], items, strict=False)]
    if not changes:
        return 0.0
    mean = sum(changes) / len(changes)
    variance = sum((change - mean) ** 2 for change in changes) / len(changes)
    return log(sqrt(variance)) if variance > 0 else 0.0


class ValueAtRisk(WindowIndicator):
    """The return that is undercut in 1 - confidence of the days, if returns are normal."""

    SHORT = "VaR"

    def _set_up(self, period: Period, confidence_level: float) -> None:  # type: ignore[override]
        if period < 3:
            raise ValueError(
                "Period parameter for ValueAtRisk indicator must be greater than 2 "
                f"but was {period}"
            )
        # Imported here: it costs ten milliseconds that few strategies need.
        from statistics import NormalDist

        super()._set_up(period)
        # It is ready with two returns, however long its period.
        self.warm_up_period = 3
        self._factor = NormalDist().inv_cdf(1 - confidence_level)
        self._spread = Spread(self.period)
        self._last = 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.warm_up_period

    def _next(self, time: datetime, value: float) -> float:
        last, self._last = self._last, value
        if self.samples < 2:
            return 0.0
        variance = self._spread.add(value / last - 1 if last else 0.0)
        count = len(self._spread.values)
        if count < 2:
            return 0.0
        mean = sum(self._spread.values) / count
        return mean + self._factor * sqrt(variance * count / (count - 1))


class TargetDownsideDeviation(LaterWindowIndicator):
    """The root mean square of the returns below the least acceptable one."""

    SHORT = "TDD"

    def _set_up(self, period: Period, minimum_acceptable_return: float = 0.0) -> None:
        super()._set_up(period)
        self._least = float(minimum_acceptable_return)
        self._squares = Running(self.period)
        self._last: float | None = None

    def _next(self, time: datetime, value: float) -> float:
        last, self._last = self._last, value
        if last is None:
            return 0.0
        change = (value - last) / last if last else 0.0
        total = self._squares.add(min(0.0, change - self._least) ** 2)
        return sqrt(max(total, 0.0) / len(self._squares.values))


def rate_of(free: Any, time: datetime) -> float:
    """The interest rate that a number, or a model in either spelling, gives for a moment."""
    for name in ("get_interest_rate", "GetInterestRate"):
        if hasattr(free, name):
            return float(getattr(free, name)(time))
    return float(free)


class SharpeRatio(IndicatorBase):
    """The mean return above the risk-free rate, over the deviation of the returns."""

    SHORT = "SR"

    SET_UPS: tuple[str, ...] = ("_set_up", "_set_up_model")

    def _set_up_model(self, period: Period, risk_free_rate_model: Any) -> None:
        self._set_up(period, risk_free_rate_model)

    def _set_up(self, period: Period, risk_free_rate: Any = 0.0) -> None:
        self.period = int(period)
        self.warm_up_period = self.period + 2
        self._free = risk_free_rate
        self._change = RateOfChange(1)
        self._mean = SimpleMovingAverage(self.period)
        self._spread: Any = Spread(self.period)

    @property
    def is_ready(self) -> bool:
        # One sample later than its parts: LEAN asks for more than `period` ratios.
        return self.samples > self.period + 1

    def _next(self, time: datetime, value: float) -> float:
        if not self._change.feed(time, value):
            return 0.0
        self._mean.feed(time, self._change.value)
        deviation = self._deviation(self._change.value)
        if deviation == 0:
            return self.value
        return (self._mean.value - self._rate(time)) / deviation

    def _deviation(self, change: float) -> float:
        return sqrt(self._spread.add(change))

    def _rate(self, time: datetime) -> float:
        return rate_of(self._free, time)


class SortinoRatio(SharpeRatio):
    """As the Sharpe ratio, over the deviation below the least acceptable return."""

    SHORT = "SORTINO"
    SET_UPS: tuple[str, ...] = ("_set_up",)

    def _set_up(self, period: Period, minimum_acceptable_return: float = 0.0) -> None:
        super()._set_up(period, float(minimum_acceptable_return))
        self._least = float(minimum_acceptable_return)
        self._spread = Running(self.period)

    def _deviation(self, change: float) -> float:
        total = self._spread.add(min(0.0, change - self._least) ** 2)
        return sqrt(max(total, 0.0) / len(self._spread.values))


class Momersion(WindowIndicator):
    """The share, in percent, of steps that go on in the direction of the step before."""

    SHORT = "Momersion"
    SET_UPS = ("_set_up", "_set_up_full")

    def _set_up(self, min_period: int | None, full_period: Period) -> None:  # type: ignore[override]
        if min_period is not None and min_period < 4:
            raise ValueError("The minimum period should be 4.")
        super()._set_up(full_period)
        self._least = min_period
        self.warm_up_period = self.period + 3 if min_period is None else min_period + 2
        self._last: deque[float] = deque(maxlen=3)

    def _set_up_full(self, full_period: Period) -> None:
        self._set_up(None, full_period)

    @property
    def is_ready(self) -> bool:
        # One product of steps more than the window holds, unless a minimum was given.
        if self._least is None:
            return self.samples >= self.period + 3
        return len(self._values) >= self._least

    def _next(self, time: datetime, value: float) -> float:
        last, values = self._last, self._values
        last.append(value)
        if len(last) == 3:
            values.append((last[2] - last[1]) * (last[1] - last[0]))
        if not self.is_ready or sum(item == 0 for item in values) >= 0.5 * len(values):
            return 50.0
        on, back = sum(item > 0 for item in values), sum(item < 0 for item in values)
        return 100 * on / (on + back)


class MomersionIndicator(Momersion):
    """LEAN's older name of Momersion."""


class AugenPriceSpike(IndicatorBase):
    """The last change in standard deviations of the log returns before it."""

    SHORT = "APS"

    def _set_up(self, period: Period = 3) -> None:
        if period < 3:
            raise ValueError("AugenPriceSpike Indicator must have a period of at least 3")
        self.period = self.warm_up_period = int(period)
        self._spread = Spread(self.period - 2)
        self._last: deque[float] = deque(maxlen=3)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next(self, time: datetime, value: float) -> float:
        self._last.append(value)
        if len(self._last) < 3:
            return 0.0
        older, old, new = self._last
        self._spread.add(log(old / older) if older else 0.0)
        reach = self._spread.deviation * old
        return (new - old) / reach if self.is_ready and reach else 0.0
