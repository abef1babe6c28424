"""`self.statistics`: the backtest's figures so far, as the simulator works them out."""

from __future__ import annotations

from typing import Any

from .alias import both_styles
from .known import Lean


class PerformanceMetrics(Lean):
    """LEAN's keys of the summary, by name."""


for _key in (
    "Alpha", "Annual Standard Deviation", "Annual Variance", "Average Loss", "Average Win", "Beta",
    "Compounding Annual Return", "Drawdown", "Estimated Strategy Capacity", "Expectancy",
    "Start Equity", "End Equity", "Information Ratio", "Loss Rate", "Net Profit",
    "Probabilistic Sharpe Ratio", "Profit-Loss Ratio", "Sharpe Ratio", "Sortino Ratio",
    "Total Fees", "Total Orders", "Tracking Error", "Treynor Ratio", "Win Rate",
    "Lowest Capacity Asset", "Portfolio Turnover", "Drawdown Recovery",
):  # fmt: skip
    setattr(PerformanceMetrics, _key.upper().replace(" ", "_").replace("-", "_"), _key)
    setattr(PerformanceMetrics, _key.replace(" ", "").replace("-", ""), _key)


@both_styles
class StatisticsResults(Lean):
    """The summary, under LEAN's keys, and what the strategy has added to it."""

    def __init__(self, summary: dict[str, Any]) -> None:
        self.summary = summary
