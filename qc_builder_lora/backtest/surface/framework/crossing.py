"""Alpha models on one indicator a security: EMA cross, MACD, RSI, historical returns."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..enums import MovingAverageType, Resolution
from ..indicators import (
    ExponentialMovingAverage,
    MovingAverageConvergenceDivergence,
    RateOfChange,
    RelativeStrengthIndex,
)
from .alphas import Remembering
from .insight import Insight, InsightDirection
from .periods import SPANS

UP, DOWN, FLAT = InsightDirection.UP, InsightDirection.DOWN, InsightDirection.FLAT


def watch(algorithm: Any, symbol: Any, indicator: Any, resolution: Any, *, warm: bool) -> None:
    """Feed an indicator with a security's bars, after those of the past where `warm`."""
    algorithm.register_indicator(symbol, indicator, resolution)
    if warm:
        algorithm.warm_up_indicator(symbol, indicator, resolution)


@both_styles
class SymbolData:
    """What a model keeps of one security."""

    def __init__(self, security: Any, **indicators: Any) -> None:
        self.security = security
        self.symbol = security.symbol
        self.indicators = list(indicators.values())
        self.__dict__.update(indicators)

    def forget(self, algorithm: Any) -> None:
        """Feed its indicators no more."""
        for indicator in self.indicators:
            algorithm.deregister_indicator(indicator)


class _BySecurity(Remembering):
    """Keeps SymbolData for every security of the universe."""

    resolution: Any = Resolution.DAILY
    past = 0
    """Bars of history that new indicators are fed, where they do not warm up on their own."""

    def __init__(self) -> None:
        self.symbol_data_by_symbol: dict[Any, Any] = {}

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        before = set(self.symbol_data_by_symbol)
        self._follow(algorithm, changes)
        fresh = [symbol for symbol in self.symbol_data_by_symbol if symbol not in before]
        if not fresh or not self.past:
            return
        for bars in algorithm.history[TradeBar](fresh, self.past, self.resolution):
            for symbol, bar in bars.items():
                for indicator in self.symbol_data_by_symbol[symbol].indicators:
                    indicator.update(bar.end_time, bar.close)

    def _follow(self, algorithm: Any, changes: Any) -> None:
        for security in changes.added_securities:
            known = self.symbol_data_by_symbol.get(security.symbol)
            if known is None:
                self.symbol_data_by_symbol[security.symbol] = self._begin(algorithm, security)
            else:
                self._again(known)
        for security in changes.removed_securities:
            known = self.symbol_data_by_symbol.pop(security.symbol, None)
            if known is not None:
                known.forget(algorithm)
            self._take_back(algorithm, security.symbol)

    def _begin(self, algorithm: Any, security: Any) -> Any:
        raise NotImplementedError

    def _again(self, known: Any) -> None:
        """A security that is there already was added once more."""


@both_styles
class EmaCrossAlphaModel(_BySecurity):
    """Up when the fast average crosses above the slow one, down when it crosses below."""

    def __init__(
        self, fast_period: int = 12, slow_period: int = 26, resolution: Any = Resolution.DAILY
    ) -> None:
        super().__init__()
        self.fast_period = fast_period
        self.slow_period = slow_period
        self.resolution = resolution
        self.prediction_interval = SPANS[resolution] * fast_period
        self.name = f"EmaCrossAlphaModel({fast_period},{slow_period},{resolution})"

    def update(self, algorithm: Any, data: Any) -> Any:
        found = []
        for known in self.symbol_data_by_symbol.values():
            fast, slow = known.fast.value, known.slow.value
            if known.fast.is_ready and known.slow.is_ready:
                if known.fast_is_over_slow and slow > fast:
                    found.append(Insight.price(known.symbol, self.prediction_interval, DOWN))
                elif not known.fast_is_over_slow and fast > slow:
                    found.append(Insight.price(known.symbol, self.prediction_interval, UP))
            known.fast_is_over_slow = fast > slow
        return found

    def _begin(self, algorithm: Any, security: Any) -> Any:
        fast = ExponentialMovingAverage(str(security.symbol), self.fast_period)
        slow = ExponentialMovingAverage(str(security.symbol), self.slow_period)
        made: Any = SymbolData(security, fast=fast, slow=slow)
        made.fast_is_over_slow = False
        for indicator in (fast, slow):
            watch(algorithm, security.symbol, indicator, self.resolution, warm=True)
        return made

    def _again(self, known: Any) -> None:
        known.fast.reset()
        known.slow.reset()


@both_styles
class MacdAlphaModel(_BySecurity):
    """Up or down by the MACD's signal line, where it is more than 1 % of the price."""

    bounce_threshold_percent = 0.01

    def __init__(
        self, fast_period: int = 12, slow_period: int = 26, signal_period: int = 9,
        moving_average_type: Any = MovingAverageType.EXPONENTIAL,
        resolution: Any = Resolution.DAILY,
    ) -> None:  # fmt: skip
        super().__init__()
        self._periods = (fast_period, slow_period, signal_period, moving_average_type)
        self.resolution = resolution
        self.insight_period = SPANS[resolution] * fast_period
        shown = ",".join(map(str, self._periods))
        self.name = f"MacdAlphaModel({shown},{resolution})"

    def update(self, algorithm: Any, data: Any) -> Any:
        found = []
        for known in self.symbol_data_by_symbol.values():
            if not known.security.price:
                continue
            share = known.macd.signal.value / known.security.price
            direction = FLAT
            if abs(share) > self.bounce_threshold_percent:
                direction = UP if share > 0 else DOWN
            if direction == known.previous_direction:
                continue
            known.previous_direction = direction
            if direction == FLAT:
                self._take_back(algorithm, known.symbol)
                continue
            found.append(Insight.price(known.symbol, self.insight_period, direction))
        return self._say(found)

    def _begin(self, algorithm: Any, security: Any) -> Any:
        macd = MovingAverageConvergenceDivergence(*self._periods)
        made: Any = SymbolData(security, macd=macd)
        made.previous_direction = None
        watch(algorithm, security.symbol, macd, self.resolution, warm=True)
        return made


@both_styles
class RsiAlphaModel(_BySecurity):
    """Up when Wilder's RSI falls below 30, down when it rises above 70."""

    def __init__(self, period: int = 14, resolution: Any = Resolution.DAILY) -> None:
        super().__init__()
        self.period = self.past = period
        self.resolution = resolution
        self.insight_period = SPANS[resolution] * period
        self.name = f"RsiAlphaModel({period},{resolution})"

    def update(self, algorithm: Any, data: Any) -> Any:
        found = []
        for symbol, known in self.symbol_data_by_symbol.items():
            state = _state(known.rsi.value, known.state)
            if state != known.state and known.rsi.is_ready and state:
                direction = UP if state < 0 else DOWN
                found.append(Insight.price(symbol, self.insight_period, direction))
            known.state = state
        return found

    def _begin(self, algorithm: Any, security: Any) -> Any:
        rsi = RelativeStrengthIndex(self.period, MovingAverageType.WILDERS)
        made: Any = SymbolData(security, rsi=rsi)
        made.state = 0
        # LEAN feeds it `period` bars, one less than it needs to be ready.
        watch(algorithm, security.symbol, rsi, self.resolution, warm=False)
        return made


def _state(rsi: float, before: int) -> int:
    """-1 low, 1 high, 0 between; it takes five points to come back from a threshold."""
    if rsi > 70:
        return 1
    if rsi < 30:
        return -1
    bounced = (before < 0 and rsi > 35) or (before > 0 and rsi < 65)
    return 0 if bounced else before


@both_styles
class HistoricalReturnsAlphaModel(_BySecurity):
    """Expects the return over the last `lookback` bars once more."""

    def __init__(self, lookback: int = 1, resolution: Any = Resolution.DAILY) -> None:
        super().__init__()
        self.lookback = self.past = lookback
        self.resolution = resolution
        self.prediction_interval = SPANS[resolution] * lookback
        self.name = f"HistoricalReturnsAlphaModel({lookback},{resolution})"

    def update(self, algorithm: Any, data: Any) -> Any:
        found = []
        for symbol, known in self.symbol_data_by_symbol.items():
            if not self._moved(known):
                continue
            magnitude = known.roc.value
            if magnitude == 0:
                self._take_back(algorithm, symbol)
                continue
            direction = UP if magnitude > 0 else DOWN
            found.append(Insight.price(symbol, self.prediction_interval, direction, magnitude))
        return self._say(found)

    def _moved(self, known: Any) -> bool:
        if known.previous == known.roc.samples:
            return False
        known.previous = known.roc.samples
        return bool(known.roc.is_ready)

    def _begin(self, algorithm: Any, security: Any) -> Any:
        roc = RateOfChange(f"{security.symbol}.ROC({self.lookback})", self.lookback)
        made: Any = SymbolData(security, roc=roc)
        made.previous = 0
        watch(algorithm, security.symbol, roc, self.resolution, warm=False)
        return made
