"""Pairs trading: the ratio of two prices against its own average."""

from __future__ import annotations

from itertools import pairwise
from math import log, sqrt
from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..enums import Resolution
from ..indicators import ExponentialMovingAverage, Identity, IndicatorExtensions
from .alphas import AlphaModel
from .crossing import DOWN, UP
from .insight import Insight
from .periods import SPANS

MEAN_BARS = 500
"""The average's length, LEAN's."""


class Pair:
    """Two securities, their ratio and its average; insights when the ratio leaves the band."""

    def __init__(
        self, algorithm: Any, first: Any, second: Any, interval: Any, threshold: float
    ) -> None:
        self.assets = (first, second)
        self._interval = interval
        self._band = threshold / 100
        self._side = 0
        self._prices = _price(algorithm, first), _price(algorithm, second)
        self.ratio = IndicatorExtensions.over(self._prices[0], self._prices[1])
        self.mean = IndicatorExtensions.of(ExponentialMovingAverage(MEAN_BARS), self.ratio)

    def insights(self) -> list[Insight]:
        """A group of two when the ratio has just left the band on one side."""
        if not self.mean.is_ready:
            return []
        ratio, mean = self.ratio.value, self.mean.value
        if self._side != 1 and ratio > mean * (1 + self._band):
            self._side = 1
            return self._group(DOWN, UP)
        if self._side != -1 and ratio < mean * (1 - self._band):
            self._side = -1
            return self._group(UP, DOWN)
        return []

    def _group(self, *directions: Any) -> list[Insight]:
        made = [
            Insight.price(symbol, self._interval, direction)
            for symbol, direction in zip(self.assets, directions, strict=True)
        ]
        return Insight.group(*made)

    def forget(self, algorithm: Any) -> None:
        for price in self._prices:
            algorithm.deregister_indicator(price)


def _price(algorithm: Any, symbol: Any) -> Identity:
    made = Identity(f"{symbol}_close")
    algorithm.register_indicator(symbol, made)
    return made


@both_styles
class BasePairsTradingAlphaModel(AlphaModel):
    """Every pair of securities that passes a test."""

    def __init__(
        self, lookback: int = 1, resolution: Any = Resolution.DAILY, threshold: float = 1
    ) -> None:
        self.lookback = lookback
        self.resolution = resolution
        self.threshold = threshold
        self.prediction_interval = SPANS[resolution] * lookback
        self.pairs: dict[tuple[Any, Any], Pair] = {}
        self.securities: list[Any] = []
        self.name = f"{type(self).__name__}({lookback},{resolution},{threshold:g})"

    def update(self, algorithm: Any, data: Any) -> Any:
        return [insight for pair in self.pairs.values() for insight in pair.insights()]

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        self._follow(changes)
        self._update_pairs(algorithm)
        gone = {security.symbol for security in changes.removed_securities}
        for key in [key for key in self.pairs if gone & set(key)]:
            self.pairs.pop(key).forget(algorithm)

    def _follow(self, changes: Any) -> None:
        for security in changes.added_securities:
            if security not in self.securities:
                self.securities.append(security)
        for security in changes.removed_securities:
            if security in self.securities:
                self.securities.remove(security)

    def _symbols(self) -> list[Any]:
        return sorted(security.symbol for security in self.securities)

    def _update_pairs(self, algorithm: Any) -> None:
        symbols = self._symbols()
        for position, first in enumerate(symbols):
            for second in symbols[position + 1 :]:
                known = (first, second) in self.pairs or (second, first) in self.pairs
                if known or not self.has_passed_test(algorithm, first, second):
                    continue
                self.pairs[first, second] = Pair(
                    algorithm, first, second, self.prediction_interval, self.threshold
                )

    def has_passed_test(self, algorithm: Any, asset_1: Any, asset_2: Any) -> bool:
        """Whether two securities may be traded as a pair."""
        return True


@both_styles
class PearsonCorrelationPairsTradingAlphaModel(BasePairsTradingAlphaModel):
    """The one pair whose log returns correlate most."""

    def __init__(
        self, lookback: int = 15, resolution: Any = Resolution.MINUTE, threshold: float = 1,
        minimum_correlation: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__(lookback, resolution, threshold)
        self.minimum_correlation = minimum_correlation
        self.best_pair: tuple[Any, ...] = ()

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        self._follow(changes)
        self._choose(algorithm)
        super().on_securities_changed(algorithm, changes)

    def _choose(self, algorithm: Any) -> None:
        symbols = self._symbols()
        past = algorithm.history[TradeBar](symbols, self.lookback, self.resolution)
        rows = [bars for bars in past if len(bars) == len(symbols)]
        if len(rows) < 3 or len(symbols) < 2:
            algorithm.debug(
                "PearsonCorrelationPairsTradingAlphaModel.OnSecuritiesChanged(): The requested "
                "historical data does not have series of prices with the same date/time. Please "
                f"consider increasing the looback period. Current lookback: {self.lookback}"
            )
            return
        returns = {symbol: _log_returns([bars[symbol].close for bars in rows])
                   for symbol in symbols}  # fmt: skip
        best = None
        for position, first in enumerate(symbols):
            for second in symbols[position + 1 :]:
                found = _correlation(returns[first], returns[second])
                if best is None or found > best[0]:
                    best = (found, first, second)
        if best is not None and best[0] >= self.minimum_correlation:
            self.best_pair = best[1:]

    def has_passed_test(self, algorithm: Any, asset_1: Any, asset_2: Any) -> bool:
        return self.best_pair == (asset_1, asset_2)


def _log_returns(prices: list[float]) -> list[float]:
    logs = [log(price) for price in prices]
    return [after - before for before, after in pairwise(logs)]


def _correlation(left: list[float], right: list[float]) -> float:
    count = len(left)
    a, b = sum(left) / count, sum(right) / count
    cross = sum((x - a) * (y - b) for x, y in zip(left, right, strict=True))
    size = sqrt(sum((x - a) ** 2 for x in left) * sum((y - b) ** 2 for y in right))
    return cross / size if size else 0.0
