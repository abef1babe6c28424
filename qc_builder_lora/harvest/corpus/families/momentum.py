"""Momentum: hold what has risen, alone or against others."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import (
    long_or_flat,
    one_asset,
    several_assets,
)
from qc_builder_lora.harvest.corpus.family import Family

ABSOLUTE_MOMENTUM = Family(
    name="absolute_momentum",
    theme="momentum",
    class_name="AbsoluteMomentum",
    parameters={
        "lookback": (20, 30, 40, 60, 63, 90, 120, 126, 180, 252),
        "threshold": (0, 1, 2, 3, 5),
    },
    initialize=one_asset(
        "self._momentum = self.momp(self._symbol, $lookback)", warm_up="$lookback + 1"
    ),
    rest=long_or_flat("change > $threshold", "change < 0", "change = self._momentum.current.value"),
    phrasings=(
        "Buy $ticker when its $lookback-day return is above $threshold% and sell when the return turns negative.",
        "Time series momentum on $ticker, lookback $lookback days, entry threshold $threshold percent.",
        "Write an absolute momentum strategy: hold $ticker if its percentage change over $lookback days exceeds $threshold, get out when it is below zero.",
        "strategy: absolute momentum\nsymbol: $ticker\nlookback: $lookback\nentry_threshold_percent: $threshold\nexit: negative momentum",
        "Hold $ticker while it is up more than $threshold% over the last $lookback days, exit when it is down.",
        "Momentum strategy for $ticker with a $lookback day rate of change; in above $threshold%, out below 0.",
        "Trend by return: $ticker, $lookback days, long over $threshold percent.",
    ),
)

MOMENTUM_ROTATION = Family(
    name="momentum_rotation",
    theme="rotation",
    class_name="MomentumRotation",
    parameters={"lookback": (20, 40, 60, 63, 90, 120, 126, 180, 252), "top": (1, 2)},
    assets=(3, 4),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        warm_up="$lookback + 1",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            ranked = sorted(self._symbols, key=lambda s: -self._momentum[s].current.value)
            for symbol in ranked[$top:]:
                self.liquidate(symbol)
            for symbol in ranked[:$top]:
                self.set_holdings(symbol, 1.0 / $top)
    """,
    phrasings=(
        "Each month hold the top $top of $tickers by $lookback-day momentum, equally weighted.",
        "Monthly momentum rotation among $tickers: lookback $lookback days, keep the best $top.",
        "Write a relative strength rotation strategy. Universe: $tickers. At the start of every month rank by $lookback-day percentage change and invest equally in the strongest $top.",
        "strategy: momentum rotation\nuniverse: [$tickers]\nlookback: $lookback\nhold_top: $top\nrebalance: monthly",
        "At each month start, rotate into the $top best performing of $tickers over the last $lookback days and sell the rest.",
        "Rotate every month into the $top strongest of $tickers, strength being the return over $lookback days.",
        "Build me a strategy which every month puts the money in the $top of $tickers with the best return in the last $lookback days.",
        "Relative momentum: universe $tickers, rank on $lookback days, own the top $top, monthly.",
    ),
)

DUAL_MOMENTUM = Family(
    name="dual_momentum",
    theme="rotation",
    class_name="DualMomentum",
    parameters={"lookback": (40, 60, 63, 90, 120, 126, 180, 200, 252)},
    assets=(2, 3),
    initialize=several_assets(
        "self._momentum = {s: self.momp(s, $lookback) for s in self._symbols}",
        warm_up="$lookback + 1",
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            best = max(self._symbols, key=lambda s: self._momentum[s].current.value)
            for symbol in self._symbols:
                if symbol != best or self._momentum[best].current.value <= 0:
                    self.liquidate(symbol)
            if self._momentum[best].current.value > 0:
                self.set_holdings(best, 1.0)
    """,
    phrasings=(
        "Dual momentum: every month put everything into the best of $tickers over $lookback days, but only if its return is positive; otherwise stay in cash.",
        "Dual momentum between $tickers, lookback $lookback, cash when the winner is negative.",
        "Write an algorithm combining relative and absolute momentum on $tickers with a $lookback-day lookback, checked monthly.",
        "strategy: dual momentum\nuniverse: [$tickers]\nlookback: $lookback\nrebalance: monthly\ncash_filter: positive return",
        "Monthly, hold whichever of $tickers rose most in $lookback days, and cash if none rose.",
        "Antonacci style dual momentum with $tickers and $lookback days.",
    ),
)

FAMILIES = (ABSOLUTE_MOMENTUM, MOMENTUM_ROTATION, DUAL_MOMENTUM)
