"""Trend following: hold while an average, or a difference of averages, says up."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import PRICE, long_or_flat, one_asset
from qc_builder_lora.harvest.corpus.family import Family

SMA_CROSS = Family(
    name="sma_cross",
    theme="trend",
    class_name="SmaCross",
    parameters={
        "fast": (5, 8, 10, 12, 15, 20, 25, 30),
        "slow": (40, 50, 60, 75, 80, 100, 120, 150, 200),
    },
    initialize=one_asset(
        "self._fast = self.sma(self._symbol, $fast)",
        "self._slow = self.sma(self._symbol, $slow)",
        warm_up="$slow",
    ),
    rest=long_or_flat(
        "fast > slow",
        "fast < slow",
        "fast = self._fast.current.value",
        "slow = self._slow.current.value",
    ),
    phrasings=(
        "Buy $ticker when the $fast-day simple moving average crosses above the $slow-day one and sell when it crosses below.",
        "SMA crossover on $ticker, fast $fast, slow $slow, long only, daily bars.",
        "Write a QuantConnect strategy that goes long $ticker while SMA($fast) is above SMA($slow) and stays in cash otherwise.",
        "I want a golden cross system for $ticker: $fast and $slow day simple averages, fully invested when the fast one is higher.",
        "strategy: moving average crossover\nsymbol: $ticker\nfast_period: $fast\nslow_period: $slow\ndirection: long only",
        "Create a trend following algorithm trading $ticker with two simple moving averages of $fast and $slow days; exit on the death cross.",
        "Please code a moving average crossover for $ticker using a $fast day and a $slow day SMA.",
        "$ticker: enter if the $fast day MA is over the $slow day MA, get out if it is under.",
        "Implement a dual moving average strategy in LEAN. Asset $ticker, short window $fast, long window $slow.",
        "When the fast average ($fast days) of $ticker rises through the slow average ($slow days) invest everything, and close the position when it falls through it.",
    ),
)

EMA_CROSS = Family(
    name="ema_cross",
    theme="trend",
    class_name="EmaCross",
    parameters={"fast": (5, 8, 9, 10, 12, 15, 20), "slow": (21, 26, 30, 40, 50, 60, 100)},
    valid=lambda p: p["slow"] >= 2 * p["fast"],
    initialize=one_asset(
        "self._fast = self.ema(self._symbol, $fast)",
        "self._slow = self.ema(self._symbol, $slow)",
        warm_up="$slow",
    ),
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            quantity = self.portfolio[self._symbol].quantity
            fast = self._fast.current.value
            slow = self._slow.current.value
            if fast > slow and quantity <= 0:
                self.set_holdings(self._symbol, 1.0)
            elif fast < slow and quantity >= 0:
                self.set_holdings(self._symbol, -1.0)
    """,
    phrasings=(
        "Trade $ticker long and short with exponential moving averages: long when EMA($fast) is above EMA($slow), short when it is below.",
        "EMA crossover, always in the market, $ticker, periods $fast and $slow.",
        "Build an algorithm that reverses between long and short $ticker whenever the $fast-day EMA crosses the $slow-day EMA.",
        "strategy: ema crossover\nsymbol: $ticker\nfast_period: $fast\nslow_period: $slow\ndirection: long and short",
        "Go 100% long $ticker if the $fast day exponential average exceeds the $slow day exponential average, otherwise go 100% short.",
        "Long/short EMA strategy for $ticker with spans of $fast and $slow days.",
        "Write a LEAN algorithm on $ticker that flips from short to long when a $fast period EMA moves over a $slow period EMA and back again.",
        "Exponential moving average crossover ($fast/$slow) on $ticker, allow short selling.",
        "Use two EMAs, $fast and $slow days, to hold $ticker either long or short at all times.",
    ),
)

TREND_FILTER = Family(
    name="trend_filter",
    theme="trend",
    class_name="TrendFilter",
    parameters={
        "period": (20, 30, 50, 60, 80, 100, 120, 150, 200),
        "weight": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    },
    initialize=one_asset("self._average = self.sma(self._symbol, $period)", warm_up="$period"),
    rest=long_or_flat(
        "price > average",
        "price < average",
        PRICE,
        "average = self._average.current.value",
        weight="$weight",
    ),
    phrasings=(
        "Hold $ticker with $weight_percent% of the portfolio while its price is above the $period-day simple moving average, else hold cash.",
        "Price above SMA($period) on $ticker: invest $weight_percent%. Below: sell everything.",
        "Write a trend filter strategy for $ticker that buys with $weight_percent percent of equity when the close is over its $period day average and liquidates when it falls under.",
        "strategy: price above moving average\nsymbol: $ticker\nperiod: $period\nposition_size: $weight",
        "Keep $weight_percent% in $ticker only when it trades above its $period-day mean.",
        "Own $ticker as long as it stays over the $period day moving average, using $weight_percent% of capital.",
        "$ticker timing model: in the market ($weight_percent% weight) above the $period day SMA, out of it below.",
        "Buy and hold $ticker at $weight_percent% but get out whenever the price is under its $period-day moving average.",
        "Create an algorithm that checks every day if $ticker closes above its $period day simple average and then holds a $weight_percent% position.",
    ),
)

MACD_TREND = Family(
    name="macd_trend",
    theme="trend",
    class_name="MacdTrend",
    parameters={"fast": (6, 8, 10, 12, 15), "slow": (20, 24, 26, 30, 35), "signal": (5, 7, 9, 10)},
    initialize=one_asset(
        "kind = MovingAverageType.EXPONENTIAL",
        "self._macd = self.macd(self._symbol, $fast, $slow, $signal, kind)",
        warm_up="$slow + $signal",
    ),
    rest=long_or_flat(
        "macd > signal",
        "macd < signal",
        "macd = self._macd.current.value",
        "signal = self._macd.signal.current.value",
    ),
    phrasings=(
        "Buy $ticker when the MACD line is above its signal line and sell when it drops below, with periods $fast, $slow and $signal.",
        "MACD($fast, $slow, $signal) signal line strategy for $ticker, long only.",
        "Write a LEAN algorithm that uses MACD with fast $fast, slow $slow and signal $signal on daily $ticker bars to be long or flat.",
        "strategy: macd\nsymbol: $ticker\nfast: $fast\nslow: $slow\nsignal: $signal\ndirection: long only",
        "I need a strategy on $ticker that enters on a bullish MACD crossover and exits on a bearish one; parameters $fast/$slow/$signal.",
        "Trade $ticker with the moving average convergence divergence indicator, settings $fast, $slow, $signal: long over the signal line, out under it.",
        "Use MACD $fast-$slow-$signal to time entries and exits in $ticker.",
        "Build a MACD trend follower for $ticker. Fast EMA $fast, slow EMA $slow, signal EMA $signal.",
        "Go long $ticker on a MACD cross up, flat on a cross down ($fast, $slow, $signal).",
    ),
)

TRIPLE_AVERAGE = Family(
    name="triple_average",
    theme="trend",
    class_name="TripleAverage",
    parameters={"short": (5, 8, 10, 12), "medium": (20, 25, 30, 40), "long": (60, 80, 100, 150)},
    initialize=one_asset(
        "self._short = self.ema(self._symbol, $short)",
        "self._medium = self.ema(self._symbol, $medium)",
        "self._long = self.ema(self._symbol, $long)",
        warm_up="$long",
    ),
    rest=long_or_flat(
        "short > medium > long",
        "short < medium",
        "short = self._short.current.value",
        "medium = self._medium.current.value",
        "long = self._long.current.value",
    ),
    phrasings=(
        "Go long $ticker when three exponential averages are stacked upwards ($short above $medium above $long days) and exit when the $short-day falls below the $medium-day.",
        "Triple EMA trend strategy on $ticker with periods $short, $medium, $long.",
        "Write an algorithm for $ticker that buys if EMA($short) > EMA($medium) > EMA($long) and sells once EMA($short) < EMA($medium).",
        "strategy: triple moving average\nsymbol: $ticker\nperiods: [$short, $medium, $long]\nentry: short > medium > long\nexit: short < medium",
        "Use three EMAs ($short, $medium, $long) on $ticker: buy when they are in rising order, sell when the shortest drops under the middle one.",
        "Three moving averages system for $ticker: $short/$medium/$long days, exponential, long only.",
        "Build a trend strategy on $ticker that needs the $short, $medium and $long day EMAs aligned before it buys.",
    ),
)

FAMILIES = (SMA_CROSS, EMA_CROSS, TREND_FILTER, MACD_TREND, TRIPLE_AVERAGE)
