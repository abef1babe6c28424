"""Volatility: size positions by how much prices move."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import one_asset, scheduled, several_assets
from qc_builder_lora.harvest.corpus.family import Family

VOLATILITY_TARGET = Family(
    name="volatility_target",
    theme="volatility",
    class_name="VolatilityTarget",
    parameters={"period": (10, 15, 20, 30, 40, 60), "target": (0.08, 0.1, 0.12, 0.15, 0.18, 0.2)},
    initialize=one_asset(
        "self._change = self.roc(self._symbol, 1)",
        "self._deviation = IndicatorExtensions.of(StandardDeviation($period), self._change)",
        warm_up="$period + 2",
    )
    + scheduled("self._symbol", "week_start"),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            volatility = max(self._deviation.current.value, 1e-9) * 252**0.5
            self.set_holdings(self._symbol, min(1.0, $target / volatility))
    """,
    phrasings=(
        "Hold $ticker sized to an annual volatility of $target_percent%, measured over $period days and adjusted weekly, without leverage.",
        "Volatility targeting on $ticker: target $target_percent%, window $period days, weekly.",
        "Write a strategy that scales the $ticker position so that its $period-day annualised volatility equals $target, capped at 100%, every week.",
        "strategy: volatility target\nsymbol: $ticker\ntarget_volatility: $target\nwindow: $period\nrebalance: weekly\nmax_weight: 1.0",
        "Each week set the weight of $ticker to $target_percent% divided by its $period day volatility, at most 1.",
        "Risk targeting: keep $ticker at $target_percent% yearly volatility using the last $period days.",
    ),
)

INVERSE_VOLATILITY = Family(
    name="inverse_volatility",
    theme="volatility",
    class_name="InverseVolatility",
    parameters={"period": (10, 15, 20, 30, 40, 60, 90, 120)},
    assets=(2, 4),
    initialize=several_assets(
        "self._atr = {s: self.atr(s, $period) for s in self._symbols}", warm_up="$period + 1"
    ),
    rest="""
        def _rebalance(self):
            if self.is_warming_up:
                return
            calm = {}
            for symbol in self._symbols:
                move = max(self._atr[symbol].current.value, 0.01)
                calm[symbol] = self.securities[symbol].price / move
            for symbol in self._symbols:
                self.set_holdings(symbol, calm[symbol] / sum(calm.values()))
    """,
    phrasings=(
        "Weight $tickers by the inverse of their $period-day average true range in percent of price and rebalance monthly.",
        "Inverse volatility portfolio of $tickers with ATR($period), monthly.",
        "Write a risk parity style algorithm: each month give $tickers weights proportional to price / ATR over $period days.",
        "strategy: inverse volatility\nuniverse: [$tickers]\nvolatility: atr\nwindow: $period\nrebalance: monthly",
        "Risk parity over $tickers: calmer names get more, measured by ATR($period), rebalanced each month.",
        "Allocate to $tickers inversely to volatility ($period day ATR) every month.",
    ),
)

FAMILIES = (VOLATILITY_TARGET, INVERSE_VOLATILITY)
