"""A benchmark's price while its exchange is open, out of hourly bars and what a strategy sees."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from qc_builder_lora.backtest.simulator.calendar import DAY

if TYPE_CHECKING:
    from qc_builder_lora.backtest.simulator.engine import Engine
    from qc_builder_lora.backtest.simulator.feed import Series


def midday_price(ticker: str, hourly: Series | None, engine: Engine) -> float | None:
    """Today's last price by now; None where today has none.

    LEAN feeds a benchmark by the hour, and a strategy's own finer bars move it too.
    """
    now = engine.now.exchange
    found, ended = None, now // DAY * DAY
    if hourly is not None:
        row = bisect_right(hourly.bars.ends, now) - 1
        if row >= 0 and hourly.bars.ends[row] > ended:
            found, ended = hourly.close[row], hourly.bars.ends[row]
    for item in engine.securities:
        bar = item.bar if item.ticker == ticker.upper() else None
        if bar is not None and bar.end > ended:
            found, ended = bar.close, bar.end
    return found
