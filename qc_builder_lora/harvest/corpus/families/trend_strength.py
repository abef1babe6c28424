"""Trend filters that measure how strong a trend is, or how it turns."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import PRICE, long_or_flat, one_asset
from qc_builder_lora.harvest.corpus.family import Family

ADX_TREND = Family(
    name="adx_trend",
    theme="trend",
    class_name="AdxTrend",
    parameters={"period": (7, 10, 14, 20), "strength": (15, 18, 20, 22, 25)},
    # Smoothed twice: it is warmed up for several of its periods.
    initialize=one_asset("self._adx = self.adx(self._symbol, $period)", warm_up="$period * 6"),
    rest=long_or_flat(
        "strength > $strength and rising > falling",
        "rising < falling",
        "strength = self._adx.current.value",
        "rising = self._adx.positive_directional_index.current.value",
        "falling = self._adx.negative_directional_index.current.value",
    ),
    phrasings=(
        "Buy $ticker when the $period-day ADX is above $strength with +DI over -DI, and sell when -DI is over +DI.",
        "ADX trend on $ticker: period $period, threshold $strength, long only.",
        "Write a QuantConnect strategy that goes long $ticker in strong uptrends only: ADX($period) above $strength and the positive directional index above the negative one; leave when they cross.",
        "strategy: adx trend\nsymbol: $ticker\nadx_period: $period\nadx_threshold: $strength\nexit: negative di above positive di",
        "Directional movement system for $ticker with a period of $period and ADX over $strength.",
        "Only follow trends of $ticker that are strong: ADX of $period days over $strength, exit when the directional indices cross.",
        "Trade $ticker with Wilder's ADX($period): in above $strength if +DI leads, out if -DI leads.",
    ),
)

AROON_TREND = Family(
    name="aroon_trend",
    theme="trend",
    class_name="AroonTrend",
    parameters={"period": (14, 20, 25, 30, 50), "level": (50, 60, 70, 80)},
    initialize=one_asset("self._aroon = self.aroon(self._symbol, $period)", warm_up="$period + 1"),
    rest=long_or_flat(
        "up > $level and up > down",
        "down > up",
        "up = self._aroon.aroon_up.current.value",
        "down = self._aroon.aroon_down.current.value",
    ),
    phrasings=(
        "Buy $ticker when Aroon Up ($period days) is above $level and above Aroon Down; sell when Aroon Down takes the lead.",
        "Aroon trend following, $ticker, period $period, level $level.",
        "Write a LEAN algorithm on $ticker with the Aroon indicator of $period days: long when the up line exceeds $level and the down line, flat when the down line is higher.",
        "strategy: aroon\nsymbol: $ticker\nperiod: $period\nentry_level: $level\nexit: aroon down above aroon up",
        "Use Aroon($period) to hold $ticker while new highs are more recent than new lows, entering above $level.",
        "$ticker: enter when the $period-day Aroon Up passes $level, leave when Aroon Down is the larger.",
    ),
)

PARABOLIC_TREND = Family(
    name="parabolic_trend",
    theme="trend",
    class_name="ParabolicTrend",
    parameters={"step": (0.01, 0.015, 0.02, 0.03), "limit": (0.1, 0.15, 0.2, 0.25)},
    initialize=one_asset("self._sar = self.psar(self._symbol, $step, $step, $limit)", warm_up="30"),
    rest=long_or_flat("price > sar", "price < sar", PRICE, "sar = self._sar.current.value"),
    phrasings=(
        "Be long $ticker while it is above its parabolic SAR (step $step, maximum $limit) and in cash below it.",
        "Parabolic SAR on $ticker, acceleration $step up to $limit, long or flat.",
        "Write an algorithm that buys $ticker above the parabolic stop and reverse indicator with an acceleration of $step and a maximum of $limit, and liquidates under it.",
        "strategy: parabolic sar\nsymbol: $ticker\nacceleration: $step\nmaximum: $limit\ndirection: long only",
        "Follow $ticker with PSAR($step, $step, $limit): in over the dots, out under them.",
        "Trend strategy for $ticker based on Wilder's parabolic SAR, step $step, cap $limit.",
    ),
)

ADAPTIVE_AVERAGE = Family(
    name="adaptive_average",
    theme="trend",
    class_name="AdaptiveAverage",
    parameters={"period": (5, 8, 10, 15, 20, 30), "band": (0.015, 0.005, 0.01, 0.02)},
    initialize=one_asset("self._average = self.kama(self._symbol, $period)", warm_up="$period * 5"),
    rest=long_or_flat(
        "price > average * (1 + $band)",
        "price < average * (1 - $band)",
        PRICE,
        "average = self._average.current.value",
    ),
    phrasings=(
        "Buy $ticker when it closes more than $band_percent% above its $period-day Kaufman adaptive moving average and sell more than $band_percent% below it.",
        "KAMA($period) trend on $ticker with a band of $band_percent%.",
        "Write a trend strategy for $ticker using the Kaufman adaptive moving average of $period days and a filter band of $band_percent percent on both sides.",
        "strategy: adaptive moving average\nsymbol: $ticker\nkama_period: $period\nfilter_band: $band",
        "Use KAMA with $period days on $ticker: in above it by $band_percent%, out below it by $band_percent%.",
        "Adaptive average crossover for $ticker ($period days, $band_percent% band), long only.",
    ),
)

SLOPE_TREND = Family(
    name="slope_trend",
    theme="trend",
    class_name="SlopeTrend",
    parameters={"period": (15, 20, 30, 40, 60, 90), "daily": (0.0, 0.0002, 0.0005, 0.001)},
    initialize=one_asset("self._closes = RollingWindow[float]($period)", warm_up="$period"),
    rest="""
        def on_data(self, data):
            if not data.bars.contains_key(self._symbol):
                return
            self._closes.add(data.bars[self._symbol].close)
            if self.is_warming_up or not self._closes.is_ready:
                return
            logs = np.log(np.array(list(self._closes)[::-1]))
            slope = np.polyfit(np.arange($period), logs, 1)[0]
            if slope > $daily and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
            elif slope < 0 and self.portfolio.invested:
                self.liquidate()
    """,
    names=lambda p: {"daily_percent": f"{p['daily'] * 100:g}"},
    phrasings=(
        "Buy $ticker when the regression slope of its log price over $period days is above $daily_percent% a day and sell when the slope is negative.",
        "Regression slope trend on $ticker, window $period, entry slope $daily.",
        "Write an algorithm for $ticker that fits a line to the logarithm of the last $period closes, goes long when it rises by more than $daily a day and exits when it falls.",
        "strategy: regression slope\nsymbol: $ticker\nwindow: $period\nentry_slope: $daily\nexit_slope: 0",
        "Hold $ticker while the $period-day linear trend of log prices points up (more than $daily to enter, below zero to leave).",
        "Linear regression trend filter for $ticker with $period days; slope threshold $daily.",
    ),
)

_AVERAGES = {"dema": "double exponential", "tema": "triple exponential", "hma": "Hull"}

FASTER_AVERAGES = Family(
    name="faster_averages",
    theme="trend",
    class_name="FasterAverages",
    parameters={
        "kind": ("dema", "tema", "hma"),
        "fast": (8, 10, 12, 15, 20),
        "slow": (30, 40, 50, 60),
    },
    names=lambda p: {"said": _AVERAGES[p["kind"]]},
    initialize=one_asset(
        "self._fast = self.$kind(self._symbol, $fast)",
        "self._slow = self.$kind(self._symbol, $slow)",
        warm_up="$slow * 3",
    ),
    rest=long_or_flat(
        "fast > slow",
        "fast < slow",
        "fast = self._fast.current.value",
        "slow = self._slow.current.value",
    ),
    phrasings=(
        "Buy $ticker when its $fast-day $said moving average is above the $slow-day one and sell when it is below.",
        "$said moving average crossover on $ticker, $fast and $slow days.",
        "Write a crossover strategy for $ticker with $said moving averages of $fast and $slow days, long only.",
        "strategy: moving average crossover\nsymbol: $ticker\naverage: $kind\nfast_period: $fast\nslow_period: $slow",
        "Trade $ticker with two $said averages ($fast/$slow), in the market while the fast one leads.",
        "Low-lag crossover for $ticker: $said averages, fast $fast, slow $slow.",
    ),
)

MOMENTUM_VOTE = Family(
    name="momentum_vote",
    theme="trend",
    class_name="MomentumVote",
    parameters={
        "short": (20, 21, 30, 40),
        "medium": (60, 63, 90),
        "long": (120, 126, 180, 252),
        "votes": (2, 3),
    },
    initialize=one_asset(
        "self._moves = [self.momp(self._symbol, n) for n in ($short, $medium, $long)]",
        warm_up="$long + 1",
    ),
    rest=long_or_flat(
        "votes >= $votes", "votes < $votes", "votes = sum(m.current.value > 0 for m in self._moves)"
    ),
    phrasings=(
        "Hold $ticker when at least $votes of its returns over $short, $medium and $long days are positive, else cash.",
        "Momentum vote on $ticker: lookbacks $short/$medium/$long, at least $votes positive.",
        "Write an algorithm that counts how many of the $short-, $medium- and $long-day returns of $ticker are above zero and is invested when the count is $votes or more.",
        "strategy: momentum vote\nsymbol: $ticker\nlookbacks: [$short, $medium, $long]\nvotes_needed: $votes",
        "Ensemble time series momentum for $ticker with horizons $short, $medium, $long; in with $votes votes.",
        "Own $ticker if $votes of three momentum signals ($short, $medium, $long days) say up.",
    ),
)

FAMILIES = (
    ADX_TREND,
    AROON_TREND,
    PARABOLIC_TREND,
    ADAPTIVE_AVERAGE,
    SLOPE_TREND,
    FASTER_AVERAGES,
    MOMENTUM_VOTE,
)
