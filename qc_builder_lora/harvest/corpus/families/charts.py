"""Systems that traders know by name from their charts: clouds, candles, trailing lines, VWAP."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import PRICE, long_or_flat, one_asset
from qc_builder_lora.harvest.corpus.family import Family

ICHIMOKU_CLOUD = Family(
    name="ichimoku_cloud",
    theme="trend",
    class_name="IchimokuCloud",
    parameters={"tenkan": (7, 9, 10, 12), "kijun": (22, 24, 26, 30), "senkou": (44, 52, 60)},
    initialize=one_asset(
        "self._cloud = self.ichimoku(",
        "    self._symbol, $tenkan, $kijun, $kijun, $senkou, $kijun, $kijun",
        ")",
        warm_up="$senkou + $kijun",
    ),
    rest=long_or_flat(
        "price > top and tenkan > kijun",
        "price < kijun",
        PRICE,
        "tenkan = self._cloud.tenkan.current.value",
        "kijun = self._cloud.kijun.current.value",
        "spans = (self._cloud.senkou_a, self._cloud.senkou_b)",
        "top = max(span.current.value for span in spans)",
    ),
    phrasings=(
        "Buy $ticker when it closes above the Ichimoku cloud with the Tenkan line over the Kijun line, and sell when it closes below the Kijun line. Periods $tenkan, $kijun and $senkou.",
        "Ichimoku($tenkan, $kijun, $senkou) on $ticker, long above the cloud, out under the Kijun.",
        "Write a QuantConnect algorithm for $ticker with the Ichimoku Kinko Hyo indicator: Tenkan $tenkan, Kijun $kijun, Senkou B $senkou, cloud shifted by $kijun. Enter over both spans if Tenkan is above Kijun, leave below Kijun.",
        "strategy: ichimoku cloud\nsymbol: $ticker\ntenkan: $tenkan\nkijun: $kijun\nsenkou_b: $senkou\nentry: close above cloud and tenkan above kijun\nexit: close below kijun",
        "Cloud breakout in $ticker (settings $tenkan/$kijun/$senkou): go long when price is over the Kumo and the conversion line is over the base line, exit when price loses the base line.",
        "Trade $ticker by Ichimoku: conversion $tenkan, base $kijun, leading span B $senkou. Long only; the base line is the exit.",
    ),
    further=(
        "I use Ichimoku charts ($tenkan, $kijun, $senkou). Can LEAN buy $ticker once the close is above the cloud and Tenkan is above Kijun, and sell on a close under Kijun?",
        "Asset: $ticker\nIndicator: Ichimoku $tenkan $kijun $senkou\nLong: above cloud, Tenkan > Kijun\nFlat: below Kijun",
    ),
)

HEIKIN_ASHI = Family(
    name="heikin_ashi",
    theme="trend",
    class_name="HeikinAshiTrend",
    parameters={"green": (2, 3, 4, 5), "red": (1, 2, 3), "weight": (0.5, 0.75, 0.9, 1.0)},
    initialize=one_asset(
        "self._candle = self.heikin_ashi(self._symbol)",
        "self._green = 0",
        "self._red = 0",
        warm_up="20",
    ),
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            rising = self._candle.close.current.value > self._candle.open.current.value
            self._green = self._green + 1 if rising else 0
            self._red = 0 if rising else self._red + 1
            if self._green >= $green and not self.portfolio.invested:
                self.set_holdings(self._symbol, $weight)
            elif self._red >= $red and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker with $weight_percent% of the portfolio after $green rising Heikin-Ashi candles in a row and sell after $red falling ones.",
        "Heikin-Ashi trend on $ticker: $green green in, $red red out, size $weight_percent%.",
        "Write a LEAN strategy on $ticker that counts consecutive Heikin-Ashi candles, goes long with a weight of $weight after $green that close above their open and liquidates after $red that do not.",
        "strategy: heikin ashi\nsymbol: $ticker\ngreen_candles: $green\nred_candles: $red\nposition_size: $weight",
        "Smooth $ticker with Heikin-Ashi bars; enter on the candle number $green in green, leave on number $red in red, $weight_percent% invested.",
        "Follow $ticker by Heikin-Ashi colour, $weight_percent% of equity: $green up candles to get in, $red down candles to get out.",
    ),
    further=(
        "Heikin-Ashi candles please, not normal ones: $ticker, long at $weight_percent% when the last $green are green, cash when the last $red are red.",
        "On my chart of $ticker I wait for $green Heikin-Ashi candles up, put $weight_percent% in, and get out after $red down. Code that for QuantConnect.",
    ),
)

SUPERTREND = Family(
    name="supertrend",
    theme="trend",
    class_name="SuperTrendFollower",
    parameters={"period": (7, 10, 12, 14, 20), "multiple": (1.5, 2.0, 2.5, 3.0, 4.0)},
    initialize=one_asset(
        "kind = MovingAverageType.WILDERS",
        "self._trend = self.str(self._symbol, $period, $multiple, kind)",
        warm_up="$period * 5",
    ),
    rest=long_or_flat("price > line", "price < line", PRICE, "line = self._trend.current.value"),
    phrasings=(
        "Hold $ticker while it closes above its SuperTrend line (ATR $period, multiplier $multiple) and be in cash below it.",
        "SuperTrend($period, $multiple) on $ticker, long or flat.",
        "Write an algorithm that buys $ticker when the price is over the SuperTrend indicator with $period days and a multiple of $multiple, and sells when it is under it.",
        "strategy: supertrend\nsymbol: $ticker\natr_period: $period\nmultiplier: $multiple\ndirection: long only",
        "Trade $ticker with SuperTrend: period $period, factor $multiple; in above the line, out below.",
        "Follow the SuperTrend of $ticker, $multiple times the $period-day ATR (Wilder's), long side alone.",
    ),
    further=(
        "Does LEAN have SuperTrend? If so: $ticker, settings $period and $multiple, invested when price is above, nothing otherwise.",
        "$ticker is a buy when SuperTrend ($period/$multiple) turns up and a sell when it turns down. No shorts.",
    ),
)

CHANDELIER_EXIT = Family(
    name="chandelier_exit",
    theme="trend",
    class_name="ChandelierExit",
    parameters={
        "period": (30, 50, 80, 100),
        "span": (15, 20, 22, 25),
        "multiple": (2.5, 3.0, 3.5, 4.0),
    },
    initialize=one_asset(
        "self._average = self.sma(self._symbol, $period)",
        "self._high = self.max(self._symbol, $span, Resolution.DAILY, Field.HIGH)",
        "self._atr = self.atr(self._symbol, $span)",
        warm_up="$period + 1",
    ),
    rest=long_or_flat(
        "price > average and price > stop",
        "price < stop",
        PRICE,
        "average = self._average.current.value",
        "stop = self._high.current.value - $multiple * self._atr.current.value",
    ),
    phrasings=(
        "Buy $ticker above its $period-day average and leave by a chandelier exit: $multiple times ATR($span) below the highest high of $span days. No entry below that level.",
        "$ticker over SMA($period) with a chandelier exit ($span, $multiple).",
        "Write a strategy for $ticker that enters above the $period-day simple moving average and exits when the close is under the highest high of the last $span days less $multiple average true ranges of $span days; it does not enter under that stop either.",
        "strategy: chandelier exit\nsymbol: $ticker\ntrend_sma: $period\nchandelier_period: $span\natr_multiple: $multiple\nentry: close above sma and above the exit level",
        "Chandelier stop on $ticker: hang it $multiple ATR from the $span-day high, be long above both it and the $period-day mean, sell only when it breaks.",
        "Trend entry SMA($period), exit high($span) - $multiple x ATR($span), asset $ticker, nothing bought below the exit.",
    ),
    further=(
        "Let $ticker run: in above the $period-day average, out when it closes below the chandelier line ($span-day high minus $multiple x ATR($span)), back in only above both.",
        "Asset $ticker\nEntry: price over SMA $period and over the chandelier line\nExit: price under the chandelier line, $span days, $multiple ATR",
    ),
)

ROLLING_VWAP = Family(
    name="rolling_vwap",
    theme="mean reversion",
    class_name="RollingVwap",
    parameters={"period": (5, 10, 15, 20, 30), "discount": (0.01, 0.015, 0.02, 0.025, 0.03)},
    initialize=one_asset("self._vwap = self.vwap(self._symbol, $period)", warm_up="$period"),
    rest=long_or_flat(
        "price < vwap * (1 - $discount)",
        "price > vwap",
        PRICE,
        "vwap = self._vwap.current.value",
    ),
    phrasings=(
        "Buy $ticker when it is more than $discount_percent% below its $period-day volume weighted average price and sell when it is back above it.",
        "VWAP reversion on $ticker: $period days, discount $discount_percent%, exit at VWAP.",
        "Write an algorithm that compares $ticker with its VWAP of $period daily bars, goes long $discount_percent percent under it and liquidates over it.",
        "strategy: vwap reversion\nsymbol: $ticker\nvwap_period: $period\nentry_discount: $discount\nexit: above vwap",
        "Buy $ticker cheap against what was paid lately: $discount_percent% under the $period-day VWAP in, over the VWAP out.",
        "Fade drops of $ticker under VWAP($period) by $discount_percent%, take profit at the VWAP, long only.",
    ),
    further=(
        "Volume weighted average of the last $period days as fair value of $ticker: buy $discount_percent% below, sell above.",
        "When $ticker trades $discount_percent% under its rolling VWAP ($period days) I want to be long until it crosses it from below.",
    ),
)

MACD_HISTOGRAM = Family(
    name="macd_histogram",
    theme="momentum",
    class_name="MacdHistogram",
    parameters={
        "fast": (8, 10, 12),
        "slow": (21, 24, 26, 30),
        "smooth": (7, 9),
        "bars": (2, 3, 4),
    },
    initialize=one_asset(
        "kind = MovingAverageType.EXPONENTIAL",
        "self._macd = self.macd(self._symbol, $fast, $slow, $smooth, kind)",
        "self._levels = RollingWindow[float]($bars + 1)",
        warm_up="$slow + $smooth",
    ),
    rest="""
        def on_data(self, data):
            if self.is_warming_up:
                return
            self._levels.add(self._macd.histogram.current.value)
            if not self._levels.is_ready:
                return
            levels = list(self._levels)
            rising = all(new > old for new, old in zip(levels, levels[1:]))
            falling = all(new < old for new, old in zip(levels, levels[1:]))
            if rising and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
            elif falling and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker when the MACD($fast, $slow, $smooth) histogram has risen $bars days in a row and sell when it has fallen $bars days in a row.",
        "MACD histogram turns on $ticker: $fast/$slow/$smooth, $bars bars each way.",
        "Write a LEAN algorithm for $ticker that looks at the slope of the MACD histogram (periods $fast, $slow, $smooth): $bars higher bars in succession mean long, $bars lower ones mean flat.",
        "strategy: macd histogram\nsymbol: $ticker\nfast: $fast\nslow: $slow\nsignal: $smooth\nrising_bars: $bars\nfalling_bars: $bars",
        "Trade $ticker on momentum of the MACD histogram with settings $fast, $slow, $smooth: in after $bars rises, out after $bars falls.",
        "$ticker: when each of the last $bars histogram bars (MACD $fast-$slow-$smooth) is above the one before go long, when each is below go to cash.",
    ),
    further=(
        "Not the MACD cross, the histogram: $ticker, $fast/$slow/$smooth, buy after $bars growing bars, sell after $bars shrinking ones.",
        "I would like to be in $ticker while the MACD histogram ($fast, $slow, $smooth) improves; $bars days up starts it, $bars days down ends it.",
    ),
)

FAMILIES = (
    ICHIMOKU_CLOUD,
    HEIKIN_ASHI,
    SUPERTREND,
    CHANDELIER_EXIT,
    ROLLING_VWAP,
    MACD_HISTOGRAM,
)
