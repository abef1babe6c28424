"""Figures over the closed trades, under the keys of LEAN's JSON (`tradeStatistics`).

Formulas: LEAN's TradeStatistics. Figures are rounded to four decimals, as its JSON prints them;
durations are .NET time spans, `days.hours:minutes:seconds`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import fmean, median, stdev
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import utc_datetime
from qc_builder_lora.backtest.simulator.trades import Trade

_NO_LOSS = 10.0
"""What LEAN gives for a ratio whose divisor is nothing lost."""


def trade_statistics(trades: Sequence[Trade]) -> dict[str, Any]:
    """All figures; zero where there are no trades, as LEAN has it."""
    profits = [trade.profit for trade in trades]
    wins = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if not profit > 0]
    found: dict[str, Any] = {
        "startDateTime": _time(min((trade.entered for trade in trades), default=None)),
        "endDateTime": _time(max((trade.left for trade in trades), default=None)),
        "totalNumberOfTrades": len(trades),
        "numberOfWinningTrades": len(wins),
        "numberOfLosingTrades": len(losses),
    }
    found |= {key: _rounded(value) for key, value in _money(profits, wins, losses).items()}
    found |= _durations(trades)
    found |= _streaks(profits)
    found |= {key: _rounded(value) for key, value in _ratios(profits, wins, losses).items()}
    found |= {key: _rounded(value) for key, value in _excursions(trades).items()}
    found |= _drawdowns(trades, sum(profits))
    found["totalFees"] = _rounded(sum(trade.fees for trade in trades))
    return found


def _money(
    profits: Sequence[float], wins: Sequence[float], losses: Sequence[float]
) -> dict[str, float]:
    return {
        "totalProfitLoss": sum(profits),
        "totalProfit": sum(wins),
        "totalLoss": sum(losses),
        "largestProfit": max(wins, default=0.0),
        "largestLoss": min(losses, default=0.0),
        "averageProfitLoss": _mean(profits),
        "averageProfit": _mean(wins),
        "averageLoss": _mean(losses),
    }


def _durations(trades: Sequence[Trade]) -> dict[str, str]:
    spans = [trade.seconds for trade in trades]
    won = [trade.seconds for trade in trades if trade.profit > 0]
    lost = [trade.seconds for trade in trades if not trade.profit > 0]
    sets = (("Trade", spans), ("WinningTrade", won), ("LosingTrade", lost))
    found = {f"average{name}Duration": _span(_mean(chosen)) for name, chosen in sets}
    for name, chosen in sets:
        found[f"median{name}Duration"] = _span(median(chosen) if chosen else 0.0)
    return found


def _streaks(profits: Sequence[float]) -> dict[str, int]:
    runs = [(won, len(list(run))) for won, run in groupby(profits, lambda profit: profit > 0)]
    return {
        "maxConsecutiveWinningTrades": max((size for won, size in runs if won), default=0),
        "maxConsecutiveLosingTrades": max((size for won, size in runs if not won), default=0),
    }


def _ratios(
    profits: Sequence[float], wins: Sequence[float], losses: Sequence[float]
) -> dict[str, float]:
    win, loss = _mean(wins), _mean(losses)
    count, total = len(profits), sum(losses)
    win_rate = len(wins) / count if count else 0.0
    spread, downside = _deviation(profits), _deviation(losses)
    return {
        "profitLossRatio": win / abs(loss) if loss else 0.0,
        "winLossRatio": _over(len(wins), len(losses)) if count else 0.0,
        "winRate": win_rate,
        "lossRate": 1 - win_rate if count else 0.0,
        "profitLossStandardDeviation": spread,
        "profitLossDownsideDeviation": downside,
        "profitFactor": _over(sum(wins), -total) if sum(wins) else 0.0,
        "sharpeRatio": _mean(profits) / spread if spread else 0.0,
        "sortinoRatio": _mean(profits) / downside if downside else 0.0,
    }


def _over(gained: float, lost: float) -> float:
    return gained / lost if lost > 0 else _NO_LOSS


def _excursions(trades: Sequence[Trade]) -> dict[str, float]:
    worst = [trade.worst for trade in trades]
    best = [trade.best for trade in trades]
    return {
        "averageMAE": _mean(worst),
        "averageMFE": _mean(best),
        "largestMAE": min([0.0, *worst]),
        "largestMFE": max([0.0, *best]),
        "maximumEndTradeDrawdown": min([0.0, *(trade.given_back for trade in trades)]),
        "averageEndTradeDrawdown": _mean([trade.profit for trade in trades]) - _mean(best),
    }


def _drawdowns(trades: Sequence[Trade], total: float) -> dict[str, Any]:
    running = high = high_with_best = closed = within = 0.0
    longest, peak, falling = 0, trades[0].entered if trades else 0, False
    for trade in trades:
        high_with_best = max(high_with_best, running + trade.best)
        within = min(within, running + trade.worst - high_with_best)
        running += trade.profit
        if trade.profit > 0:
            if running > high:
                high = running
                longest = max(longest, trade.left - peak) if falling else longest
                peak, falling = trade.left, False
        else:
            closed = min(closed, running - high)
            falling = True
    return {
        "maximumClosedTradeDrawdown": _rounded(closed),
        "maximumIntraTradeDrawdown": _rounded(within),
        "profitToMaxDrawdownRatio": _rounded(_over(total, -closed) if total else 0.0),
        "maximumDrawdownDuration": _span(longest),
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _rounded(value: float) -> float:
    return round(value, 4) if math.isfinite(value) else 0.0


def _time(utc: int | None) -> str | None:
    return None if utc is None else utc_datetime(utc).isoformat().replace("+00:00", "Z")


def _span(seconds: float) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    whole, ticks = divmod(round(rest * 1e7), 10_000_000)
    text = f"{int(hours):02d}:{int(minutes):02d}:{whole:02d}"
    text = f"{int(days)}.{text}" if days else text
    return f"{text}.{ticks:07d}" if ticks else text
