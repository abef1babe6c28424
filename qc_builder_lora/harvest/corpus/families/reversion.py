"""Mean reversion: buy what has fallen too far, sell when it has come back."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import PRICE, long_or_flat, one_asset
from qc_builder_lora.harvest.corpus.family import Family

RSI_REVERSION = Family(
    name="rsi_reversion",
    theme="mean reversion",
    class_name="RsiReversion",
    parameters={
        "period": (2, 3, 5, 7, 10, 14),
        "low": (10, 15, 20, 25, 30, 35),
        "high": (50, 55, 60, 65, 70, 75),
    },
    # Wilder's average remembers far more than its period: it is warmed up for several of them.
    initialize=one_asset("self._rsi = self.rsi(self._symbol, $period)", warm_up="$period * 5"),
    rest=long_or_flat("rsi < $low", "rsi > $high", "rsi = self._rsi.current.value"),
    phrasings=(
        "Buy $ticker when the $period-day RSI is below $low and sell when it rises above $high.",
        "RSI mean reversion on $ticker: period $period, oversold $low, exit $high.",
        "Write a QuantConnect algorithm that buys oversold $ticker (RSI($period) under $low) and closes the position once RSI is over $high.",
        "strategy: rsi mean reversion\nsymbol: $ticker\nrsi_period: $period\nbuy_below: $low\nsell_above: $high",
        "Mean reversion on $ticker with a relative strength index of $period days. Enter under $low, leave over $high. Long only.",
        "Long $ticker when RSI($period) drops under $low, exit when it climbs above $high.",
        "Trade $ticker by the relative strength index: buy at $low, sell at $high, lookback $period.",
        "If RSI($period) of $ticker < $low go all in; if it is > $high go to cash.",
        "Create a strategy for $ticker using the RSI indicator with period $period, lower threshold $low and upper threshold $high.",
        "Oversold bounce: $ticker, $period period RSI, entry below $low, profit taking above $high.",
    ),
)

BOLLINGER_REVERSION = Family(
    name="bollinger_reversion",
    theme="mean reversion",
    class_name="BollingerReversion",
    parameters={"period": (10, 15, 20, 25, 30, 40), "width": (1.0, 1.5, 2.0, 2.5)},
    initialize=one_asset("self._bands = self.bb(self._symbol, $period, $width)", warm_up="$period"),
    rest=long_or_flat(
        "price < lower",
        "price > middle",
        PRICE,
        "lower = self._bands.lower_band.current.value",
        "middle = self._bands.middle_band.current.value",
    ),
    phrasings=(
        "Buy $ticker below its lower Bollinger band ($period days, $width standard deviations) and sell at the middle band.",
        "Bollinger band mean reversion, $ticker, period $period, k $width, exit at the mean.",
        "Write a strategy for $ticker: when the close is under the lower Bollinger band of $period days and $width deviations go long, and liquidate when it is back over the middle band.",
        "strategy: bollinger mean reversion\nsymbol: $ticker\nperiod: $period\ndeviations: $width\nexit: middle band",
        "Use Bollinger Bands($period, $width) on daily $ticker data to buy dips and take profit at the moving average.",
        "Create a Bollinger Band mean-reversion system for $ticker using $period days and $width standard deviations.",
        "Fade the lower band: $ticker, Bollinger $period/$width, sell when price returns to the middle.",
        "$ticker reverts to its mean: buy under the lower band (window $period, width $width), close at the average.",
        "Build an algorithm that enters $ticker when it pierces the lower Bollinger Band ($period, $width) and exits at the centre line.",
    ),
)

ZSCORE_REVERSION = Family(
    name="zscore_reversion",
    theme="mean reversion",
    class_name="ZscoreReversion",
    parameters={
        "period": (15, 20, 30, 40, 60),
        "entry": (1.0, 1.25, 1.5, 1.75, 2.0),
        "exit": (0.1, 0.25, 0.5),
    },
    initialize=one_asset(
        "self._mean = self.sma(self._symbol, $period)",
        "self._deviation = self.std(self._symbol, $period)",
        warm_up="$period",
    ),
    rest=long_or_flat(
        "score < -$entry",
        "score > -$exit",
        PRICE,
        "mean = self._mean.current.value",
        "score = (price - mean) / max(self._deviation.current.value, 1e-9)",
    ),
    phrasings=(
        "Buy $ticker when its $period-day z-score is below -$entry and sell when the z-score is above -$exit.",
        "Z-score reversion for $ticker: window $period, entry -$entry, exit -$exit.",
        "Write an algorithm that computes how many standard deviations $ticker is from its $period-day mean, buys under -$entry and liquidates over -$exit.",
        "strategy: z-score mean reversion\nsymbol: $ticker\nwindow: $period\nentry_z: -$entry\nexit_z: -$exit",
        "Mean reversion on $ticker by z-score over $period days: long at -$entry, flat at -$exit.",
        "Enter $ticker when the price is $entry standard deviations below its $period day average; leave when it is within $exit.",
        "Statistical mean reversion, $ticker, lookback $period, buy z < -$entry, sell z > -$exit.",
    ),
)

STOCHASTIC_REVERSION = Family(
    name="stochastic_reversion",
    theme="mean reversion",
    class_name="StochasticReversion",
    parameters={
        "period": (7, 10, 14, 20, 21),
        "smooth": (3, 5),
        "low": (10, 15, 20, 25, 30),
        "high": (70, 75, 80, 85, 90),
    },
    initialize=one_asset(
        "self._stochastic = self.sto(self._symbol, $period, $smooth, $smooth)",
        warm_up="$period * 3",
    ),
    rest=long_or_flat(
        "level < $low", "level > $high", "level = self._stochastic.stoch_k.current.value"
    ),
    phrasings=(
        "Buy $ticker when the stochastic %K ($period days, smoothing $smooth) is under $low and sell when it is over $high.",
        "Stochastic oscillator strategy for $ticker: period $period, smoothing $smooth, oversold $low, overbought $high.",
        "Write a LEAN strategy that trades $ticker long only on the stochastic oscillator STO($period, $smooth, $smooth), entering below $low and exiting above $high.",
        "strategy: stochastic reversion\nsymbol: $ticker\nperiod: $period\nsmoothing: $smooth\noversold: $low\noverbought: $high",
        "Use the stochastic ($period, $smooth) on $ticker: long under $low, out over $high.",
        "Trade $ticker with %K of the stochastic oscillator, lookback $period, smoothed $smooth, buy level $low, sell level $high.",
    ),
)

FAMILIES = (RSI_REVERSION, BOLLINGER_REVERSION, ZSCORE_REVERSION, STOCHASTIC_REVERSION)
