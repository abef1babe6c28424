"""Do LEAN's printed statistics agree with the figures they were printed from?

A strategy may add summary statistics of its own, `Sharpe Ratio` among them: what it says then
stands where LEAN's own figure stood. The portfolio's statistics beside them are out of its reach.
Compares what both have; says nothing of what only one has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qc_builder_lora.backtest.lean_series import entry, number_of

# LEAN's key, the key of the portfolio's figure, by how much the printed one is larger, and how far
# rounding takes them apart: both are rounded, the figures to four digits.
_PRINTED = (
    ("Sharpe Ratio", "sharpeRatio", 1.0, 0.002),
    ("Sortino Ratio", "sortinoRatio", 1.0, 0.002),
    ("Compounding Annual Return", "compoundingAnnualReturn", 100.0, 0.02),
    ("Net Profit", "totalNetProfit", 100.0, 0.02),
    ("Drawdown", "drawdown", 100.0, 0.15),
    ("End Equity", "endEquity", 1.0, 0.02),
)


def contradiction(statistics: Mapping[str, str], portfolio: Any) -> str | None:
    """What a printed statistic and its figure say, where they differ; None where they do not."""
    if not isinstance(portfolio, Mapping):
        return None
    for key, name, scale, apart in _PRINTED:
        said, figure = figure_of(statistics.get(key)), number_of(entry(portfolio, name))
        if said is None or figure is None:
            continue
        if abs(said - figure * scale) > apart + 1e-6 * abs(said):
            return (
                f"the statistics say {key!r} is {statistics[key]}, the portfolio's figure is "
                f"{figure:g}: a strategy can set the first, so none of them is trusted"
            )
    return None


def figure_of(text: str | None) -> float | None:
    """The number of `4.486%`, `$3.49` or `1,234`."""
    return number_of((text or "").strip().strip("%$").replace(",", ""))
