"""Execution models that wait for a better price: below or above an average."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..enums import Resolution
from ..indicators import SimpleMovingAverage, StandardDeviation
from .execution import ExecutionModel, order
from .spelling import setting
from .statics import OrderSizing
from .target import PortfolioTargetCollection, on_the_way


class Patient(ExecutionModel):
    """Keeps targets until they are reached, and orders a part when the price is favourable."""

    def __init__(self, asynchronous: bool = True) -> None:
        super().__init__(asynchronous)
        self._targets = PortfolioTargetCollection()
        self._known: dict[Any, Any] = {}

    def execute(self, algorithm: Any, targets: Any) -> None:
        self._targets.add_range(targets)
        if self._targets.is_empty:
            return
        for target in self._targets.order_by_margin_impact(algorithm):
            wanted = OrderSizing.get_unordered_quantity(algorithm, target)
            known = self._known.get(target.symbol)
            if known is None:
                # LEAN leaves here, and keeps even the targets that are reached.
                return
            if known.is_ready and self.price_is_favorable(known, wanted):
                size = self._part(known.security, wanted)
                if size:
                    order(algorithm, self, target, size)
        self._targets.clear_fulfilled(algorithm)

    def price_is_favorable(self, data: Any, unordered_quantity: float) -> bool:
        raise NotImplementedError

    def _part(self, security: Any, wanted: float) -> float:
        raise NotImplementedError

    def is_safe_to_remove(self, algorithm: Any, symbol: Any) -> bool:
        """Whether nothing of a symbol is left to be done."""
        left = on_the_way(algorithm, symbol) or self._targets.contains_key(symbol)
        return not algorithm.portfolio[symbol].quantity and not left

    def _drop(self, algorithm: Any, changes: Any) -> None:
        for security in changes.removed_securities:
            known = self._known.get(security.symbol)
            if known is not None and self.is_safe_to_remove(algorithm, security.symbol):
                known.forget(algorithm)
                del self._known[security.symbol]


class _Band:
    """Average and deviation of one security's closes."""

    def __init__(self, algorithm: Any, security: Any, period: int, resolution: Any) -> None:
        self.security = security
        self.sma = SimpleMovingAverage(f"{security.symbol}", period)
        self.std = StandardDeviation(f"{security.symbol}", period)
        for indicator in (self.sma, self.std):
            algorithm.register_indicator(security.symbol, indicator, resolution)

    @property
    def is_ready(self) -> bool:
        return bool(self.std.is_ready)

    def feed(self, bar: TradeBar) -> None:
        self.sma.update(bar.end_time, bar.close)
        self.std.update(bar.end_time, bar.close)

    def forget(self, algorithm: Any) -> None:
        algorithm.deregister_indicator(self.sma)
        algorithm.deregister_indicator(self.std)


@both_styles
class StandardDeviationExecutionModel(Patient):
    """Orders while the price lies some deviations on the right side of its average."""

    def __init__(
        self, period: int = 60, deviations: float = 2, resolution: Any = Resolution.MINUTE,
        asynchronous: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(asynchronous)
        self.period = period
        self.deviations = deviations
        self.resolution = resolution

    maximum_order_value = setting("maximum_order_value", 20_000.0)

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        fresh = []
        for security in changes.added_securities:
            if security.symbol not in self._known:
                band = _Band(algorithm, security, self.period, self.resolution)
                self._known[security.symbol] = band
                fresh.append(security.symbol)
        if fresh:
            for bars in algorithm.history[TradeBar](fresh, self.period, self.resolution):
                for symbol, bar in bars.items():
                    self._known[symbol].feed(bar)
        self._drop(algorithm, changes)

    def price_is_favorable(self, data: Any, unordered_quantity: float) -> bool:
        away = self.deviations * data.std.value
        if unordered_quantity > 0:
            return bool(_bid(data.security) < data.sma.value - away)
        return bool(_ask(data.security) > data.sma.value + away)

    def _part(self, security: Any, wanted: float) -> float:
        return OrderSizing.get_order_size_for_maximum_value(
            security, self.maximum_order_value, wanted
        )


def _bid(security: Any) -> float:
    """The bid, or the price where there are no quotes, as in LEAN."""
    return float(getattr(security, "bid_price", 0.0) or security.price)


def _ask(security: Any) -> float:
    return float(getattr(security, "ask_price", 0.0) or security.price)


class _DayVwap:
    """Volume-weighted average price since the day's first bar, of the bars' typical prices."""

    warm_up_period = 0

    def __init__(self, algorithm: Any, security: Any) -> None:
        self.security = security
        self.name = f"VWAP({security.symbol})"
        self.value = 0.0
        self._date: Any = None
        self._volume = self._money = 0.0
        algorithm.register_indicator(security.symbol, self)

    @property
    def is_ready(self) -> bool:
        return True

    def feed_bar(self, bar: TradeBar) -> None:
        """Take one bar that trades; a filled one says nothing."""
        if bar.is_fill_forward:
            return
        end: datetime = bar.end_time
        if self._date != end.date():
            self._date, self._volume, self._money = end.date(), 0.0, 0.0
        self._volume += bar.volume
        self._money += (bar.high + bar.low + bar.close) / 3 * bar.volume
        self.value = self._money / self._volume if self._volume else bar.close

    def forget(self, algorithm: Any) -> None:
        algorithm.deregister_indicator(self)


@both_styles
class VolumeWeightedAveragePriceExecutionModel(Patient):
    """Orders a share of the volume while the price lies on the right side of the day's VWAP."""

    maximum_order_quantity_percent_volume = setting("maximum_order_quantity_percent_volume", 0.01)

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        for security in changes.added_securities:
            if security.symbol not in self._known:
                self._known[security.symbol] = _DayVwap(algorithm, security)
        self._drop(algorithm, changes)

    def price_is_favorable(self, data: Any, unordered_quantity: float) -> bool:
        if unordered_quantity > 0:
            return bool(_bid(data.security) < data.value)
        return bool(_ask(data.security) > data.value)

    def _part(self, security: Any, wanted: float) -> float:
        share = self.maximum_order_quantity_percent_volume
        return OrderSizing.get_order_size_for_percent_volume(security, share, wanted)
