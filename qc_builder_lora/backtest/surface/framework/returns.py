"""Past returns of the securities that an optimising model weighs: a window for each of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..indicators import IndicatorDataPoint, RateOfChange, RollingWindow
from ..known import Lean, not_modelled


def numpy() -> Any:
    """The library, or `unknown`: LEAN always has it."""
    try:
        from importlib import import_module

        return import_module("numpy")
    except ImportError:
        not_modelled("numpy", "is not installed beside the simulator")


@both_styles
class ReturnsSymbolData(Lean):
    """The last `period` returns over `lookback` bars each, newest first."""

    def __init__(self, symbol: Any, lookback: int, period: int) -> None:
        self.symbol = symbol
        self.roc = RateOfChange(f"{symbol}.ROC({lookback})", lookback)
        self._window = RollingWindow(period)
        self.roc.follow(self._moved)

    def _moved(self, time: datetime, value: float) -> None:
        if self.roc.is_ready:
            self._window.add(IndicatorDataPoint(time, value))

    def update(self, time: datetime, value: float) -> bool:
        return self.roc.feed(time, value)

    def add(self, time: datetime, value: float) -> None:
        """Put a return in front, one a moment."""
        if self._window.count and self._window[0].time == time:
            return
        self._window.add(IndicatorDataPoint(time, value))

    def reset(self) -> None:
        self.roc.reset()
        self._window.reset()

    @property
    def size(self) -> int:
        return self._window.size

    @property
    def returns(self) -> dict[datetime, float]:
        return {point.time: point.value for point in self._window}


def follow_returns(
    known: dict[Any, ReturnsSymbolData], algorithm: Any, changes: Any, lookback: int, period: int,
    resolution: Any,
) -> list[Any]:  # fmt: skip
    """Drop what left, fill what came with the past; gives the new symbols."""
    for security in changes.removed_securities:
        gone = known.pop(security.symbol, None)
        if gone is not None:
            gone.reset()
    fresh = [item.symbol for item in changes.added_securities if item.symbol not in known]
    for symbol in fresh:
        known[symbol] = ReturnsSymbolData(symbol, lookback, period)
    if fresh:
        for bars in algorithm.history[TradeBar](fresh, lookback * period, resolution):
            for symbol, bar in bars.items():
                known[symbol].update(bar.end_time, bar.close)
    return fresh


def returns_matrix(known: dict[Any, ReturnsSymbolData], symbols: list[Any]) -> Any:
    """Times by symbols, newest first, without rows that lack a return or are all zero.

    By date where the windows agree on their dates, else by position, as in LEAN.
    """
    np = numpy()
    columns = [known[symbol].returns for symbol in symbols if symbol in known]
    longest = max((data.size for data in known.values()), default=0)
    dates = list(dict.fromkeys(time for column in columns for time in column))
    if len(dates) == longest:
        rows = [[column.get(time, np.nan) for column in columns] for time in dates]
    else:
        values = [list(column.values()) for column in columns]
        rows = [[row[i] if i < len(row) else np.nan for row in values] for i in range(longest)]
    matrix = np.array(rows, dtype=float).reshape(len(rows), len(columns))
    sizes = np.abs(matrix).sum(axis=1)
    return matrix[~np.isnan(sizes) & (sizes != 0)]


def covariance(returns: Any) -> Any:
    """Of columns, unbiased; a matrix even for one column."""
    np = numpy()
    return np.atleast_2d(np.cov(np.asarray(returns, dtype=float), rowvar=False))
